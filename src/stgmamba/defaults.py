"""The one place where defaults live."""

from __future__ import annotations

FPS = 25.0
"""Frames per second of a film."""

SIZE = 512
"""Height of a film in pixels; the width follows the picture, or DANCER_SHAPE."""

DANCER_SHAPE = (3, 4)
"""Width to height of a film with a built-in dancer."""

SMALLEST_SIZE, LARGEST_SIZE = 64, 4096
"""Sides of a film in pixels that we accept; H.264 players stop at about the larger one."""

LOWEST_FPS, HIGHEST_FPS = 1.0, 120.0

QUALITY = "best"
"""How a person in a picture is drawn: ``fast`` by the limb warp alone, ``best`` by the network G_r over it."""

SEED = 0
"""Same song, same picture, same seed: same frames."""

DEMO_OUTPUT = "out/demo.mp4"
"""Where `stgmamba demo` leaves its film."""
