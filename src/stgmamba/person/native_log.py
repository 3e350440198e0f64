"""Keeping the log of native libraries off the user's terminal."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# absl and glog ("W0000 00:00:17...", "I20240101 ..."), absl's own greeting, TensorFlow Lite's announcements.
_LOG_LINE = re.compile(rb"^([IWE]\d{4,8} \d\d:\d\d:\d\d|WARNING: All log messages before absl::|(INFO|WARNING): )")
_lock = threading.RLock()


@contextmanager
def native_log_dropped() -> Iterator[None]:
    """Drop what glog, absl and TensorFlow Lite write to stderr in the block; anything else is passed on at its end.

    They write to file descriptor 2 itself, past ``sys.stderr``, and offer no switch that covers all of it.
    """
    with _lock, tempfile.TemporaryFile() as caught:
        sys.stderr.flush()
        kept = os.dup(2)
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            caught.seek(0)
            for line in caught:
                if not _LOG_LINE.match(line):
                    os.write(2, line)
