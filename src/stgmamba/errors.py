"""The exceptions a user of stgmamba is meant to see."""

from __future__ import annotations


class InputError(ValueError):
    """Something handed in cannot be used.

    The message is one sentence that names the file (or option), says what is wrong and the way out.
    The command line prints it without a traceback and exits with code 2.
    """


class EmptySplitError(InputError):
    """A data set can be read and has no dance of the split that is asked for."""
