"""From the network's nodes to a dance on the floor: timing, travel, facing, foot contacts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import FloatArray
from stgmamba.music_to_skeleton.beat_alignment import motion_events, retime, time_warp
from stgmamba.music_to_skeleton.representation import decode
from stgmamba.options import FPS, Facing
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.foot_contacts import align_to_floor, foot_contacts, lock_feet, remove_root_slide
from stgmamba.skeleton.root_trajectory import RootTrajectory, face_camera, limit_travel, to_world

_TRAVEL_RADIUS = 0.8  # metres from the middle of the floor


def postprocess(nodes: FloatArray, frames: int, facing: Facing, beats: NDArray[np.float64] | None = None) -> Skeleton:
    """A dance from generated nodes.

    Args:
        nodes: [T, 23, 3] at MODEL_FPS.
        frames: length of the result.
        facing: ``camera`` takes out slow turning, ``free`` keeps it.
        beats: seconds [K] that steps are aligned to; None leaves the timing as generated.

    Returns:
        3-D, OPENPOSE_18_FEET, FPS, metres; bones of constant length, standing feet on the floor at y = 0.
    """
    poses, trajectory = decode(nodes, FPS)
    if beats is not None:
        # Motion events are detected on the finished motion, since foot locking moves them a little.
        dance = Skeleton(place_on_floor(poses, trajectory, facing), FPS, OPENPOSE_18_FEET)
        frames_shown = time_warp(motion_events(dance), beats, dance.seconds, FPS) * FPS
        poses, trajectory = retime(poses, trajectory, frames_shown)
    index = np.minimum(np.arange(frames), len(poses) - 1)
    return Skeleton(place_on_floor(poses, trajectory, facing)[index], FPS, OPENPOSE_18_FEET)


def place_on_floor(poses: FloatArray, trajectory: RootTrajectory, facing: Facing) -> FloatArray:
    """Joints in the world, [T, 22, 3] metres, of poses [T, 22, 3] on a root trajectory at FPS: feet lie and stay."""
    # Contacts are found before the trajectory is changed, while steps and travel still belong together.
    always = np.ones((len(poses), 2), bool)
    trajectory = remove_root_slide(align_to_floor(to_world(poses, trajectory), always, FPS), trajectory, FPS)
    contacts = foot_contacts(align_to_floor(to_world(poses, trajectory), always, FPS), FPS)
    if facing == "camera":
        trajectory = face_camera(trajectory, FPS)
    world = to_world(poses, limit_travel(trajectory, FPS, _TRAVEL_RADIUS))
    return lock_feet(align_to_floor(world, contacts, FPS), contacts, FPS)
