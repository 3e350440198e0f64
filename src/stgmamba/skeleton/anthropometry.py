"""Measures of adult bodies: the one table that fits, defaults and guesses take their numbers from."""

from __future__ import annotations

MEAN_DANCER = {
    "spine": 0.455,
    "hips": 0.215,
    "shoulders": 0.31,
    "neck": 0.18,
    "head": 0.14,
    "upper_arm": 0.275,
    "forearm": 0.25,
    "thigh": 0.425,
    "shin": 0.40,
    "heel": 0.10,
    "toe": 0.175,
}
"""Bone lengths in metres of the mean dancer of the training data, as `stgmamba.skeleton.body.Body` names them."""

FACE_POINTS = {
    "nose": (0.0, -0.07, 0.75),
    "left_eye": (0.23, 0.18, 0.61),
    "right_eye": (-0.23, 0.18, 0.61),
    "left_ear": (0.5, 0.0, 0.0),
    "right_ear": (-0.5, 0.0, 0.0),
}
"""Points of an adult face from the middle of the ears, in ear-to-ear widths: across to the left, up, forward."""

PHOTO_PROPORTIONS = {
    "shoulder": 0.36,  # neck to shoulder
    "hip": 0.21,  # middle of the hips to a hip
    "upper_arm": 0.56,
    "forearm": 0.48,
    "thigh": 0.80,
    "shin": 0.78,
    "head": 0.42,  # neck to the middle of the ears
}
"""Bone lengths of an adult as pose estimators place joints in photos, in torso lengths (neck to middle of the hips).

Estimators place shoulders and hips deeper in the body than markers lie, so these differ from `MEAN_DANCER`.
"""

STANDING_ADULT: dict[str, tuple[float, float]] = {
    "neck": (0.0, 0.0),
    "nose": (0.0, -0.17),
    "right_eye": (-0.032, -0.205),
    "left_eye": (0.032, -0.205),
    "right_ear": (-0.072, -0.19),
    "left_ear": (0.072, -0.19),
    "right_shoulder": (-0.175, 0.0),
    "right_elbow": (-0.23, 0.27),
    "right_wrist": (-0.25, 0.51),
    "left_shoulder": (0.175, 0.0),
    "left_elbow": (0.23, 0.27),
    "left_wrist": (0.25, 0.51),
    "right_hip": (-0.105, 0.5),
    "right_knee": (-0.115, 0.91),
    "right_ankle": (-0.12, 1.31),
    "right_heel": (-0.115, 1.37),
    "right_toe": (-0.15, 1.4),
    "left_hip": (0.105, 0.5),
    "left_knee": (0.115, 0.91),
    "left_ankle": (0.12, 1.31),
    "left_heel": (0.115, 1.37),
    "left_toe": (0.15, 1.4),
}
"""Joints of a standing adult seen from the front, as pose estimators place them: metres from the neck, y down."""
