"""The command line: one file a verb, imported when it is used."""

from __future__ import annotations

from outlay.cli.main import main as main

__all__ = ["main"]
