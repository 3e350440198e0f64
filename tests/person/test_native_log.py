import os

import pytest

from stgmamba.person.native_log import native_log_dropped


def test_only_log_lines_are_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    with native_log_dropped():
        for line in (
            "W0000 00:00:1795367284.120125    5546 inference_feedback_manager.cc:114] Feedback manager",
            "I0000 00:00:1795367251.491834    5257 task_runner.cc:85] GPU is not available",
            "I20260101 12:00:00.000000  123 file.cc:1] text",
            "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
            "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.",
            "what matters",
        ):
            os.write(2, (line + "\n").encode())
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "what matters\nafterwards\n"


def test_stderr_is_given_back_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    def breaks() -> None:
        with native_log_dropped(), native_log_dropped():
            os.write(2, b"before it broke\n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        breaks()
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "before it broke\nafterwards\n"
