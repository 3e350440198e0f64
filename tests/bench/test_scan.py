from typing import Any

import pytest
from rich.console import Console

from stgmamba.bench import scan
from stgmamba.bench.scan import Shape, bench_scan, print_table

SHAPE = Shape("tiny", 2, 10, 3, 4)


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Figures of scans whose times are given: 1 ms forward and 4 ms forward + backward for ours."""

    def times(scans: dict[str, Any], shape: Shape, backward: bool, *_: int) -> dict[str, float]:
        milliseconds = (
            {"ours": 4.0, "reference": 40.0} if backward else {"ours": 1.0, "reference": 30.0, "mambapy": 8.0}
        )
        return {name: value / 1000 for name, value in milliseconds.items()}

    monkeypatch.setattr(scan, "_time_scans", times)
    monkeypatch.setattr(scan, "measure_exponentials", lambda: 960_000.0)
    return bench_scan([SHAPE])


def test_figures_follow_from_the_times(figures: dict[str, Any]) -> None:
    forward, both = figures["results"]
    assert (forward["ours_ms"], forward["reference_ms"], forward["mambapy_ms"]) == (1.0, 30.0, 8.0)
    assert forward["speedup"] == pytest.approx(8.0)  # over the faster of the two others
    assert forward["updates_per_second"] == pytest.approx(2 * 10 * 3 * 4 / 0.001)
    assert forward["fraction_of_limit"] == pytest.approx(0.25)
    assert (both["pass"], both["mambapy_ms"]) == ("forward + backward", None)
    assert both["speedup"] == pytest.approx(10.0)
    assert "fraction_of_limit" not in both


def test_the_table_has_a_row_per_shape_and_pass(figures: dict[str, Any]) -> None:
    console = Console(record=True, width=120)
    print_table(figures, console)
    rows = [line for line in console.export_text().splitlines() if "tiny" in line]
    assert len(rows) == 2
    assert "8.0 x" in rows[0]
    assert "25%" in rows[0]
    assert "10.0 x" in rows[1]
