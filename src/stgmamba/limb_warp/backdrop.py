"""What is seen behind a picture's person, where it is not the picture itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import ImageColor

from stgmamba.arrays import FloatArray, Frame
from stgmamba.errors import InputError
from stgmamba.limb_warp.inpainting import push_pull
from stgmamba.options import is_transparent
from stgmamba.person.picture import Picture, is_picture, load_picture
from stgmamba.video_io import read_video

_BLUR = 0.02  # standard deviation, of the frame's longer side
_ROUNDING = 1e-4  # seconds by which timestamps may be inexact


class VideoBackdrop:
    """A video behind the dancer, which starts again where the dance is longer.

    Args:
        path: the video.
        size: (width, height) of the frames, which it is enlarged and cropped to cover.

    Raises:
        InputError: not a video that can be read.
    """

    def __init__(self, path: str | Path, size: tuple[int, int]) -> None:
        self._reader = read_video(path)
        self._size = size

    def frames(self, fps: float) -> Iterator[Frame]:
        """Frames uint8 [H, W, 3] at a rate, without end; each is what the video shows at that time.

        Raises:
            InputError: no frame of the video can be decoded.
        """
        count, offset = 0, 0.0  # frames yielded, and the seconds of all earlier rounds
        while True:
            start, last, shown = None, 0.0, None
            for seconds, rgb in self._reader:
                start = seconds if start is None else start
                last = seconds - start
                while shown is not None and count / fps < offset + last - _ROUNDING:
                    yield shown
                    count += 1
                shown = _covering(rgb, self._size)
            if shown is None:
                raise InputError(f"{self._reader.path}: no frame of this video can be read; choose another background.")
            offset += last + 1 / self._reader.fps
            while count / fps < offset - _ROUNDING:
                yield shown
                count += 1


def make_backdrop(
    choice: str | Path, picture: Picture, size: tuple[int, int]
) -> Callable[[FloatArray], Frame | VideoBackdrop] | None:
    """A function from the person's mask [H, W] to a background uint8 [H', W', 3] or a video; None: the picture's.

    ``transparent`` gives a background of [H', W', 4] whose alpha is 0.

    Args:
        choice: ``photo``, ``blur``, ``transparent``, a colour as CSS has them (``green``, ``#00ff00``), or the file of
            a picture or video, which is enlarged until it covers the frame.
        picture: the person's.
        size: (width, height) of the frames.

    Raises:
        InputError: neither a colour nor a picture or video that can be read.
    """
    name = str(choice).strip()
    if name.casefold() == "photo":
        return None
    if name.casefold() == "blur":
        return lambda mask: _blurred(picture, mask, size)
    if is_transparent(name):
        return lambda mask: np.zeros((size[1], size[0], 4), np.uint8)
    try:
        colour = ImageColor.getrgb(name)[:3]
    except ValueError:
        if not is_picture(Path(name)) and not Path(name).exists():
            raise InputError(
                f"background {name!r} is no colour and no file of a picture or video; "
                "use photo, blur, transparent, green, #00ff00 or a file."
            ) from None
        if not is_picture(Path(name)):
            video = VideoBackdrop(name, size)
            return lambda mask: video
        backdrop = _covering(load_picture(name).rgb, size)
        return lambda mask: backdrop
    return lambda mask: np.full((size[1], size[0], 3), colour, np.uint8)


def _blurred(picture: Picture, mask: FloatArray, size: tuple[int, int]) -> Frame:
    """The picture without the person, blurred: what is under them is interpolated from around them."""
    hole = cv2.dilate((mask > 0.1).astype(np.uint8), np.ones((9, 9), np.uint8))
    filled = push_pull(picture.rgb.astype(np.float32), 1 - hole.astype(np.float32)) if not hole.all() else picture.rgb
    small = cv2.resize(np.asarray(filled, np.float32), size, interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small, (0, 0), _BLUR * max(size))
    return np.asarray(np.clip(blurred + 0.5, 0, 255), np.uint8)


def _covering(rgb: Frame, size: tuple[int, int]) -> Frame:
    """A picture scaled and cropped in its middle to (width, height)."""
    scale = max(size[0] / rgb.shape[1], size[1] / rgb.shape[0])
    scaled = (max(size[0], round(rgb.shape[1] * scale)), max(size[1], round(rgb.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    resized = cv2.resize(rgb, scaled, interpolation=method)
    left, top = (scaled[0] - size[0]) // 2, (scaled[1] - size[1]) // 2
    return np.ascontiguousarray(resized[top : top + size[1], left : left + size[0]])
