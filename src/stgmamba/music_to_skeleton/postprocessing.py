"""Post-processing of generated nodes: beat alignment, facing, limited travel, foot contacts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import FloatArray
from stgmamba.music_to_skeleton.beat_alignment import ease_ends, motion_events, retime, time_warp
from stgmamba.music_to_skeleton.representation import decode
from stgmamba.options import FPS, Facing
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.foot_contacts import align_to_floor, foot_contacts, lock_feet, remove_root_slide
from stgmamba.skeleton.root_trajectory import RootTrajectory, centred, face_camera, limit_travel, to_world


def postprocess(
    nodes: FloatArray,
    nodes_fps: float,
    frames: int,
    facing: Facing,
    beats: NDArray[np.float64] | None = None,
    travel: float | None = None,
) -> Skeleton:
    """A dance from generated nodes.

    Args:
        nodes: [T, 23, 3].
        nodes_fps: their frames per second.
        frames: length of the result.
        facing: ``camera`` removes slow turning, ``free`` keeps it.
        beats: times of the beats that motion events are aligned to, seconds [K], and on the last of which the dance
            comes to rest; None keeps the generated timing.
        travel: radius in metres within which the dancer stays; None leaves the floor to the dance.

    Returns:
        3-D, OPENPOSE_18_FEET, FPS, metres; bones of constant length, standing feet on the floor at y = 0.
    """
    poses, trajectory = decode(nodes, nodes_fps, FPS)
    if beats is not None:
        # Motion events are those of the final motion, since foot locking changes them slightly.
        dance = Skeleton(place_on_floor(poses, trajectory, facing, travel), FPS, OPENPOSE_18_FEET)
        warped = time_warp(motion_events(dance), beats, dance.seconds, FPS)
        eased = np.interp(ease_ends(dance.seconds, beats, FPS), np.arange(len(warped)) / FPS, warped)
        poses, trajectory = retime(poses, trajectory, eased * FPS)
    index = np.minimum(np.arange(frames), len(poses) - 1)
    return Skeleton(place_on_floor(poses, trajectory, facing, travel)[index], FPS, OPENPOSE_18_FEET)


def place_on_floor(
    poses: FloatArray, trajectory: RootTrajectory, facing: Facing, travel: float | None = None
) -> FloatArray:
    """World positions, metres, of poses [T, 22, 3] on a root trajectory at FPS, with locked foot contacts."""
    # Contacts are detected before facing and travel are changed, where steps and root trajectory are consistent.
    all_contacts = np.ones((len(poses), 2), bool)
    trajectory = remove_root_slide(align_to_floor(to_world(poses, trajectory), all_contacts, FPS), trajectory, FPS)
    contacts = foot_contacts(align_to_floor(to_world(poses, trajectory), all_contacts, FPS), FPS)
    if facing == "camera":
        trajectory = face_camera(trajectory, FPS)
    world = to_world(poses, centred(trajectory) if travel is None else limit_travel(trajectory, FPS, travel))
    return lock_feet(align_to_floor(world, contacts, FPS), contacts, FPS)
