"""What the network speaks: a dance as graph nodes relative to the dancer's own heading.

A dance [T, 22, 3] becomes [T, 23, 3]: the joints of OPENPOSE_18_FEET relative to the floor point under the hips, seen
in the dancer's heading (x to the dancer's left, y up, z forward, metres), and one node more for how that frame of
reference moves: (velocity to the left, velocity forward, turning rate) in m/s and rad/s.
So the network never sees where in the room the dance happened or which wall it faced.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stgmamba.arrays import FloatArray
from stgmamba.skeleton.body import Body, mid_hip, rebuild, retarget
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET, Layout
from stgmamba.skeleton.root_trajectory import RootTrajectory, integrate_velocity, to_local
from stgmamba.skeleton.rotations import rotate_yaw
from stgmamba.skeleton.sequence import Skeleton

MODEL_FPS = 12.5
JOINTS = len(OPENPOSE_18_FEET)


def _graph() -> Layout:
    """The skeleton hung from a root node that neck and hips meet in, nodes in depth-first order of that tree."""
    hung = [JOINTS if n in ("neck", "left_hip", "right_hip") else p for n, p in _tree()]
    joints = (*OPENPOSE_18_FEET.joints, "root")
    order = Layout("", joints, (*hung, -1), ()).depth_first
    parents = [(*hung, -1)[node] for node in order]
    return Layout(
        name="openpose18_feet_root",
        joints=tuple(joints[node] for node in order),
        parents=tuple(-1 if parent < 0 else order.index(parent) for parent in parents),
        bones=(),
    )


def _tree() -> list[tuple[str, int]]:
    return list(zip(OPENPOSE_18_FEET.joints, OPENPOSE_18_FEET.parents, strict=True))


# The model's graph. Its nodes lie in the order of the spatial scan, so that the scan needs no permutation.
GRAPH = _graph()
ROOT = GRAPH.root
# For each joint of OPENPOSE_18_FEET its node.
NODES = [GRAPH.index(name) for name in OPENPOSE_18_FEET.joints]


def encode(dance: Skeleton) -> FloatArray:
    """A dance as the network's nodes.

    Args:
        dance: 3-D OPENPOSE_18_FEET, any fps; it is put on the default body and resampled.

    Returns:
        [T, 23, 3] at MODEL_FPS.
    """
    dance = retarget(dance, Body())
    smooth = gaussian_filter1d(dance.positions, 0.03 * dance.fps, axis=0, mode="nearest")
    dance = Skeleton(smooth, dance.fps, dance.layout).resampled(MODEL_FPS)
    local, trajectory = to_local(dance.positions, MODEL_FPS)
    nodes = np.empty((len(dance), JOINTS + 1, 3), np.float32)
    nodes[:, NODES] = local
    step = np.diff(trajectory.position, axis=0, append=trajectory.position[-1:]) * MODEL_FPS
    nodes[:, ROOT, :2] = rotate_yaw(step, -trajectory.heading)
    nodes[:, ROOT, 2] = np.diff(trajectory.heading, append=trajectory.heading[-1:]) * MODEL_FPS
    return nodes


def decode(nodes: FloatArray, fps: float) -> tuple[FloatArray, RootTrajectory]:
    """Poses and path of a node sequence at MODEL_FPS, resampled to ``fps``.

    Args:
        nodes: [T, 23, 3].
        fps: frames per second wanted.

    Returns:
        Poses [T', 22, 3] in the dancer's heading, every bone of constant length, and the path that carries them.
    """
    frames = Skeleton(nodes, MODEL_FPS, GRAPH).resampled(fps).positions
    poses = rebuild(frames[:, NODES], Body())
    # rebuild keeps the middle of the hips, which lies over the frame's origin by definition.
    poses[..., [0, 2]] -= mid_hip(poses)[:, None, [0, 2]]
    turning = frames[:, ROOT, 2]
    heading = np.concatenate([[0.0], np.cumsum(turning[:-1] / fps)]).astype(np.float32)
    return poses, RootTrajectory(integrate_velocity(frames[:, ROOT, :2], heading, fps), heading)


def mirror(nodes: FloatArray) -> FloatArray:
    """The dance in a mirror, [..., 23, 3]."""
    out = nodes[..., list(GRAPH.mirror), :].copy()
    # To the left becomes to the right, for joints and for the root's velocity alike; turning changes its sense.
    out[..., 0] *= -1
    out[..., ROOT, 2] *= -1
    return out
