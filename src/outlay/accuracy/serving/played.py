"""Clients whose requests are all alike, played one by one: who began together ends together, and comes again together.

Answers of one length end in the order and at the distances in which their prompts were computed, so the requests that
clients sent at once follow each other through every round: the first token waits for the prompts of all of them. No steady
state in closed form knows that; the simulator does (:func:`~outlay.serving.simulate`).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from outlay.errors import DoesNotFit
from outlay.layout import Layout
from outlay.serving import Replay, Requests, simulate
from outlay.serving.deployment import DEGREES

if TYPE_CHECKING:
    from outlay.accuracy.serving.sessions import Fare, Session

MOST_STEPS = 200_000
"""Steps beyond which fewer rounds are played."""


def alike(session: Session) -> NDArray[np.bool_]:
    """The rows whose clients send requests of one kind to an engine that lets them in and out of a running batch."""
    engine = session.deployment.engine
    plain = session.alike & (session.beams == 1) & (session.slots <= 0)
    continuous = engine.batching == "continuous" and engine.kernels == "tables"
    return plain & continuous & (session.batch >= 1) & (session.input >= 1) & (session.output >= 1)


def played(session: Session, fare: Fare) -> Fare:
    """The fare with rows that are :func:`alike` as they were played."""
    found = {
        field.name: np.array(np.broadcast_to(getattr(fare, field.name), fare.shape))
        for field in dataclasses.fields(fare)
    }
    degrees = {name: np.broadcast_to(getattr(session.deployment.layout, name), fare.shape) for name in DEGREES}
    for row in np.flatnonzero(alike(session)):
        layout = Layout(**{name: float(values[row]) for name, values in degrees.items()})
        one = dataclasses.replace(session.deployment, layout=layout)
        clients, answer = round(float(session.batch[row])), max(round(float(session.output[row])), 1)
        rounds = min(max(round(float(session.rounds[row])), 1), max(MOST_STEPS // answer, 1))
        alike_all = np.ones(clients * rounds, dtype=int)
        sent = Requests(alike_all * 0.0, alike_all * max(round(float(session.input[row])), 1), alike_all * answer)
        try:
            replay = simulate(one, sent, session.coefficients, concurrency=clients, speculation=session.speculation)
        except DoesNotFit:
            continue
        for name, value in _figures(replay, fare, row, answer).items():
            found[name][row] = value
    return dataclasses.replace(fare, **found)


def _figures(replay: Replay, fare: Fare, row: int, answer: int) -> dict[str, float]:
    whole = float(replay.finish.max() - replay.arrival.min())
    count, tokens = len(replay.finish), float(replay.output.sum())
    between = float((replay.finish - replay.first).mean()) / max(answer - 1, 1)
    return {
        "ttft": float(replay.ttft.mean()),
        "tpot": between if answer > 1 else float("nan"),
        "e2e": float(replay.e2e.mean()),
        "output_per_second": tokens / whole,
        "total_per_second": (tokens + float(replay.input.sum())) / whole,
        "requests_per_second": count / whole,
        "joules_per_token": replay.joules / tokens,
    }
