"""Skeletons: layouts, sequences, camera, drawing and file formats."""

from stgmamba.skeleton.convert import convert
from stgmamba.skeleton.layouts import (
    BODY_25,
    COCO_17,
    LAYOUTS,
    MEDIAPIPE_33,
    OPENPOSE_18,
    OPENPOSE_18_FEET,
    SMPL_22,
    TANG_23,
    Layout,
)
from stgmamba.skeleton.sequence import Skeleton

__all__ = [
    "BODY_25",
    "COCO_17",
    "LAYOUTS",
    "MEDIAPIPE_33",
    "OPENPOSE_18",
    "OPENPOSE_18_FEET",
    "SMPL_22",
    "TANG_23",
    "Layout",
    "Skeleton",
    "convert",
]
