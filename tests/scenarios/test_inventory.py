"""Inventories from files."""

from pathlib import Path

import pytest

from outlay.errors import InputError
from outlay.scenarios.training_plan.plan import plan_training


def test_a_file_says_what_the_text_says(tmp_path: Path) -> None:
    file = tmp_path / "quota.csv"
    file.write_text("\ufeffaccelerator,count,owner\nh100-sxm,16,us\nA100-SXM-80GB,32,them\nrtx-4090,0,nobody\n")
    asked = {"tokens": "20B", "tier": "on-demand"}
    from_file = plan_training("gpt2", have=str(file), **asked)
    typed = plan_training("gpt2", have="h100-sxm:16,a100-sxm-80gb:32", **asked)
    assert from_file.total.amount == typed.total.amount
    assert from_file.title == typed.title


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("h100-sxm,16\n", "no column `accelerator`"),
        ("accelerator,count\n", "no machines"),
        ("accelerator,count\nh100-sxm,many\n", "line 2: the count of h100-sxm-?.* is `many`"),
        ("accelerator,count\nh100-sxm,-4\n", "line 2"),
        ("accelerator,count\nh100-sxm,8\nh1000,8\n", "line 3: .*h1000"),
        ("accelerator,count\nh100-sxm,8\nh100-sxm-80gb,8\n", "twice"),
        ("accelerator,count\nh100-sxm\n", "line 2"),
        ("", "no column"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_line(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "quota.csv"
    file.write_text(content)
    with pytest.raises(InputError, match=said) as refused:
        plan_training("gpt2", tokens="20B", have=str(file))
    assert refused.value.hint


def test_a_file_that_is_not_there_or_is_no_text_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        plan_training("gpt2", tokens="20B", have=str(tmp_path / "none.csv"))
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"accelerator,count\n\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        plan_training("gpt2", tokens="20B", have=str(binary))
