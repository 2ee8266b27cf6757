"""A cold answer: `outlay cost training …` in a new process, against `python -c "import numpy"`.

Both are timed in turn, so that a busy machine slows both; the best of each is compared, since noise only adds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import Result

ROUNDS = 12
QUESTION = ["cost", "training", "llama-3-8b", "--tokens", "1T", "--on", "h100-sxm:256"]
MOST = 4.0  # times the import of NumPy


def measure() -> list[Result]:
    """Best of twelve runs each, in milliseconds, and their ratio."""
    outlay = str(Path(sys.executable).with_name("outlay"))
    with tempfile.TemporaryDirectory() as home:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("OUTLAY_")}
        environment |= {"XDG_CACHE_HOME": home, "XDG_CONFIG_HOME": home}

        def seconds(command: list[str]) -> float:
            begun = time.perf_counter()
            subprocess.run(command, cwd=home, env=environment, stdout=subprocess.DEVNULL, check=True)
            return time.perf_counter() - begun

        commands = {
            "numpy": [sys.executable, "-c", "import numpy"],
            "help": [outlay, "--help"],
            "answer": [outlay, *QUESTION],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(ROUNDS):
            for name, command in commands.items():
                times[name].append(seconds(command))
    best = {name: min(taken[1:]) for name, taken in times.items()}  # the first round fills the file cache
    ratio = best["answer"] / best["numpy"]
    return [
        Result(name='python -c "import numpy"', value=best["numpy"] * 1e3, unit="ms"),
        Result(name="outlay --help", value=best["help"] * 1e3, unit="ms"),
        Result(name="outlay cost training", value=best["answer"] * 1e3, unit="ms"),
        Result(name="the answer ÷ the import", value=ratio, unit="×", goal=f"≤ {MOST:g}", met=ratio <= MOST),
    ]
