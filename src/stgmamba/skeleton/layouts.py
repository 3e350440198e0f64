"""Skeleton layouts as data: joint names, kinematic tree, drawn bones, left-right pairs, graph.

``OPENPOSE_18`` is the paper's layout and the canonical one; ``OPENPOSE_18_FEET`` adds a heel and a toe to each foot and
is the one of our models, because a dance is judged by its feet.
Left and right are always the dancer's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Layout:
    """A set of named joints and the tree of bones that connects them.

    Attributes:
        name: short name, as written in files.
        joints: joint names, in storage order.
        parents: for each joint the index of its parent in the kinematic tree, -1 for the root.
        bones: pairs of joint indices that are drawn; a superset of the tree where the source draws more.
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    bones: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        """Index of a joint by name. Raises KeyError when the layout lacks it."""
        try:
            return self._indices[joint]
        except KeyError:
            raise KeyError(f"layout {self.name} has no joint {joint!r}") from None

    def has(self, *joints: str) -> bool:
        """Whether the layout holds all the named joints."""
        return all(joint in self._indices for joint in joints)

    @cached_property
    def _indices(self) -> dict[str, int]:
        return {joint: i for i, joint in enumerate(self.joints)}

    @cached_property
    def root(self) -> int:
        """Index of the kinematic tree's root."""
        return self.parents.index(-1)

    @cached_property
    def tree(self) -> tuple[tuple[int, int], ...]:
        """(parent, child) pairs of the kinematic tree, parents before their children."""
        return tuple((self.parents[j], j) for j in self.depth_first if self.parents[j] >= 0)

    @cached_property
    def depth_first(self) -> tuple[int, ...]:
        """Joint indices in depth-first order of the kinematic tree: the spatial scan's order (method, SG)."""
        children: dict[int, list[int]] = {}
        for joint, parent in enumerate(self.parents):
            children.setdefault(parent, []).append(joint)
        order: list[int] = []
        stack = [self.root]
        while stack:
            joint = stack.pop()
            order.append(joint)
            stack.extend(reversed(children.get(joint, [])))
        return tuple(order)

    @cached_property
    def mirror(self) -> tuple[int, ...]:
        """For each joint the index of its left-right counterpart; itself on the midline."""

        def counterpart(name: str) -> str:
            if "left_" in name:
                return name.replace("left_", "right_")
            return name.replace("right_", "left_")

        return tuple(self._indices[counterpart(joint)] for joint in self.joints)

    def adjacency(self) -> NDArray[np.float32]:
        """Symmetrically normalised adjacency with self-loops, [J, J]: D^-1/2 (A + I) D^-1/2 (Kipf, Welling 2017)."""
        a = np.eye(len(self), dtype=np.float32)
        for parent, child in self.tree:
            a[parent, child] = a[child, parent] = 1.0
        scale = 1.0 / np.sqrt(a.sum(axis=1))
        normalised: NDArray[np.float32] = (a * scale[:, None] * scale[None, :]).astype(np.float32)
        return normalised


def _layout(name: str, joints: dict[str, str | None], extra_bones: tuple[tuple[str, str], ...] = ()) -> Layout:
    names = tuple(joints)
    index = {joint: i for i, joint in enumerate(names)}
    parents = tuple(-1 if parent is None else index[parent] for parent in joints.values())
    tree = tuple((parent, child) for child, parent in enumerate(parents) if parent >= 0)
    return Layout(name, names, parents, tree + tuple((index[a], index[b]) for a, b in extra_bones))


_OPENPOSE_18: dict[str, str | None] = {
    "nose": "neck",
    "neck": None,
    "right_shoulder": "neck",
    "right_elbow": "right_shoulder",
    "right_wrist": "right_elbow",
    "left_shoulder": "neck",
    "left_elbow": "left_shoulder",
    "left_wrist": "left_elbow",
    "right_hip": "neck",
    "right_knee": "right_hip",
    "right_ankle": "right_knee",
    "left_hip": "neck",
    "left_knee": "left_hip",
    "left_ankle": "left_knee",
    "right_eye": "nose",
    "left_eye": "nose",
    "right_ear": "right_eye",
    "left_ear": "left_eye",
}

OPENPOSE_18 = _layout("openpose18", _OPENPOSE_18)

OPENPOSE_18_FEET = _layout(
    "openpose18_feet",
    _OPENPOSE_18
    | {
        "right_heel": "right_ankle",
        "right_toe": "right_ankle",
        "left_heel": "left_ankle",
        "left_toe": "left_ankle",
    },
)

COCO_17 = _layout(
    "coco17",
    {
        # COCO has no neck, so its tree hangs from the nose through the shoulders; hips hang from the shoulders.
        "nose": None,
        "left_eye": "nose",
        "right_eye": "nose",
        "left_ear": "left_eye",
        "right_ear": "right_eye",
        "left_shoulder": "nose",
        "right_shoulder": "nose",
        "left_elbow": "left_shoulder",
        "right_elbow": "right_shoulder",
        "left_wrist": "left_elbow",
        "right_wrist": "right_elbow",
        "left_hip": "left_shoulder",
        "right_hip": "right_shoulder",
        "left_knee": "left_hip",
        "right_knee": "right_hip",
        "left_ankle": "left_knee",
        "right_ankle": "right_knee",
    },
    extra_bones=(("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")),
)

BODY_25 = _layout(
    "body25",
    {
        "nose": "neck",
        "neck": "mid_hip",
        "right_shoulder": "neck",
        "right_elbow": "right_shoulder",
        "right_wrist": "right_elbow",
        "left_shoulder": "neck",
        "left_elbow": "left_shoulder",
        "left_wrist": "left_elbow",
        "mid_hip": None,
        "right_hip": "mid_hip",
        "right_knee": "right_hip",
        "right_ankle": "right_knee",
        "left_hip": "mid_hip",
        "left_knee": "left_hip",
        "left_ankle": "left_knee",
        "right_eye": "nose",
        "left_eye": "nose",
        "right_ear": "right_eye",
        "left_ear": "left_eye",
        "left_toe": "left_ankle",
        "left_small_toe": "left_toe",
        "left_heel": "left_ankle",
        "right_toe": "right_ankle",
        "right_small_toe": "right_toe",
        "right_heel": "right_ankle",
    },
)

MEDIAPIPE_33 = _layout(
    "mediapipe33",
    {
        "nose": None,
        "left_eye_inner": "nose",
        "left_eye": "left_eye_inner",
        "left_eye_outer": "left_eye",
        "right_eye_inner": "nose",
        "right_eye": "right_eye_inner",
        "right_eye_outer": "right_eye",
        "left_ear": "left_eye_outer",
        "right_ear": "right_eye_outer",
        "mouth_left_corner": "nose",
        "mouth_right_corner": "nose",
        "left_shoulder": "nose",
        "right_shoulder": "nose",
        "left_elbow": "left_shoulder",
        "right_elbow": "right_shoulder",
        "left_wrist": "left_elbow",
        "right_wrist": "right_elbow",
        "left_pinky": "left_wrist",
        "right_pinky": "right_wrist",
        "left_index": "left_wrist",
        "right_index": "right_wrist",
        "left_thumb": "left_wrist",
        "right_thumb": "right_wrist",
        "left_hip": "left_shoulder",
        "right_hip": "right_shoulder",
        "left_knee": "left_hip",
        "right_knee": "right_hip",
        "left_ankle": "left_knee",
        "right_ankle": "right_knee",
        "left_heel": "left_ankle",
        "right_heel": "right_ankle",
        "left_toe": "left_ankle",
        "right_toe": "right_ankle",
    },
    extra_bones=(
        ("left_shoulder", "right_shoulder"),
        ("left_hip", "right_hip"),
        ("left_heel", "left_toe"),
        ("right_heel", "right_toe"),
    ),
)

TANG_23 = _layout(
    "tang23",
    {
        "right_head": "left_head",
        "left_head": "spine",
        "spine": None,
        "right_shoulder": "spine",
        "right_elbow": "right_shoulder",
        "right_forearm": "right_elbow",
        "right_wrist": "right_forearm",
        "right_hip": "spine",
        "right_knee": "right_hip",
        "right_ankle": "right_knee",
        "right_heel": "right_ankle",
        "right_toe": "right_ankle",
        "left_shoulder": "spine",
        "left_elbow": "left_shoulder",
        "left_forearm": "left_elbow",
        "left_wrist": "left_forearm",
        "left_hip": "spine",
        "left_knee": "left_hip",
        "left_ankle": "left_knee",
        "left_heel": "left_ankle",
        "left_toe": "left_ankle",
        "left_hand": "left_wrist",
        "right_hand": "right_wrist",
    },
)

SMPL_22 = _layout(
    "smpl22",
    {
        # The body joints of SMPL (Loper et al. 2015) without the hands, in its order; a foot is the ball of the toes.
        "pelvis": None,
        "left_hip": "pelvis",
        "right_hip": "pelvis",
        "spine1": "pelvis",
        "left_knee": "left_hip",
        "right_knee": "right_hip",
        "spine2": "spine1",
        "left_ankle": "left_knee",
        "right_ankle": "right_knee",
        "spine3": "spine2",
        "left_foot": "left_ankle",
        "right_foot": "right_ankle",
        "neck": "spine3",
        "left_collar": "spine3",
        "right_collar": "spine3",
        "head": "neck",
        "left_shoulder": "left_collar",
        "right_shoulder": "right_collar",
        "left_elbow": "left_shoulder",
        "right_elbow": "right_shoulder",
        "left_wrist": "left_elbow",
        "right_wrist": "right_elbow",
    },
)

LAYOUTS: dict[str, Layout] = {
    layout.name: layout for layout in (OPENPOSE_18, OPENPOSE_18_FEET, COCO_17, BODY_25, MEDIAPIPE_33, TANG_23, SMPL_22)
}
