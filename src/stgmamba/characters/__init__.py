"""Built-in dancers: procedural people drawn from any 3-D skeleton, the default look and stage 2's training data."""

from stgmamba.characters.appearance import CHARACTERS, Appearance, random_appearance

__all__ = ["CHARACTERS", "Appearance", "random_appearance"]
