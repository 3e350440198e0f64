"""Loading the picture of a person, whatever file it comes in."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from pillow_heif import register_heif_opener

from stgmamba.errors import InputError

MAX_SIDE = 2048  # a dance video is at most this large, and every later step's time grows with the area
MIN_SIDE = 64  # below this a whole person has limbs of a pixel or two
MAX_PIXELS = 450_000_000  # 20,000 x 20,000 and a little; decoded that is about 1.3 GB
BACKGROUND = (235, 235, 235)  # neutral light grey under what is transparent

# Only formats that Pillow decodes by itself: others (EPS) would start programs that the user did not ask for.
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF", "HEIF")
_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".ppm", ".heic", ".heif", ".hif"}
)
_BIT_DEPTHS = (8, 10, 12)  # of cameras and scanners that store their values unscaled in 16 bits
_bomb_limit_lock = threading.Lock()
register_heif_opener()

ImageLike = str | Path | Image.Image | NDArray[Any]
"""A picture: its file, a PIL image, or an array uint8 [H, W], [H, W, 3] or [H, W, 4]."""


@dataclass(frozen=True)
class Picture:
    """A picture ready to work on.

    Attributes:
        rgb: uint8 [H, W, 3], upright, sRGB; no side longer than ``MAX_SIDE``, none shorter than ``MIN_SIDE``.
        path: the file it came from, where there is one.
        note: one sentence for the user about what was changed on the way (shrunk, transparent, animated), or None.
        alpha: float32 [H, W] in 0..1 where the file has transparent parts, which ``rgb`` shows light grey; else None.
        original_size: (width, height) of the upright picture before it was shrunk; None where it was not.
    """

    rgb: NDArray[np.uint8]
    path: Path | None = None
    note: str | None = None
    alpha: NDArray[np.float32] | None = None
    original_size: tuple[int, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.rgb.shape[1], self.rgb.shape[0]

    @property
    def name(self) -> str:
        """What to call the picture in a message."""
        return str(self.path) if self.path is not None else "the picture"


def load_picture(path: str | Path) -> Picture:
    """Read a picture as upright 8-bit sRGB.

    JPEG, PNG, WebP, BMP, GIF, TIFF, PPM, AVIF, HEIC; any colour mode; EXIF rotation applied; of an animation the
    first frame; transparent parts over light grey, with the alpha kept; larger ones shrunk to ``MAX_SIDE``.

    Raises:
        InputError: missing, a folder, not a picture, damaged or cut off, too small, too narrow, or too large to decode.
    """
    path = Path(path)
    data = _read(path)
    Image.init()  # given a list of formats, Pillow does not load the rarer ones by itself
    try:
        with _any_size_allowed():
            image: Image.Image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError:
        raise InputError(f"{path}: {_what_it_is(data)}; use a JPEG, PNG or WebP picture.") from None
    except Exception as error:  # Pillow's readers raise whatever a broken header makes them stumble over
        raise InputError(f"{path}: the picture is damaged ({error}); save or download it again.") from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise InputError(f"{path}: {width} x {height} pixels are too many to work on; shrink it to {MAX_SIDE} or so.")
    if min(width, height) < MIN_SIDE:
        raise InputError(
            f"{path}: {width} x {height} pixels are too small to see a person in; use a picture of 256 pixels or more."
        )
    notes = []
    try:
        if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
            notes.append("it is animated: its first frame is used")
        rgb, alpha = _decode(image, data)
        lies_on_its_side = image.getexif().get(0x0112) in (5, 6, 7, 8)
    except Exception as error:  # as above; a file that was cut off shows only here
        raise InputError(f"{path}: the picture is damaged or cut off ({error}); save or download it again.") from error
    if min(rgb.shape[:2]) < MIN_SIDE:
        raise InputError(f"{path}: {width} x {height} pixels are too narrow to show a person; crop it to the person.")
    original_size = None
    if max(width, height) > MAX_SIDE:
        notes.append(f"it was shrunk from {width} x {height} to {rgb.shape[1]} x {rgb.shape[0]} pixels")
        original_size = (height, width) if lies_on_its_side else (width, height)
    if alpha is not None:
        notes.append("its background is transparent: light grey is put behind it")
    note = f"{path.name}: {'; '.join(notes)}." if notes else None
    return Picture(rgb, path, note, alpha, original_size)


def as_picture(image: ImageLike) -> Picture:
    """A picture from a file, a PIL image, or an array uint8 [H, W], [H, W, 3] or [H, W, 4].

    Raises:
        InputError: not a picture that can be used.
    """
    if isinstance(image, str | Path):
        return load_picture(image)
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (3, 4)):
            raise InputError(
                f"The image array is {image.dtype} {list(image.shape)}; hand in uint8 RGB [height, width, 3]."
            )
        image = Image.fromarray(image)
    if min(image.size) < MIN_SIDE:
        raise InputError(
            f"The image has {image.width} x {image.height} pixels, too few to see a person in; use 256 or more."
        )
    image = ImageOps.exif_transpose(image)
    original_size = image.size if max(image.size) > MAX_SIDE else None
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    if not image.has_transparency_data:
        return Picture(np.array(image.convert("RGB")), original_size=original_size)
    rgba = image.convert("RGBA")
    base = Image.new("RGB", image.size, BACKGROUND)
    base.paste(rgba, mask=rgba.getchannel("A"))
    alpha = np.asarray(rgba.getchannel("A"), np.float32) / np.float32(255)
    return Picture(np.array(base), alpha=alpha, original_size=original_size)


def is_picture(path: Path) -> bool:
    """Whether a file is a still picture, by its name or else by its first bytes."""
    if path.suffix.lower() in _SUFFIXES:
        return True
    try:
        with Image.open(path) as image:
            return getattr(image, "n_frames", 1) == 1
    except (OSError, ValueError, Image.DecompressionBombError):
        return False


def _read(path: Path) -> bytes:
    if path.is_dir():
        raise InputError(f"{path}: this is a folder; name a picture in it.")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check the name.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); check the name and the permissions.") from error
    if not data:
        raise InputError(f"{path}: the file is empty; save or download the picture again.")
    return data


@contextmanager
def _any_size_allowed() -> Iterator[None]:
    """Lift Pillow's own pixel limit, a global: ours is checked before anything is decoded."""
    with _bomb_limit_lock:
        limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _what_it_is(data: bytes) -> str:
    """Name the wrong thing where it is a common one."""
    if data[4:8] == b"ftyp":
        if data[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1"):
            return "this HEIC picture is damaged"
        return "this is a video, not a picture"
    if data.lstrip()[:5].lower() in (b"<svg ", b"<?xml"):
        return "this is a vector drawing, not a pixel picture"
    return "this is not a picture that can be read"


def _decode(image: Image.Image, data: bytes) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
    """Pixels of the image opened from ``data``: shrunk, upright, sRGB over the background; and its alpha, if any."""
    # JPEG can leave out detail while decoding; twice the final size keeps the following shrink smooth.
    image.draft(None, (2 * MAX_SIDE, 2 * MAX_SIDE))
    # Loading a PNG, which asking for its EXIF does too, empties the list of tiles.
    deep_colour = image.mode in ("RGB", "RGBA") and ";16" in str(getattr(image, "tile", ""))
    image.load()
    if deep_colour and np.asarray(image)[..., :3].max() < 256 >> 4:
        image = _deep_colour_to_8_bit(data)
    profile = image.info.get("icc_profile")
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    elif image.mode == "P":
        image = image.convert("RGB")
    elif image.mode in ("I", "F") or image.mode.startswith("I;"):
        image = _to_8_bit(image)
    # Shrink before colours are converted: a 20,000 px picture must not be copied at full size again and again.
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    image = ImageOps.exif_transpose(image)
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    image = _to_srgb(image, profile)
    if alpha is None or alpha.getextrema()[0] == 255:
        return np.array(image), None
    base = Image.new("RGB", image.size, BACKGROUND)
    base.paste(image, mask=alpha)
    return np.array(base), np.asarray(alpha, np.float32) / np.float32(255)


def _to_8_bit(image: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits or floating point to 8 bits; ``convert`` would clip instead of scaling."""
    values = np.asarray(image, np.float32)
    top = _top_value(float(values.max()), integers=image.mode != "F")
    grey = Image.fromarray(np.clip(values * (255.0 / top) + 0.5, 0, 255).astype(np.uint8))
    if (orientation := image.getexif().get(0x0112)) is not None:
        grey.getexif()[0x0112] = orientation
    return grey


def _deep_colour_to_8_bit(data: bytes) -> Image.Image:
    """Colour of 16 bits that holds 12 or fewer, to 8 bits; Pillow keeps the upper 8 of the 16 alone."""
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16:
        raise ValueError("its 16-bit colours cannot be read")
    colours = values[..., 2::-1].astype(np.float32)
    return Image.fromarray(np.clip(colours * (255.0 / _top_value(float(colours.max()))) + 0.5, 0, 255).astype(np.uint8))


def _top_value(largest: float, integers: bool = True) -> float:
    """The value that stands for white, from the largest of a picture."""
    if not integers or largest > 65535:  # floats are 0..1 or hold whatever their maker measured
        return max(1.0, largest)
    # 16 bits come under the name of 32 as well. A picture of 16 bits never brighter than 1/16 is one of fewer bits.
    return next((2.0**bits - 1 for bits in _BIT_DEPTHS if largest < 2**bits), 65535.0)


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert by the file's own colour profile, or by the plain formula when it has none that fits."""
    if profile and image.mode in ("RGB", "CMYK", "L"):
        try:
            converted = ImageCms.profileToProfile(
                image, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except ImageCms.PyCMSError:
            converted = None
        if converted is not None:
            return converted
    return image.convert("RGB")
