from __future__ import annotations

import pytest

from stgmamba.body.avatar import Avatar, make_avatar
from tests.support.posed_body import standing_body


@pytest.fixture(scope="session")
def avatar() -> Avatar:
    """Made from the picture of `standing_body`."""
    truth = standing_body()
    return make_avatar(truth.picture, truth.person)
