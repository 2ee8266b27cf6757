"""The day against which ages are counted."""

from __future__ import annotations

import datetime
import os


def today() -> datetime.date:
    """Today, or the day of `SOURCE_DATE_EPOCH` (reproducible-builds.org): a printed page must not change overnight."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if epoch.isascii() and epoch.isdigit() and len(epoch) < 12:
        return datetime.datetime.fromtimestamp(int(epoch), tz=datetime.UTC).date()
    return datetime.datetime.now(tz=datetime.UTC).date()
