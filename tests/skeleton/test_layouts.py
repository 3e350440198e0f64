import numpy as np
import pytest

from stgmamba.skeleton import LAYOUTS, OPENPOSE_18, OPENPOSE_18_FEET, Layout

every_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


@every_layout
def test_tree_spans_all_joints_parents_first(layout: Layout) -> None:
    assert len(layout.tree) == len(layout) - 1
    seen = {layout.root}
    for parent, child in layout.tree:
        assert parent in seen
        seen.add(child)
    assert seen == set(range(len(layout)))
    assert sorted(layout.depth_first) == list(range(len(layout)))


@every_layout
def test_depth_first_walks_a_limb_to_its_end(layout: Layout) -> None:
    place = {joint: i for i, joint in enumerate(layout.depth_first)}
    for _, child in layout.tree:
        below = {child}
        for parent, grandchild in layout.tree:
            if parent in below:
                below.add(grandchild)
        assert {place[joint] for joint in below} == set(range(place[child], place[child] + len(below)))


@every_layout
def test_mirror_swaps_sides_and_is_its_own_inverse(layout: Layout) -> None:
    order = np.array(layout.mirror)
    assert (order[order] == np.arange(len(layout))).all()
    for joint, other in zip(layout.joints, order, strict=True):
        assert ("left" in joint) == ("right" in layout.joints[other])


@every_layout
def test_bones_look_the_same_in_a_mirror(layout: Layout) -> None:
    bones = {frozenset(bone) for bone in layout.bones}
    mirrored = {frozenset(layout.mirror[j] for j in bone) for bone in layout.bones}
    if layout.name != "tang23":  # its head hangs from the left marker
        assert mirrored == bones


@every_layout
def test_adjacency_is_symmetric_and_normalised(layout: Layout) -> None:
    a = layout.adjacency()
    np.testing.assert_array_equal(a, a.T)
    assert np.linalg.eigvalsh(a).max() == pytest.approx(1.0, abs=1e-5)
    assert np.count_nonzero(a) == len(layout) + 2 * len(layout.tree)


def test_feet_come_after_the_canonical_joints() -> None:
    assert OPENPOSE_18_FEET.joints[:18] == OPENPOSE_18.joints


def test_unknown_joint_is_named() -> None:
    with pytest.raises(KeyError, match="openpose18 has no joint 'tail'"):
        OPENPOSE_18.index("tail")
