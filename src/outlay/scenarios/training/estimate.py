"""One training step from Python: by name like the command line, for one layout or an array of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from outlay.layout import Layout
from outlay.scenarios.training.fitting import fit
from outlay.scenarios.training.question import ask
from outlay.scenarios.training.ranged import relative_range
from outlay.training import Coefficients, Estimate, estimate, load_coefficients
from outlay.training.ranges import parse_level
from outlay.workload import Architecture


def estimate_training(
    model: str | Mapping[str, object] | Architecture,
    *,
    on: str,
    layout: Layout | str | None = None,
    sequence_length: str | int | None = None,
    global_batch: str | int | None = None,
    precision: str | None = None,
    optimizer: str | None = None,
    recompute: str | None = None,
    framework: str | None = None,
    gpus_per_node: str | int | None = None,
    interconnect: str | None = None,
    interval: str | float | None = None,
    coefficients: Coefficients | None = None,
) -> Estimate:
    """Seconds, bytes and watts of one step; every number of the result has the shape of the layout's degrees.

    With a :class:`~outlay.layout.Layout` it is taken as it stands, whether a framework would accept it or not
    (:func:`outlay.layout.legal` tells); with a text such as `"tp=8,pp=4"` or None, what is left open is searched.
    `step_seconds_range` holds a share `interval` (80 percent) of such runs; it is None with coefficients of your own.

    >>> import numpy as np
    >>> from outlay import Layout
    >>> two = Layout(tensor=8, pipeline=np.array([8, 4]), virtual=4, context=2, data=np.array([128, 256]))
    >>> found = estimate_training("llama-3.1-405b", on="h100-sxm:16384", layout=two, global_batch=2048)
    >>> found.step_seconds.shape, found.fits.tolist()
    ((2,), [True, False])
    >>> low, high = found.step_seconds_range
    >>> bool((low < found.step_seconds).all() and (found.step_seconds < high).all())
    True

    :raises InputError: for anything that cannot be read.
    :raises DoesNotFit: if a layout is searched and none fits in memory.
    """
    level = parse_level(interval)
    shipped = coefficients is None
    coefficients = coefficients or load_coefficients()
    question = ask(
        model,
        tokens=1.0,  # an estimate of one step does not ask how many there are
        on=on,
        layout=None if isinstance(layout, Layout) else layout,
        sequence_length=sequence_length,
        global_batch=global_batch,
        precision=precision,
        optimizer=optimizer,
        recompute=recompute,
        framework=framework,
        gpus_per_node=gpus_per_node,
        interconnect=interconnect,
    )
    if isinstance(layout, Layout):
        found = estimate(question.recipe, layout, question.cluster, coefficients)
    else:
        found = fit(question, coefficients).chosen.estimate
    return replace(found, relative=relative_range(question, level)) if shipped else found
