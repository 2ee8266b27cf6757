"""Writing answers: whatever happens, what was there is still there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from outlay.cli.save import save
from outlay.errors import InputError

FULL = Path("/dev/full")


def test_writes_and_replaces(tmp_path):
    target = tmp_path / "answer.json"
    save(target, "one")
    save(target, "two")
    assert target.read_text() == "two"
    assert os.listdir(tmp_path) == ["answer.json"]
    assert stat.S_IMODE(target.stat().st_mode) & 0o600 == 0o600


def test_keeps_mode_and_link(tmp_path):
    target, link = tmp_path / "answer.json", tmp_path / "link.json"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    save(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_folder_and_a_missing_folder(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        save(tmp_path, "x")
    with pytest.raises(InputError, match="there is no folder"):
        save(tmp_path / "no" / "such" / "file.txt", "x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="permission denied"):
        save(tmp_path / "x.txt", "x")


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_full_disk():
    with pytest.raises(InputError, match="No space left on device") as caught:
        save(FULL, "x")
    assert "lost" not in caught.value.hint


def test_a_failure_half_way_loses_nothing(tmp_path, monkeypatch):
    target = tmp_path / "answer.json"
    target.write_text("the old answer")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left on device"):
        save(target, "the new answer")
    assert target.read_text() == "the old answer"
    assert os.listdir(tmp_path) == ["answer.json"]
