"""Run the benchmarks and print one line a figure; exit 1 if a goal is missed. `--record` rewrites figures.json."""

from __future__ import annotations

import json
import pkgutil
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import benchmarks
from benchmarks import Result, machine

FIGURES = Path(__file__).with_name("figures.json")


def main(words: list[str]) -> int:
    known = sorted(
        module.name
        for module in pkgutil.iter_modules(benchmarks.__path__)
        if not module.name.startswith("_") and module.name != "machine"
    )
    names = [word for word in words if word != "--record"]
    if unknown := [name for name in names if name not in known]:
        print(f"error: no benchmark {', '.join(unknown)}\n\nhint: there are {', '.join(known)}", file=sys.stderr)
        return 2
    print(f"on {machine.name()}", flush=True)
    figures: dict[str, list[Result]] = {}
    for name in names or known:
        figures[name] = import_module(f"benchmarks.{name}").measure()
        for result in figures[name]:
            print(result, flush=True)
    if "--record" in words:
        record(figures)
    return int(any(result.met is False for results in figures.values() for result in results))


def record(figures: dict[str, list[Result]]) -> None:
    """Put these figures in the place of the recorded ones; other benchmarks keep theirs."""
    kept = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    for name, results in figures.items():
        kept[name] = {
            "machine": machine.name(),
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "kernel_seconds": float(f"{machine.kernel_seconds():.3g}"),
            "figures": {
                result.name: {"value": float(f"{result.value:.4g}"), "unit": result.unit, "goal": result.goal}
                for result in results
            },
        }
    FIGURES.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
