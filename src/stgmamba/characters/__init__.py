"""Built-in dancers: procedural people drawn from any 3-D skeleton, the default look and stage 2's training data."""

from stgmamba.characters.looks import DANCERS, Look, random_look

__all__ = ["DANCERS", "Look", "random_look"]
