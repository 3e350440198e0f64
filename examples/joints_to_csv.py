"""A dance as a table for other programs: python examples/joints_to_csv.py song.mp3 wrist.csv."""

import csv
import sys

from stgmamba import DancePipeline


def main(song: str, output: str) -> None:
    dance = DancePipeline.from_pretrained().skeleton(song, seconds=10)
    with open(output, "w", newline="") as file:  # noqa: PTH123 (an example for everybody)
        table = csv.writer(file)
        table.writerow(["second", *(f"{joint}_{axis}" for joint in dance.layout.joints for axis in "xyz")])
        for i, pose in enumerate(dance.positions):
            table.writerow([f"{i / dance.fps:.3f}", *(f"{value:.4f}" for value in pose.ravel())])


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
