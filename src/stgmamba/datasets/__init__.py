"""Readers of data sets."""

from __future__ import annotations

import os
from pathlib import Path


def data_folder() -> Path:
    """Folder of the research data: the environment variable STGM_DATA, by default ``../shared/data``."""
    return Path(os.environ.get("STGM_DATA", "../shared/data"))
