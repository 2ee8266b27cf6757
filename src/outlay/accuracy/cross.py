"""Cross-validation by source: every row predicted with step coefficients whose fit never saw the row's source or its kin.

``make fit`` solves the fit again without each family of sources and stores the coefficients in the catalog's
`unseen.json`; rows are then predicted with them exactly as with the shipped ones. A source that the fit does not use is
predicted with the shipped coefficients, which have not seen it either.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from outlay.accuracy.predict import predictor
from outlay.accuracy.solve import Fit, refit
from outlay.accuracy.validate import Predictor
from outlay.training import Coefficients, StepCoefficients, load_coefficients
from outlay.training.coefficients import stored_tuning

KIN = (
    ("vtrain_single", "vtrain_multi"),
    ("megatron_2021_a100", "megatron_h100_readme"),
    ("nvidia_megatron_bridge", "nvidia_nemo_24_25", "nvidia_dgxc_benchmarking"),
    ("litgpt_finetune", "litgpt resource-tables", "litgpt config_hub", "litgpt finetune_lora.md"),
    ("torchtune README", "torchtune README ablation"),
)
"""Sources that measured with one software on one kind of cluster: they are left out together."""
SERVING_KIN = (
    ("NVIDIA/TensorRT-LLM docs", "NVIDIA/TensorRT-Model-Optimizer examples/benchmark.md"),
    ("AI-Hypercomputer/jetstream-pytorch benchmarks/summary.md", "AI-Hypercomputer/tpu-recipes inference READMEs"),
)
"""The same of sources of serving: one maker with one engine."""


def kin_of(source: str) -> tuple[str, ...]:
    """The sources that are left out with a source, itself among them.

    >>> kin_of("vtrain_multi"), kin_of("papers")
    (('vtrain_single', 'vtrain_multi'), ('papers',))
    """
    return next((family for family in (*KIN, *SERVING_KIN) if source in family), (source,))


def families(sources: Iterable[str]) -> list[tuple[str, ...]]:
    """The families of some sources, each once, in alphabetical order.

    >>> families(["papers", "vtrain_multi", "vtrain_single"])
    [('papers',), ('vtrain_single', 'vtrain_multi')]
    """
    return sorted({kin_of(source) for source in sources})


def refits(found: Fit) -> dict[tuple[str, ...], StepCoefficients]:
    """Coefficients without each family of sources that the fit used."""
    return {family: refit(found, family) for family in families(row.record.source for row in found.rows)}


def predictors(fits: Mapping[tuple[str, ...], StepCoefficients]) -> dict[str, Predictor]:
    """For each source of the fit a predictor that has not seen it."""
    machine = load_coefficients().machine
    found: dict[str, Predictor] = {}
    for family, step in fits.items():
        own = predictor(Coefficients(machine=machine, step=step))
        found |= dict.fromkeys(family, own)
    return found


def note(sources: Iterable[str], fits: Collection[str]) -> str:
    """What cross-validation did with rows of some sources; `fits` are the sources of the fit.

    >>> print(note(["papers", "ours", "ours"], {"papers"}))  # doctest: +NORMALIZE_WHITESPACE
    Each row is predicted by a fit without its source and kin: 1 row.
    The fit uses no row of ours: the shipped coefficients predict its 2 rows.
    """
    every = list(sources)
    others = sorted({source for source in every if source not in fits})
    own = sum(source in fits for source in every)
    text = f"Each row is predicted by a fit without its source and kin: {_rows(own)}."
    if others:
        rest = _rows(len(every) - own)
        text += f" The fit uses no row of {', '.join(others)}: the shipped coefficients predict its {rest}."
    return text


def _rows(count: int) -> str:
    return f"{count:,} row" + ("" if count == 1 else "s")


TUNING = frozenset(
    {
        "launch_unfused",
        "layer_python",
        "adapter_python",
        "memory_unfused",
        "cache_faster",
        "decode_seconds",
        "gathered_python",
        "tuning_fixed",
    }
)
"""Coefficients that tuning runs alone show: :mod:`outlay.accuracy.fit_tuning` fits and stores them apart."""


def document(fits: Mapping[tuple[str, ...], StepCoefficients], *, date: str) -> dict[str, Any]:
    """The refits as the catalog stores them, each coefficient to four figures."""
    return {
        "basis": "fitted",
        "date": date,
        "source": "python -m outlay.accuracy.fit, on validation/training, without the sources named",
        "refits": [{"without": list(family), "coefficients": pretrained(step)} for family, step in fits.items()],
    }


def plain(step: StepCoefficients) -> dict[str, Any]:
    """Coefficients as plain data, to four figures."""
    return {name: _short(getattr(step, name)) for name in StepCoefficients.__dataclass_fields__}


def pretrained(step: StepCoefficients) -> dict[str, Any]:
    """Those that the fit to pre-training finds, or assumes."""
    return {name: value for name, value in plain(step).items() if name not in TUNING}


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _short(entry) for name, entry in sorted(value.items())}
    return float(f"{value:.4g}")


@functools.cache
def load_unseen() -> Mapping[tuple[str, ...], StepCoefficients]:
    """The refits that the catalog ships, by the sources that they have not seen.

    A magnitude that the model has got since the last fit is as shipped; a test asks for a new fit then.
    """
    shipped = load_coefficients().step
    known = set(StepCoefficients.__dataclass_fields__) - TUNING
    found = {
        tuple(entry["without"]): shipped.replace(**{k: v for k, v in entry["coefficients"].items() if k in known})
        for entry in stored()["refits"]
    }
    for entry in stored_tuning().get("refits", ()):
        family = tuple(entry["without"])
        found[family] = found.get(family, shipped).replace(**entry["coefficients"])
    return found


def stored() -> Any:
    """The catalog's file as it stands."""
    resource = importlib.resources.files("outlay.catalog") / "coefficients" / "unseen.json"
    return json.loads(resource.read_text(encoding="utf-8"))
