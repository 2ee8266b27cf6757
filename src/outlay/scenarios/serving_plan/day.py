"""The load of a day by hour: a curve from a file or the usual one, and the machines that follow it."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outlay.errors import InputError
from outlay.scenarios.serving.demand import BUSIEST
from outlay.statement import Assumption

HOURS = 24
_MINUTES = MOST_PARTS = HOURS * 60
_HINT = "write `--day diurnal`, or a CSV file with a column `requests`, a row for each hour"


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day in equal parts. `share` is the rate of each part over the mean of the day."""

    share: tuple[float, ...]
    start_up: float
    """Seconds from asking for an instance to its first answer."""
    assumed: tuple[Assumption, ...] = ()

    @property
    def peak(self) -> float:
        """The busiest part over the mean."""
        return max(self.share)

    @property
    def seconds(self) -> float:
        """Of one part."""
        return 86_400.0 / len(self.share)


def read_day(text: str, start_up: float, peak: float | None) -> Day:
    """`diurnal`, or a CSV file with the column `requests`; `peak` is the busiest hour over the mean of the usual day.

    :raises InputError: for a file that cannot be read, or has no such column, or rows that are no numbers.
    """
    if text.strip().lower() == "diurnal":
        ratio = float(BUSIEST.value or 1.0) if peak is None else peak
        said = Assumption(
            "day",
            value=f"a bell round noon, {ratio:g} × its mean in the busiest hour",
            why=f"{BUSIEST.source} (`--peak`); `--day FILE` takes a curve"
            if peak is None
            else "`--day FILE` takes a curve",
            receipt=BUSIEST if peak is None else None,
        )
        return Day(share=usual_day(ratio), start_up=start_up, assumed=(said,))
    if peak is not None:
        raise InputError(
            f"`--peak {peak:g}` and `--day {text}` both say how busy the busiest hour is",
            expected="one of them",
            hint="leave `--peak` out",
        )
    counts = np.asarray(_listed(Path(text.strip())))
    said = Assumption(
        "day",
        value=f"{counts.size:,} parts of {_MINUTES // counts.size:,} minutes",
        why=f"the rows of {Path(text.strip()).name} are equal parts of one day",
    )
    return Day(
        share=tuple(float(part) for part in counts / counts.mean()),
        start_up=start_up,
        assumed=() if counts.size == HOURS else (said,),
    )


def usual_day(peak: float) -> tuple[float, ...]:
    """24 hours in the shape ((1 + cos) / 2)^p round noon, with the p that gives the busiest hour `peak` times the mean.

    >>> day = usual_day(2.4)
    >>> round(max(day), 3), round(sum(day) / 24, 3), round(day[0], 3)
    (2.4, 1.0, 0.0)

    :raises InputError: for a peak that no day of 24 hours has.
    """
    if not 1 <= peak <= 23:
        raise InputError(
            f"`--peak` is {peak:g}", expected="the busiest hour over the mean, 1 to 23", hint="write `--peak 2.4`"
        )
    hours = np.cos(2.0 * np.pi * (np.arange(HOURS) - 12.0) / HOURS) / 2.0 + 0.5
    low, high = 0.0, 1e4
    for _ in range(80):
        middle = (low + high) / 2.0
        curve = hours**middle
        low, high = (middle, high) if curve.max() / curve.mean() < peak else (low, middle)
    curve = hours**low
    return tuple(float(part) for part in curve / curve.mean())


def held(needed: ArrayLike, day: Day) -> NDArray[np.float64]:
    """Instances that are paid in each part of a day, on average, where `needed` (…, parts) must answer.

    Those that a part needs are asked for `start_up` before it begins, so what is paid at a moment is the most that is
    needed from then to `start_up` later. The day repeats itself.

    >>> held([1, 1, 3, 1], Day(share=(1, 1, 1, 1), start_up=10_800.0)).tolist()  # parts of 6 h, ready after 3 h
    [1.0, 2.0, 3.0, 1.0]
    """
    counts = np.asarray(needed, dtype=float)
    parts = counts.shape[-1]
    whole, rest = divmod(day.start_up / day.seconds, 1.0)
    later = [np.roll(counts, -step, axis=-1) for step in range(min(int(whole), parts) + 1)]
    now = np.max(np.stack(later), axis=0)  # at the beginning of a part: it, and those that begin within `start_up`
    further = np.maximum(now, np.roll(counts, -min(int(whole) + 1, parts), axis=-1))
    paid: NDArray[np.float64] = (1.0 - rest) * now + rest * further
    return paid


def _listed(path: Path) -> list[float]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            if "requests" not in (reader.fieldnames or ()):
                raise InputError(f"`--day {path}` has no column `requests`", expected="one", hint=_HINT)
            found, wrong = list[float](), list[str]()
            for row in reader:
                number = (row["requests"] or "").strip()
                try:
                    value = float(number)
                except ValueError:
                    value = -1.0
                if not 0 <= value < 1e30:
                    wrong.append(f"row {reader.line_num}, `requests`: `{number[:40]}` is no number of requests")
                found.append(value)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise InputError(f"`--day {path}` cannot be read: {why}", expected="a CSV file", hint=_HINT) from None
    if wrong:
        raise InputError(f"`--day {path}` has rows that are no numbers", details=wrong[:20], hint=_HINT)
    if not 1 < len(found) <= MOST_PARTS or not sum(found):
        raise InputError(
            f"`--day {path}` has {len(found):,} rows" if sum(found) else f"`--day {path}` has no requests",
            expected=f"equal parts of one day, 2 to {MOST_PARTS:,}",
            hint=_HINT,
        )
    if _MINUTES % len(found):  # a row that was forgotten would shift all that come after it
        raise InputError(
            f"`--day {path}` has {len(found):,} rows, which are no whole minutes each",
            expected="a row for each hour (24), half hour (48), quarter (96) or minute (1,440)",
            hint="add the rows that are missing, with 0 where nobody asks",
        )
    return found
