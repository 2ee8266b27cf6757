"""`UPDATE_GOLDEN=1 pytest tests/golden` writes the screens anew; look at the difference before it is committed."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def update() -> bool:
    """Whether the screens are to be written anew (`UPDATE_GOLDEN=1 pytest tests/golden`)."""
    return os.environ.get("UPDATE_GOLDEN") == "1"
