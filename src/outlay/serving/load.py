"""What is asked of a deployment, and how it then fares: the load, and the latencies and rates that come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from outlay.errors import InputError
from outlay.workload import Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Requests of one kind: tokens in and out, and how they come. Exactly one of `concurrency` and `rate` is given.

    Every field is a number or an array that broadcasts with the degrees of a layout.

    Raises
    ------
    InputError
        A size that is not positive, both or neither of `concurrency` and `rate`; all at once.

    >>> load = Load(input=1024, output=256, concurrency=32, cached=0.5)
    >>> float(load.computed), float(load.context)
    (512.0, 1152.0)
    """

    input: Number
    """Mean tokens of a prompt."""
    output: Number
    """Mean tokens of an answer, the first included."""
    concurrency: Number | None = None
    """Requests that clients keep open: a new one is sent when one is answered (a closed loop)."""
    rate: Number | None = None
    """Requests a second that arrive whatever happens (an open loop)."""
    cached: Number = 0.0
    """Share of a prompt's tokens whose keys and values are in the cache already (prefix caching)."""
    variation: Number = 0.0
    """Standard deviation of the lengths over their mean. In a closed loop, answers of one length (0) begin and end in
    groups, for ever; answers of many lengths soon come one by one."""
    gap: Number = 0.0
    """Seconds between two requests of a closed loop that are sent at once: clients and the engine's front end handle one
    after another. It pulls apart what answers of one length bring into step."""
    rounds: Number | None = None
    """Requests that each client of a closed loop sends, one after another; the first are sent all at once, and means are
    over all of them. None: so many that the beginning does not count."""

    def __post_init__(self) -> None:
        problems = [
            f"`{name}` is {np.min(value):g}, {said}"
            for name, value, least, most, said in (
                ("input", self.input, 1.0, np.inf, "not 1 token or more"),
                ("output", self.output, 1.0, np.inf, "not 1 token or more"),
                ("cached", self.cached, 0.0, 1.0, "not a share of 0 to 1"),
                ("variation", self.variation, 0.0, np.inf, "not 0 or more"),
                ("gap", self.gap, 0.0, np.inf, "not 0 or more"),
                ("concurrency", self.concurrency, 1.0, np.inf, "not 1 or more"),
                ("rate", self.rate, 0.0, np.inf, "not 0 or more"),
                ("rounds", self.rounds, 1.0, np.inf, "not 1 or more"),
            )
            if value is not None and not _within(value, least, most)
        ]
        if (self.concurrency is None) == (self.rate is None):
            problems.append("`concurrency` and `rate`: one of the two is given")
        if problems:
            raise InputError(
                problems[0] if len(problems) == 1 else f"{len(problems)} problems with the load",
                details=() if len(problems) == 1 else problems,
                hint="write `Load(input=1024, output=256, concurrency=32)`, or `rate=5` for requests a second",
            )

    @property
    def computed(self) -> Number:
        """Prompt tokens that are computed: at least the last one."""
        return np.maximum(np.multiply(self.input, np.subtract(1.0, self.cached)), 1.0)

    @property
    def context(self) -> Number:
        """Mean tokens in the cache of a sequence that decodes: long answers are met more often than short ones."""
        return np.add(self.input, np.multiply(self.output, 1.0 + np.square(self.variation)) / 2.0)


def _within(value: Number, least: float, most: float) -> bool:
    """Whether every number is, which what is none is not: asked of every load that is looked at, so it must cost little."""
    if isinstance(value, int | float):
        return least <= value <= most
    return np.size(value) == 0 or bool(np.min(value) >= least and np.max(value) <= most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """How one instance fares under a load. Seconds, tokens a second of the whole instance, shares.

    A load that cannot be sustained (`utilisation` of 1 and more) has infinite `ttft`, `e2e` and `queue`; its rates are what
    is answered all the same. A model that does not fit answers nothing: rates of 0, all times infinite.
    """

    ttft: Number
    """Mean seconds from a request to its first token, queueing included."""
    tpot: Number
    """Mean seconds between further tokens of a request."""
    e2e: Number
    """Mean seconds from a request to its last token: ttft + (output − 1) · tpot."""
    requests_per_second: Number
    output_per_second: Number
    total_per_second: Number
    """Prompt tokens and answered tokens."""
    concurrency: Number
    """Requests that are in the instance on average, waiting ones included."""
    decoding: Number
    """Sequences that decode together on average, while there are any."""
    utilisation: Number
    """Open loop: the rate over the highest that can be sustained; 1 and more cannot. Closed loop: 1."""
    cache_share: Number
    """Mean share of the room for caches that is in use."""
    queue: Number
    """Of `ttft`: seconds of waiting before the prompt is begun."""
    device_watts: Number
    """Mean power of one device, idle moments included."""
    busy: Number = 1.0
    """Share of the time in which the instance works."""
    quantiles: Mapping[str, Number] = field(default_factory=dict)
    """`ttft_p50`, `ttft_p90`, `ttft_p99`, and the same of `tpot` and `e2e`, where they are known."""
