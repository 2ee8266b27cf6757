"""Options of money, power and place, which verbs that price something take alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from outlay.cli.complete import grids

Verb = TypeVar("Verb", bound=Callable[..., Any])

_PLACE = (
    click.option("--price", metavar="DOLLARS", help="Your price of an accelerator-hour."),
    click.option("--discount", metavar="PERCENT", help="Off the price: 30%."),
    click.option(
        "--hardware", metavar="DOLLARS", help="What an accelerator of yours cost, with its share of the server."
    ),
    click.option("--life", metavar="YEARS", help="With --hardware: years that it is used; 5 by default."),
    click.option(
        "--use",
        metavar="PERCENT",
        help="With --hardware: share of its life that it works; 70% by default, in serving all of it.",
    ),
    click.option(
        "--grid", metavar="NAME", shell_complete=grids, help="Electricity's origin: `outlay show grids` lists them."
    ),
    click.option("--pue", metavar="RATIO", help="Energy of the building over that of its computers."),
    click.option("--electricity", metavar="DOLLARS", help="Price of a kWh (owned machines)."),
)
_RUN = (
    click.option("--data", metavar="BYTES", help="Training data to bring in and to keep: 4TB."),
    click.option("--egress", metavar="BYTES", help="What is taken out in the end: 500GB."),
    click.option("--checkpoints", metavar="N", help="Checkpoints kept."),
    click.option("--lost-work", metavar="PERCENT", help="Share lost to restarts and repeated work: 5%."),
    click.option(
        "--exploration", metavar="PERCENT", help="Runs before this one, over its hours: 50% (as OLMo's took)."
    ),
    click.option("--people", metavar="DOLLARS", help="What the people cost who do it: 120k."),
)


_MONTH = (
    click.option("--egress", metavar="BYTES", help="What is taken out in a month: 500GB."),
    click.option("--people", metavar="HOURS:DOLLARS", help="Who runs it: 40h/month:$90, or 3k (dollars of a month)."),
)


def terms_options(verb: Verb) -> Verb:
    """Add the options of a training, in this order."""
    return _added(verb, (*_PLACE, *_RUN))


def serving_terms_options(verb: Verb) -> Verb:
    """Add the options of a month of serving, in this order."""
    return _added(verb, (*_PLACE, *_MONTH))


def _added(verb: Verb, options: tuple[Callable[[Verb], Verb], ...]) -> Verb:
    for option in reversed(options):
        verb = option(verb)
    return verb
