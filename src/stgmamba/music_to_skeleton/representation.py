"""Representation of dances for the networks of stage 1: graph nodes in the moving frame of the body.

A dance [T, 22, 3] becomes [T, 23, 3]: the joints of OPENPOSE_18_FEET relative to the floor point below the hips, in the
body's heading (x to its left, y up, z forward, metres), and a root node with the motion of that frame of reference:
velocity to the left, velocity forward (m/s) and turning rate (rad/s). It does not depend on position and direction in
the room.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stgmamba.arrays import FloatArray
from stgmamba.skeleton.body import Body, bridge_flips, mid_hip, rebuild, retarget
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET, Layout
from stgmamba.skeleton.root_trajectory import RootTrajectory, integrate_velocity, to_local
from stgmamba.skeleton.sequence import Skeleton

JOINTS = len(OPENPOSE_18_FEET)
_LOW_PASS = 0.375  # frames of the nodes, standard deviation of the Gaussian before resampling


def _graph() -> Layout:
    """The skeleton with a root node as the parent of neck and hips; nodes in depth-first order of that tree."""
    root_children = ("neck", "left_hip", "right_hip")
    pairs = zip(OPENPOSE_18_FEET.joints, OPENPOSE_18_FEET.parents, strict=True)
    tree = [*(JOINTS if joint in root_children else parent for joint, parent in pairs), -1]
    joints = (*OPENPOSE_18_FEET.joints, "root")
    order = Layout("", joints, tuple(tree), ()).depth_first
    parents = [tree[node] for node in order]
    return Layout(
        name="openpose18_feet_root",
        joints=tuple(joints[node] for node in order),
        parents=tuple(-1 if parent < 0 else order.index(parent) for parent in parents),
        bones=(),
    )


GRAPH = _graph()
"""The networks' graph; its nodes are in the order of the spatial scan, so that the scan needs no permutation."""
ROOT = GRAPH.root
NODES = [GRAPH.index(name) for name in OPENPOSE_18_FEET.joints]
"""For each joint of OPENPOSE_18_FEET its node."""


def encode(dance: Skeleton, fps: float) -> FloatArray:
    """Nodes of a dance.

    Args:
        dance: 3-D OPENPOSE_18_FEET, any fps; retargeted to the default body, low-pass filtered and resampled.
        fps: frames per second of the nodes.

    Returns:
        [T, 23, 3].
    """
    dance = retarget(dance, Body())
    smooth = gaussian_filter1d(dance.positions, _LOW_PASS / fps * dance.fps, axis=0, mode="nearest")
    dance = Skeleton(smooth, dance.fps, dance.layout).resampled(fps)
    local, trajectory = to_local(dance.positions, fps)
    nodes = np.empty((len(dance), JOINTS + 1, 3), np.float32)
    nodes[:, NODES] = local
    nodes[:, ROOT, :2] = trajectory.local_velocity(fps)
    nodes[:, ROOT, 2] = np.diff(trajectory.heading, append=trajectory.heading[-1:]) * fps
    return nodes


def decode(nodes: FloatArray, nodes_fps: float, fps: float) -> tuple[FloatArray, RootTrajectory]:
    """Poses and root trajectory of nodes, resampled to ``fps``.

    Args:
        nodes: [T, 23, 3].
        nodes_fps: their frames per second.
        fps: frames per second of the result.

    Returns:
        Poses [T', 22, 3] in the body's heading, with the bone lengths of the default body and no limb that flips within
        a frame, and the root trajectory.
    """
    frames = Skeleton(nodes, nodes_fps, GRAPH).resampled(fps).positions
    poses = bridge_flips(rebuild(frames[:, NODES], Body()), fps)
    # By definition the middle of the hips is above the origin of the frame of reference.
    poses[..., [0, 2]] -= mid_hip(poses)[:, None, [0, 2]]
    turning = frames[:, ROOT, 2]
    heading = np.concatenate([[0.0], np.cumsum(turning[:-1] / fps)]).astype(np.float32)
    return poses, RootTrajectory(integrate_velocity(frames[:, ROOT, :2], heading, fps), heading)
