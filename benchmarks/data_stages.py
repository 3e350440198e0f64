"""CPU seconds of each stage of the data set builder per minute of video, against MediaPipe alone on the same frames.

python benchmarks/data_stages.py VIDEO...
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from stgmamba.builder.cutting import write_clips
from stgmamba.builder.sources import sha256
from stgmamba.builder.stages import BuildOptions, Previous, Video
from stgmamba.builder.video import STAGES
from stgmamba.person.pose import estimate_frames
from stgmamba.video_io import read_video


def measure(path: Path, options: BuildOptions) -> tuple[float, dict[str, float]]:
    """Seconds of video, and CPU seconds of each stage, of writing clips, and of MediaPipe with decoding alone."""
    video, results, taken = Video(path, sha256(path)), Previous(), {}
    for stage in STAGES:
        begun = time.process_time()
        results[stage.name] = stage.run(video, options, results)
        taken[stage.name] = time.process_time() - begun
    begun = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        write_clips(Path(folder) / "clips.tar", video, results)
    taken["writing"] = time.process_time() - begun
    begun = time.process_time()
    reader = read_video(path)
    estimate_frames(iter(reader), reader.fps, reader.size)
    taken["MediaPipe alone"] = time.process_time() - begun
    times = results["scan"].arrays["times"]
    return float(times[-1] - times[0]), taken


def main() -> None:
    total, seconds = dict[str, float](), 0.0
    for name in sys.argv[1:]:
        length, taken = measure(Path(name), BuildOptions())
        seconds += length
        for stage, value in taken.items():
            total[stage] = total.get(stage, 0.0) + value
    print(f"{seconds:.1f} s of video; CPU seconds per minute of video:")
    for stage, value in total.items():
        print(f"  {stage:<16} {60 * value / seconds:7.1f}")
    ours = sum(value for stage, value in total.items() if stage != "MediaPipe alone")
    print(f"  all stages       {60 * ours / seconds:7.1f}, {ours / total['MediaPipe alone']:.2f} times MediaPipe alone")


if __name__ == "__main__":
    main()
