"""Characters: procedural people drawn from any 3-D skeleton; the default subject and training data of stage 2."""

from stgmamba.characters.appearance import CHARACTERS, Appearance, random_appearance

__all__ = ["CHARACTERS", "Appearance", "random_appearance"]
