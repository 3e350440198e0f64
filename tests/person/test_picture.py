from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from stgmamba.errors import InputError
from stgmamba.person.picture import BACKGROUND, MAX_SIDE, is_picture, load_picture

from ..support.input_errors import read_or_refused

WIDTH, HEIGHT = 96, 128
TOP, BOTTOM = (200, 60, 40), (40, 90, 200)  # red above, blue below: shows whether it is upright


def flag() -> Image.Image:
    pixels = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    pixels[: HEIGHT // 2], pixels[HEIGHT // 2 :] = TOP, BOTTOM
    return Image.fromarray(pixels)


def assert_flag(rgb: np.ndarray, tolerance: float = 6) -> None:
    assert rgb.dtype == np.uint8
    assert rgb.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(rgb[5:55].mean(axis=(0, 1)) - TOP).max() < tolerance
    assert np.abs(rgb[75:].mean(axis=(0, 1)) - BOTTOM).max() < tolerance


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.bmp", "a.gif", "a.tiff", "a.ppm", "jpeg.png"])
def test_common_formats(tmp_path: Path, name: str) -> None:
    flag().save(tmp_path / name, format="JPEG" if name == "jpeg.png" else None)
    picture = load_picture(tmp_path / name)
    assert_flag(picture.rgb)
    assert (picture.size, picture.note, picture.alpha) == ((WIDTH, HEIGHT), None, None)
    assert picture.name == str(tmp_path / name)


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [(3, Image.Transpose.ROTATE_180), (6, Image.Transpose.ROTATE_90), (8, Image.Transpose.ROTATE_270)],
)
def test_exif_rotation(tmp_path: Path, orientation: int, turn: Image.Transpose) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    flag().transpose(turn).save(tmp_path / "a.jpg", exif=exif)
    assert_flag(load_picture(tmp_path / "a.jpg").rgb)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda image: image.convert("CMYK"), "a.jpg"),
        (lambda image: image.convert("P"), "a.png"),
        (lambda image: image.convert("RGBA"), "a.png"),
        (lambda image: image.quantize(8), "a.gif"),
    ],
    ids=["cmyk", "palette", "opaque alpha", "gif"],
)
def test_colour_modes(tmp_path: Path, make: Callable[[Image.Image], Image.Image], name: str) -> None:
    make(flag()).save(tmp_path / name)
    picture = load_picture(tmp_path / name)
    assert_flag(picture.rgb, tolerance=12)
    assert picture.alpha is None


@pytest.mark.parametrize("name", ["a.heic", "a.heif", "a.HIF"])
@pytest.mark.parametrize("turned", [False, True])
def test_pictures_of_an_iphone(tmp_path: Path, name: str, turned: bool) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6 if turned else 1
    image = flag().transpose(Image.Transpose.ROTATE_90) if turned else flag()
    image.save(tmp_path / name, format="HEIF", quality=90, exif=exif.tobytes())
    assert is_picture(tmp_path / name)
    assert_flag(load_picture(tmp_path / name).rgb, tolerance=12)


def test_a_damaged_heic_picture(tmp_path: Path) -> None:
    flag().save(tmp_path / "a.heic", format="HEIF")
    whole = (tmp_path / "a.heic").read_bytes()
    (tmp_path / "a.heic").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="damaged"):
        load_picture(tmp_path / "a.heic")


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("bits", [10, 12, 16])
@pytest.mark.parametrize("colour", [False, True], ids=["grey", "colour"])
def test_fewer_bits_in_16_keep_their_brightness(tmp_path: Path, suffix: str, bits: int, colour: bool) -> None:
    values = np.tile(np.linspace(0, 2**bits - 1, WIDTH), (HEIGHT, 1)).astype(np.uint16)
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), np.stack([values // 4, values // 2, values], -1) if colour else values)
    rgb = load_picture(path).rgb.astype(float)
    expected = np.linspace(0, 255, WIDTH)
    for channel, share in enumerate((1.0, 0.5, 0.25) if colour else (1.0, 1.0, 1.0)):
        assert np.abs(rgb[..., channel].mean(axis=0) - share * expected).max() < 1.5


def test_grey_and_16_bit_keep_their_range(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    Image.fromarray((ramp >> 8).astype(np.uint8)).save(tmp_path / "grey.png")
    Image.fromarray(ramp.astype(np.float32) / 65535).save(tmp_path / "float.tiff")
    for name in ("deep.png", "grey.png", "float.tiff"):
        rgb = load_picture(tmp_path / name).rgb
        assert np.abs(rgb[..., 1].astype(float) - ramp / 257).max() <= 1.5
        assert (rgb[..., 0] == rgb[..., 2]).all()


def test_transparency_is_kept_and_put_on_grey(tmp_path: Path) -> None:
    image = flag().convert("RGBA")
    alpha = np.zeros((HEIGHT, WIDTH), np.uint8)
    alpha[:, 32:64], alpha[:, 64:] = 255, 128
    image.putalpha(Image.fromarray(alpha))
    image.save(tmp_path / "a.png")
    picture = load_picture(tmp_path / "a.png")
    assert (picture.rgb[:, :32] == BACKGROUND).all()
    assert (picture.rgb[0, 40] == TOP).all()
    assert np.abs(picture.rgb[0, 80] - (np.array(TOP) + BACKGROUND) / 2).max() <= 2
    assert picture.alpha is not None
    np.testing.assert_allclose(picture.alpha, alpha / 255, atol=1e-6)
    assert picture.note is not None
    assert "transparent" in picture.note


def test_transparent_palette(tmp_path: Path) -> None:
    image = flag().quantize(4)
    image.save(tmp_path / "a.gif", transparency=image.getpixel((0, 0)))
    picture = load_picture(tmp_path / "a.gif")
    assert (picture.rgb[5] == BACKGROUND).all()
    assert picture.alpha is not None
    assert 0.4 < picture.alpha.mean() < 0.6


def test_of_an_animation_the_first_frame(tmp_path: Path) -> None:
    flag().save(tmp_path / "a.gif", save_all=True, append_images=[flag().rotate(180)], duration=100)
    picture = load_picture(tmp_path / "a.gif")
    assert_flag(picture.rgb)
    assert picture.note is not None
    assert "first frame" in picture.note


def test_a_colour_profile_is_obeyed_and_a_broken_one_survived(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    flag().save(tmp_path / "good.png", icc_profile=profile)
    flag().save(tmp_path / "bad.png", icc_profile=b"no profile at all")
    for name in ("good.png", "bad.png"):
        assert_flag(load_picture(tmp_path / name).rgb)


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_huge_pictures_are_shrunk(tmp_path: Path, name: str) -> None:
    Image.new("RGB", (20_000, 2_000), (90, 120, 150)).save(tmp_path / name)
    picture = load_picture(tmp_path / name)
    assert picture.size == (MAX_SIDE, round(MAX_SIDE * 0.1))
    assert picture.original_size == (20_000, 2_000)
    assert np.abs(picture.rgb.mean(axis=(0, 1)) - (90, 120, 150)).max() < 2
    assert picture.note is not None
    assert "20000 x 2000" in picture.note
    assert Image.MAX_IMAGE_PIXELS is not None  # Pillow's own limit is as it was


def test_the_size_before_shrinking_is_that_of_the_upright_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (3_000, 2_000)).save(tmp_path / "a.jpg", exif=exif)
    picture = load_picture(tmp_path / "a.jpg")
    assert picture.original_size == (2_000, 3_000)
    assert picture.size == (round(MAX_SIDE * 2 / 3), MAX_SIDE)
    flag().save(tmp_path / "small.png")
    assert load_picture(tmp_path / "small.png").original_size is None


def test_too_small_too_narrow_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stgmamba.person.picture.MAX_PIXELS", 7_000_000)
    flag().resize((16, 16)).save(tmp_path / "small.png")
    Image.new("L", (20_000, 300)).save(tmp_path / "narrow.png")
    Image.new("1", (3_000, 3_000)).save(tmp_path / "large.png")
    for name, says in (("small", "too small"), ("narrow", "too narrow"), ("large", "too many")):
        with pytest.raises(InputError, match=says):
            load_picture(tmp_path / f"{name}.png")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.gif"])
@pytest.mark.parametrize("part", [0.5, 0.9])
def test_cut_off_files(tmp_path: Path, name: str, part: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(InputError, match="damaged"):
        load_picture(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"dear diary", "not a picture"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(40), "HEIC"),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(40), "video"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "vector"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n", "not a picture"),
    ],
)
def test_what_is_no_picture_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(InputError, match=says):
        load_picture(tmp_path / "a.jpg")


def test_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_picture(tmp_path / "a.jpg")
    with pytest.raises(InputError, match="folder"):
        load_picture(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        load_picture("a\0.jpg")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    form=st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"]),
    garbage=st.binary(min_size=1, max_size=30),
    place=st.floats(0, 1),
)
def test_flipped_bytes_are_read_or_refused(tmp_path: Path, form: str, garbage: bytes, place: float) -> None:
    path = tmp_path / "a"
    flag().save(path, format=form)
    whole = path.read_bytes()
    at = int(place * len(whole))
    path.write_bytes(whole[:at] + garbage + whole[at + len(garbage) :])
    picture = read_or_refused(load_picture, path)
    if picture is not None:
        assert picture.rgb.dtype == np.uint8
        assert picture.rgb.ndim == 3
        assert picture.rgb.shape[2] == 3
