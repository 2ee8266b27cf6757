"""The all-reduce of serving engines: never slower than the library's, and as measured."""

from __future__ import annotations

import numpy as np
import pytest

from outlay.catalog import accelerator
from outlay.machine import (
    cluster_for,
    collective_curve,
    collective_seconds,
    small_all_reduce_curve,
    small_all_reduce_seconds,
)
from outlay.machine.small_all_reduce import small_all_reduce_coefficients


def ways(name: str, count: int = 8, engine: str | None = None) -> dict[str, object]:
    chip = accelerator(name)
    return {
        "cluster": cluster_for(chip, count),
        "curve": small_all_reduce_curve(chip, engine=engine),
        "collective": collective_curve(chip),
    }


def test_it_is_the_faster_of_both_and_grows_with_the_message() -> None:
    given = ways("h100-sxm-80gb")
    size = 2.0 ** np.arange(8, 30)
    own = small_all_reduce_seconds(size, 8, **given)
    library = collective_seconds("all-reduce", size, 8, cluster=given["cluster"], curve=given["collective"])
    assert (own <= library).all() and own[0] < 0.8 * library[0] and own[-1] == library[-1]
    assert (np.diff(own) >= 0).all()


def test_one_device_and_no_message_take_no_time() -> None:
    given = ways("h100-sxm-80gb")
    assert float(small_all_reduce_seconds(2**16, 1, **given)) == 0.0
    assert float(small_all_reduce_seconds(0, 8, **given)) == 0.0


def test_what_leaves_the_node_goes_the_way_of_the_library() -> None:
    given = ways("h100-sxm-80gb", 16)
    for group, stride in ((16, 1), (2, 8)):
        own = small_all_reduce_seconds(2**16, group, stride=stride, **given)
        library = collective_seconds(
            "all-reduce", 2**16, group, stride=stride, cluster=given["cluster"], curve=given["collective"]
        )
        assert float(own) == float(library)


@pytest.mark.parametrize(
    ("name", "engine", "ranks", "size", "microseconds"),
    [
        # aiconfigurator-core 0.12.0, custom_allreduce_perf (bytes of 16-bit messages).
        ("h200-sxm-141gb", "vllm", 8, 2 * 131072, 10.1),
        ("h200-sxm-141gb", "trtllm", 8, 2 * 65536, 6.4),
        ("h100-sxm-80gb", "vllm", 4, 2 * 32768, 5.2),
        ("b200-sxm-180gb", "trtllm", 8, 2 * 131072, 7.9),
        ("a100-sxm-80gb", "vllm", 8, 2 * 65536, 11.4),
    ],
)
def test_messages_come_out_as_measured(name: str, engine: str, ranks: int, size: int, microseconds: float) -> None:
    seconds = float(small_all_reduce_seconds(size, ranks, **ways(name, engine=engine)))
    assert seconds * 1e6 == pytest.approx(microseconds, rel=0.25)


def test_own_kernels_were_closer_than_the_library_for_every_chip_with_fast_links() -> None:
    for record in small_all_reduce_coefficients()["curves"]:
        if record["chip"] != "pcie":
            assert record["errors"]["held"]["median"] < record["errors"]["library"]["median"], record["chip"]
