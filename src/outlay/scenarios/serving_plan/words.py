"""How a serving plan is said: its machines, its seller, its limits and which of them it exceeds."""

from __future__ import annotations

import numpy as np

from outlay.layout import Layout
from outlay.scenarios.serving.demand import sizes_of
from outlay.scenarios.serving.rates import rate_words
from outlay.scenarios.serving_plan.offered import Offered, Plan, in_order, limits_of
from outlay.scenarios.serving_plan.question import ServingWanted
from outlay.scenarios.training_plan.sections import excess
from outlay.search.limits import Judged
from outlay.units import format_money, format_quantity

FLAGS = {"ttft": "--ttft", "tpot": "--tpot", "dollars": "--under", "kg_co2e": "--carbon"}
_SCALES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))
_TIMES = 10.0
"""From this many times a limit on, its multiple says more than per cent over it."""
_SHORT = {"tensor": "tp", "pipeline": "pp", "data": "dp", "expert": "ep"}


def machines(plan: Plan) -> str:
    """`16 × h100-sxm-80gb`."""
    return f"{plan.devices:,} × {plan.chip}"


def seller(plan: Plan) -> str:
    """`nebius, spot`, or the tier alone."""
    return ", ".join(part for part in (plan.offer.provider, plan.offer.tier) if part)


def degrees(layout: Layout) -> str:
    """The degrees of one instance that are not 1.

    >>> degrees(Layout(tensor=8, pipeline=2)), degrees(Layout())
    ('tp=8,pp=2', 'tp=1')
    """
    said = [f"{short}={int(getattr(layout, name))}" for name, short in _SHORT.items() if getattr(layout, name) > 1]
    return ",".join(said) or "tp=1"


def instances(plan: Plan) -> str:
    """`2 × tp=8`, or `1 × tp=8 + 3 × dp=8,ep=8` where prompts are computed apart."""
    decode = f"{plan.replicas:,} × {degrees(plan.decode.layout)}"
    if plan.prefill is None:
        return decode
    return f"{plan.prefill_replicas:,} × {degrees(plan.prefill.layout)} + {decode}"


def setting(plan: Plan) -> str:
    """Format, and what is not the usual way to run it."""
    return plan.block.form.name + (", disaggregated" if plan.prefill is not None else "")


def shown(name: str, value: float) -> str:
    """A limit's figure as a user writes it."""
    if name == "dollars":
        return f"{format_money(value)} a month"
    return (
        format_quantity(value, "kg CO2e", digits=3) + " a month" if name == "kg_co2e" else format_quantity(value, "s")
    )


def typed(name: str, value: float) -> str:
    """A figure after its flag.

    >>> typed("ttft", 2.0), typed("ttft", 0.0123), typed("ttft", 1e-9), typed("dollars", 5000.0)
    ('2s', '12.3ms', '1ns', '5000')
    """
    if name == "dollars":
        return format_money(value).replace("$", "").replace(",", "")
    if name == "kg_co2e":
        return f"{value:.4g}kg"
    scale, unit = next((entry for entry in _SCALES if value >= entry[0]), _SCALES[-1])
    return f"{value / scale:.4g}{unit}"


def limits_in_words(wanted: ServingWanted) -> str:
    """`with 500 ms to the first token and 50 ms a token, under $9,000 a month`; empty without limits."""
    words = {"ttft": "{} to the first token", "tpot": "{} a token"}
    limits = limits_of(wanted)
    said = [form.format(shown(name, limits[name])) for name, form in words.items() if name in limits]
    parts = ["with " + " and ".join(said) + (" for 99 of 100" if wanted.tail else "")] if said else []
    parts += [f"under {shown(name, limits[name])}" for name in ("dollars", "kg_co2e") if name in limits]
    return " ".join(parts)


def load_in_words(wanted: ServingWanted) -> str:
    """`5 requests/s of 1,024 tokens in and 256 out`."""
    demand = wanted.demand
    busiest = ""
    if demand.rate is not None and wanted.rate > 1.001 * demand.rate:
        busiest = f" ({rate_words(wanted.rate)} in the busiest hour)"
    return f"{demand.words}{busiest}, {sizes_of(demand, ' and')}"


def why(judged: Judged, index: int, plan: Plan, wanted: ServingWanted) -> str:
    """Which limits a plan exceeds, with its figures."""
    said = []
    limits = limits_of(wanted)
    verbs = {
        "ttft": "takes {} to the first token",
        "tpot": "takes {} a token",
        "dollars": "costs {}",
        "kg_co2e": "emits {}",
    }
    for name, share in judged.broken(index).items():
        value = verbs[name].format(shown(name, getattr(plan, name)))
        asked = wanted.asked.get(FLAGS[name].removeprefix("--"))
        limit = asked if isinstance(asked, str) else typed(name, limits[name])
        said.append(f"{value}, {excess(share)} `{FLAGS[name]} {limit}`")
    return " and ".join(said)


def nearest_plan(offered: Offered, judged: Judged, wanted: ServingWanted) -> int | None:
    """The place of the plan whose worst excess is the least, of those that exceed something; of several, the best."""
    nearest = judged.nearest()
    alike = nearest[np.isfinite(offered.figures["e2e"][nearest])]
    return int(in_order(offered, wanted, alike)[0]) if alike.size else None
