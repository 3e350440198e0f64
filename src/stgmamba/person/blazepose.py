"""MediaPipe's pose models (BlazePose), as they lie in its wheel: nothing is downloaded.

Source: Bazarevsky et al., "BlazePose: On-device Real-time Body Pose tracking", CVPR workshops 2020.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import FloatArray
from stgmamba.person.native_log import native_log_dropped

with native_log_dropped():
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision
    from mediapipe.tasks.python.metadata.metadata_writers.metadata_writer import MetadataWriter


@dataclass(frozen=True)
class Pose:
    """One person as detected by the models, in the layout ``MEDIAPIPE_33``.

    Attributes:
        points: float32 [33, 2], pixels; also outside of the picture where the models guess a joint there.
        visibility: float32 [33] in 0..1, probability by the models that a joint is in the picture and not occluded.
        world: float32 [33, 3], metres from the middle of the hips: right, down, away from the camera.
        mask: float32 [H, W] in 0..1, coarse (256 pixels over the person's height), or None where not asked for.
    """

    points: FloatArray
    visibility: FloatArray
    world: FloatArray
    mask: FloatArray | None


@lru_cache(maxsize=1)
def _bundle() -> bytes:
    """The two models in the bundle that the multi-person detector reads.

    The wheel holds them for its older single-person interface, without the scaling of pixels that the newer one reads
    from the file: (pixel - mean) / std, to -1..1 for the detector and to 0..1 for the landmarks.
    """
    models = Path(mp.__file__).parent / "modules"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as bundle:
        for name, file, mean, std in (
            ("pose_detector.tflite", "pose_detection/pose_detection.tflite", 127.5, 127.5),
            ("pose_landmarks_detector.tflite", "pose_landmark/pose_landmark_full.tflite", 0.0, 255.0),
        ):
            writer = MetadataWriter.create(bytearray((models / file).read_bytes()))
            writer.add_image_input([mean], [std])
            bundle.writestr(name, writer.populate()[0])
    return packed.getvalue()


class PoseDetector:
    """The pose models, loaded; use as a context manager.

    Args:
        people: maximum number of persons.
        masks: whether to make masks too.
        threshold: confidence in 0..1 from which on a person counts as detected.
        video: pictures are successive frames: the person found in one is followed into the next.
    """

    def __init__(self, people: int = 1, masks: bool = False, threshold: float = 0.5, video: bool = False) -> None:
        self._video = video
        mode = vision.RunningMode.VIDEO if video else vision.RunningMode.IMAGE
        options = vision.PoseLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=_bundle()),
            running_mode=mode,
            num_poses=people,
            min_pose_detection_confidence=threshold,
            min_pose_presence_confidence=threshold,
            min_tracking_confidence=threshold,
            output_segmentation_masks=masks,
        )
        with native_log_dropped():
            self._models = vision.PoseLandmarker.create_from_options(options)

    def __enter__(self) -> PoseDetector:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with native_log_dropped():
            self._models.close()

    def detect(self, rgb: NDArray[np.uint8], seconds: float = 0.0) -> list[Pose]:
        """Find people.

        Args:
            rgb: uint8 [H, W, 3].
            seconds: the frame's time, rising from call to call; read in video mode only.
        """
        height, width = rgb.shape[:2]
        image = mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(rgb))
        with native_log_dropped():
            if self._video:
                result = self._models.detect_for_video(image, round(seconds * 1000))
            else:
                result = self._models.detect(image)
        poses = []
        for i, (landmarks, world) in enumerate(zip(result.pose_landmarks, result.pose_world_landmarks, strict=True)):
            points = np.array([(p.x * width - 0.5, p.y * height - 0.5) for p in landmarks], np.float32)
            visibility = np.array([p.visibility for p in landmarks], np.float32)
            metres = np.array([(p.x, p.y, p.z) for p in world], np.float32)
            mask = None
            if result.segmentation_masks:
                mask = np.array(result.segmentation_masks[i].numpy_view(), np.float32)
            poses.append(Pose(points, visibility, metres, mask))
        return poses
