from __future__ import annotations

import tracemalloc
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import wavfile

from stgmamba.errors import InputError
from stgmamba.music.decode import SAMPLE_RATE, Song, downmix_matrix, load_song, stream_audio

CLICKS = (0.5, 1.5, 3.25, 6.0)
SECONDS = 7


def clicks(rate: int, seconds: float = SECONDS) -> np.ndarray:
    """Return a soft tone with a loud short burst at each of CLICKS."""
    t = np.arange(round(seconds * rate)) / rate
    sound = 0.02 * np.sin(2 * np.pi * 220 * t)
    for at in CLICKS:
        since = np.maximum(t - at, 0)
        sound += (t >= at) * 0.7 * np.sin(2 * np.pi * 1500 * since) * np.exp(-since / 0.01)
    return sound.astype(np.float32)


def write_sound(
    path: Path, samples: np.ndarray, codec: str, rate: int, layout: str = "mono", first_pts: int = 0
) -> Path:
    """Encode samples [channels, n] with FFmpeg's own encoders."""
    samples = np.atleast_2d(samples)
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=rate, layout=layout)
        for begin in range(0, samples.shape[1], 4096):
            block = np.ascontiguousarray(samples[:, begin : begin + 4096])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), first_pts + begin
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def attack(song: Song, near: float) -> float:
    """Return the second at which the burst near a time begins."""
    first = round((near - 0.1) * song.rate)
    part = np.abs(song.samples[first : first + round(0.2 * song.rate)])
    return (first + int(np.argmax(part > 0.2))) / song.rate


FORMATS = [
    ("song.mp3", "libmp3lame", 44_100),
    ("song.m4a", "aac", 44_100),
    ("song.opus", "libopus", 48_000),
    ("song.webm", "libopus", 48_000),
    ("song.mkv", "aac", 48_000),
    ("song.flac", "flac", 44_100),
    ("song.wav", "pcm_s16le", 8_000),
    ("song.mp4", "aac", 48_000),
]


@pytest.mark.parametrize(("name", "codec", "rate"), FORMATS)
def test_every_format_keeps_time(tmp_path: Path, name: str, codec: str, rate: int) -> None:
    song = load_song(write_sound(tmp_path / name, clicks(rate), codec, rate))
    assert song.rate == SAMPLE_RATE
    assert song.samples.dtype == np.float32
    assert song.samples.ndim == 1
    assert song.seconds == pytest.approx(SECONDS, abs=0.03)
    for at in CLICKS:
        assert attack(song, at) == pytest.approx(at, abs=0.001)


@pytest.mark.parametrize(("name", "codec", "rate"), FORMATS)
def test_start_and_seconds_give_that_very_part(tmp_path: Path, name: str, codec: str, rate: int) -> None:
    path = write_sound(tmp_path / name, clicks(rate), codec, rate)
    part = load_song(path, start=5.2, seconds=1.5)
    assert len(part.samples) == round(1.5 * SAMPLE_RATE)
    assert 5.2 + attack(part, 0.8) == pytest.approx(6.0, abs=0.0015)


def test_vorbis(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    path = tmp_path / "song.ogg"
    with soundfile.SoundFile(path, "w", 44_100, 1, format="OGG", subtype="VORBIS") as file:
        for block in np.array_split(clicks(44_100), 100):  # libsndfile overflows its stack on long blocks
            file.write(block)
    for at in CLICKS:
        assert attack(load_song(path), at) == pytest.approx(at, abs=0.001)
    assert 3.0 + attack(load_song(path, start=3.0), 0.25) == pytest.approx(3.25, abs=0.001)


def test_seeking_is_exact_to_the_sample_in_wav(tmp_path: Path) -> None:
    path = tmp_path / "ramp.wav"
    noise = np.random.default_rng(0).integers(-20_000, 20_000, 8 * 22_050).astype(np.int16)
    wavfile.write(path, 22_050, noise)
    part = load_song(path, start=4.0, seconds=2.0)
    np.testing.assert_allclose(part.samples, noise[4 * 22_050 : 6 * 22_050] / 32768, atol=1e-6)


def test_blocks_join_to_the_whole(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "song.mp3", clicks(44_100), "libmp3lame", 44_100)
    blocks = list(stream_audio(path, 22_050, 1))
    assert len(blocks) > 3
    assert all(block.shape[1] == 1 and len(block) for block in blocks)
    np.testing.assert_array_equal(np.concatenate(blocks)[:, 0], load_song(path).samples)


def test_surround_is_mixed_to_one_and_two(tmp_path: Path) -> None:
    centre = clicks(48_000)
    samples = np.zeros((6, len(centre)), np.float32)
    samples[2] = centre
    path = write_sound(tmp_path / "song.wav", samples, "pcm_s16le", 48_000, "5.1")
    song = load_song(path)
    for at in CLICKS:
        assert attack(song, at) == pytest.approx(at, abs=0.01)
    stereo = np.concatenate(list(stream_audio(path, 48_000, 2)))
    np.testing.assert_array_equal(stereo[:, 0], stereo[:, 1])


def test_stereo_sides_are_kept(tmp_path: Path) -> None:
    samples = np.zeros((2, 44_100 * 2), np.float32)
    samples[0] = 0.5
    path = write_sound(tmp_path / "song.wav", samples, "pcm_s16le", 44_100, "stereo")
    stereo = np.concatenate(list(stream_audio(path, 44_100, 2)))
    np.testing.assert_allclose(stereo[:, 0], 0.5, atol=1e-3)
    np.testing.assert_allclose(stereo[:, 1], 0.0, atol=1e-3)


NAMES = ["FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR", "BC", "FLC", "FRC", "TFL", "TFR", "USR7"]


@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=8, unique=True), st.sampled_from([1, 2]))
def test_no_mix_clips_or_swaps_sides(names: list[str], channels: int) -> None:
    gains = downmix_matrix(names, channels)
    assert gains.shape == (channels, len(names))
    assert (gains >= 0).all()
    assert (gains.sum(axis=1) <= 1 + 1e-6).all()
    if channels == 2 and {"FL", "FR"} <= set(names):
        assert gains[0, names.index("FL")] > 0 == gains[0, names.index("FR")]


def test_a_pause_in_the_timestamps_becomes_silence(tmp_path: Path) -> None:
    path = tmp_path / "pause.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=8000, layout="mono")
        for second in (0, 1, 4, 5):
            frame = av.AudioFrame.from_ndarray(np.full((1, 8000), 8000, np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.time_base, frame.pts = 8000, Fraction(1, 8000), second * 8000
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    song = load_song(path, rate=8000)
    assert song.seconds == pytest.approx(6, abs=0.01)
    assert np.abs(song.samples[17_000:31_000]).max() == 0
    assert np.abs(song.samples[33_000:47_000]).min() > 0.2


def test_values_beyond_full_scale_and_not_numbers_are_tamed(tmp_path: Path) -> None:
    samples = clicks(22_050) * 4
    samples[1000] = np.nan
    samples[2000] = np.inf
    wavfile.write(tmp_path / "hot.wav", 22_050, samples)
    song = load_song(tmp_path / "hot.wav")
    assert np.isfinite(song.samples).all()
    assert np.abs(song.samples).max() <= 1


def test_a_long_song_is_held_once(tmp_path: Path) -> None:
    wave = np.tile(np.linspace(-0.5, 0.5, 8000, dtype=np.float32), 600)
    path = write_sound(tmp_path / "long.flac", wave, "flac", 8000)
    tracemalloc.start()
    song = load_song(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert song.seconds == pytest.approx(600, abs=0.1)
    assert peak < 1.3 * song.samples.nbytes


def test_a_truncated_file_gives_what_is_there(tmp_path: Path) -> None:
    for name, codec in (("song.mp3", "libmp3lame"), ("song.flac", "flac"), ("song.wav", "pcm_s16le")):
        path = write_sound(tmp_path / name, clicks(44_100), codec, 44_100)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) * 6 // 10])
        song = load_song(path)
        assert 3 < song.seconds < 6
        assert attack(song, 1.5) == pytest.approx(1.5, abs=0.001)


def test_damage_in_the_middle_is_passed_over(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "song.mp3", clicks(44_100), "libmp3lame", 44_100)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = np.random.default_rng(1).bytes(3000)
    path.write_bytes(content)
    assert load_song(path).seconds > 5


def test_a_name_with_a_colon_and_percent_is_only_a_name(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "part.wav", clicks(22_050), "pcm_s16le", 22_050)
    path = path.rename(tmp_path / "http: 100%d #1.wav")
    assert load_song(path).seconds == pytest.approx(SECONDS)


def bad_inputs(folder: Path) -> dict[str, Path]:
    wavfile.write(folder / "short.wav", 22_050, clicks(22_050)[:15_000])
    wavfile.write(folder / "silence.wav", 22_050, (clicks(22_050) * 1e-3).astype(np.float32))
    (folder / "empty.mp3").write_bytes(b"")
    (folder / "text.mp3").write_text("This is not music. " * 500)
    (folder / "noise.mp3").write_bytes(np.random.default_rng(0).bytes(5000))
    (folder / "list.mp3").write_text("#EXTM3U\n#EXTINF:5,\nhttp://localhost:9/a.ts\n#EXT-X-ENDLIST\n")
    with av.open(str(folder / "mute.mp4"), "w") as output:
        stream = output.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for _ in range(12):
            output.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        output.mux(stream.encode(None))
    return {
        "no such file": folder / "missing.mp3",
        "folder": folder,
        "empty": folder / "empty.mp3",
        "text": folder / "text.mp3",
        "noise": folder / "noise.mp3",
        "list": folder / "list.mp3",
        "no sound": folder / "mute.mp4",
        "too short": folder / "short.wav",
        "silence": folder / "silence.wav",
    }


def test_bad_songs_are_refused_in_one_sentence(tmp_path: Path) -> None:
    for what, path in bad_inputs(tmp_path).items():
        with pytest.raises(InputError) as caught:
            load_song(path)
        message = str(caught.value)
        assert message.startswith(str(path)), what
        assert message.endswith("."), what
        assert "\n" not in message, what
        if " " in what:
            assert what in message


def test_a_start_beyond_the_end_is_refused(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "song.wav", clicks(22_050), "pcm_s16le", 22_050)
    with pytest.raises(InputError, match=r"7\.0 s long and cannot start at 90 s"):
        load_song(path, start=90)
    with pytest.raises(InputError, match="must lie in the song"):
        load_song(path, start=-1)


@pytest.mark.parametrize("part", [1.0, 0.9])
def test_channels_of_opposite_phase_are_not_silence(tmp_path: Path, part: float) -> None:
    sound = clicks(44_100)
    path = write_sound(tmp_path / "a.flac", np.stack([sound, -part * sound]), "flac", 44_100, "stereo")
    song, right = load_song(path), load_song(write_sound(tmp_path / "b.flac", sound, "flac", 44_100))
    np.testing.assert_allclose(song.samples, (1 + part) / 2 * right.samples, atol=2e-3)


def test_channels_that_only_differ_are_mixed_by_their_mean(tmp_path: Path) -> None:
    left, right = np.random.default_rng(0).normal(0, 0.1, (2, 4 * SAMPLE_RATE)).astype(np.float32)
    path = write_sound(tmp_path / "a.flac", np.stack([left, right]), "flac", SAMPLE_RATE, "stereo")
    np.testing.assert_allclose(load_song(path).samples, (left + right) / 2, atol=1e-3)
