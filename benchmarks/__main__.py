"""Run the benchmarks and print one line a figure; exit 1 if a goal is missed."""

from __future__ import annotations

import pkgutil
import sys
from importlib import import_module

import benchmarks


def main(names: list[str]) -> int:
    known = [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if not module.name.startswith("_")]
    if unknown := [name for name in names if name not in known]:
        print(f"error: no benchmark {', '.join(unknown)}\n\nhint: there are {', '.join(known)}", file=sys.stderr)
        return 2
    missed = 0
    for name in names or known:
        for result in import_module(f"benchmarks.{name}").measure():
            print(result, flush=True)
            missed += result.met is False
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
