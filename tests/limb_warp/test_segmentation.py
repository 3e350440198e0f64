import cv2
import numpy as np
import pytest

from stgmamba.limb_warp.retargeting import measure_body
from stgmamba.limb_warp.segmentation import ARMS, segment_person

from ..support.capsule_figure import COLOURS, INDEX, draw_figure, person_of, pose_array, to_pixels, wall


@pytest.mark.parametrize("thickness", [20, 48])
def test_a_forearm_is_cut_out_whole_however_thick(thickness: int) -> None:
    picture, mask = draw_figure(wall())
    points = to_pixels(pose_array())
    forearms = {}
    for name in ARMS:
        side = name.split("_")[0]
        arm = np.zeros(mask.shape, np.uint8)
        joints = np.array([points[INDEX(f"{side}_{part}")] for part in ("shoulder", "elbow", "wrist")])
        cv2.polylines(arm, [np.rint(joints).astype(np.int32)], False, 1, thickness)
        mask[arm > 0], picture[arm > 0] = 1, COLOURS[name]
        y, x = np.nonzero(arm)
        below = (np.stack([x, y], -1) - joints[1]) @ (joints[2] - joints[1]) > 0
        forearms[name] = y[below], x[below]
    cut = segment_person(picture, mask, measure_body(person_of(mask).skeleton))
    for name, forearm in forearms.items():
        assert (cut.textures[name][forearm][:, 3] > 0.5).mean() > 0.97
