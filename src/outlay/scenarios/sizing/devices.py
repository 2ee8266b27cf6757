"""What a FLOP of training and one of serving cost: an accelerator, its price, and the shares of its peak that are used."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from outlay import catalog, economics, units
from outlay.catalog import Accelerator, PriceChoice
from outlay.errors import DoesNotFit, InputError
from outlay.scaling import Best
from outlay.scenarios.named import MOST_DEVICES, read_chip, read_on
from outlay.scenarios.provenance import receipts_of
from outlay.scenarios.sizing.serving import ServedShare, served_share
from outlay.scenarios.terms import agree, agree_price, yours
from outlay.scenarios.training.fitting import fit
from outlay.scenarios.training.question import Question, ask
from outlay.scenarios.training.ranged import relative_range
from outlay.scenarios.training.run import Run
from outlay.statement import Assumption, Basis, Interval, Receipt
from outlay.training import load_coefficients
from outlay.workload import from_config, kv_bytes_per_token, parameters

USUAL_CHIP = "h100-sxm-80gb"
"""The accelerator that most providers of the catalog rent out."""
_FIRST_GUESS = 0.4
_PLANNED_SECONDS = 11 * 86_400.0
"""The median length of the published runs that state their devices (`validation/runs`)."""
_NODE = 8
_TRIES = (1, 2, 4, 8, 0.5, 0.25)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share of the dense peak, by 6 (serving: 2) FLOP a parameter and token."""

    value: Interval
    basis: Basis
    note: str
    receipts: tuple[Receipt, ...]
    assumption: Assumption | None = None
    guide: tuple[str, int] | None = None
    """The published model, and the number of devices, from whose run the share comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """Where a model is trained and served, and for what price. Shares from 0 to 1, dollars of a device-hour."""

    chip: Accelerator
    count: int | None
    """As asked for; None where nobody said."""
    price: Interval | None
    price_basis: Basis | None
    price_receipts: tuple[Receipt, ...]
    choice: PriceChoice | None
    training: Share
    serving: Share | None
    """None where nothing is served."""
    assumed: tuple[Assumption, ...]

    @property
    def peak(self) -> float:
        """Dense FLOP/s in the type in which models are trained on it."""
        return self.chip.peak(self.kind)

    @property
    def kind(self) -> str:
        return next(kind for kind in ("bf16", "fp16", "fp32") if kind in self.chip.peaks)

    @property
    def serving_price(self) -> float:
        """What a FLOP of serving costs over one of training."""
        return 1.0 if self.serving is None else self.training.value.likely / self.serving.value.likely

    def hours(self, flop: float, share: Share) -> Interval:
        """Device-hours of `flop` at a share of the peak."""
        likely, low, high = share.value.likely, share.value.low, share.value.high
        whole = flop / self.peak / 3600.0
        if low is None or high is None:
            return Interval.of(whole / likely)
        return Interval.between(whole / high, whole / likely, whole / low)

    def dollars(self, training_flop: float) -> float | None:
        """Of training, or of serving in FLOP of training."""
        if self.price is None:
            return None
        seconds = training_flop / (self.training.value.likely * self.peak)
        return float(economics.cost(seconds, self.price.likely))

    def flop(self, dollars: float) -> float | None:
        """Of training that `dollars` buy; None without a price, or where it is free."""
        if self.price is None or not self.price.likely:
            return None
        return dollars / float(economics.cost(1.0, self.price.likely)) * self.training.value.likely * self.peak

    def trained_as(self, found: Best, level: float) -> Devices:
        """With the share that our model of training gives for a published model of about that size."""
        return replace(self, training=_modelled(self, found, level))

    def served_as(self, found: Best, level: float) -> Devices:
        """With the share that our model of serving gives for it; that of published throughput where it gives none."""
        name, receipt, active = _nearest(found, shared=True)
        share = served_share(name, self.chip.name, self.kind, float(active), level)
        return self if share is None else replace(self, serving=_served(share, self, name, receipt))


def agree_devices(
    *,
    on: str | None,
    provider: str | None,
    tier: str | None,
    price: str | float | None,
    discount: str | float | None,
    utilisation: str | float | None,
    serving_utilisation: str | float | None,
    served: bool,
) -> Devices:
    """Read the terms; a share of training that nobody stated is a first guess, to be modelled.

    :raises InputError: for what cannot be read, or what nobody sells.
    """
    assumed: list[Assumption] = []
    count = None
    if on is None:
        chip = catalog.accelerator(USUAL_CHIP)
        why = "nobody said which (`--on`); more providers of the catalog rent it out than any other"
        assumed.append(Assumption("accelerator", value=chip.name, why=why))
    else:
        name, devices = read_on(on)
        count = devices if ":" in on else None
        chip = read_chip(name, devices)
    _, choice, dollars, basis, receipts = agree_price(chip, provider, tier, price, discount, assumed)
    stated = None if utilisation is None else _stated(utilisation, "--utilisation")
    return Devices(
        chip=chip,
        count=count,
        price=dollars,
        price_basis=basis,
        price_receipts=receipts,
        choice=choice,
        training=stated or _guess(),
        serving=_serving(serving_utilisation) if served else None,
        assumed=tuple(entry for entry in assumed if entry.name != "tier"),
    )


def _stated(text: str | float, flag: str) -> Share:
    share = units.parse(text, "%", name=flag)
    return Share(value=Interval.exact(share), basis="yours", note="as stated", receipts=(yours(share, "", flag),))


def _guess() -> Share:
    return Share(value=Interval.of(_FIRST_GUESS), basis="assumed", note="", receipts=())


def _serving(asked: str | float | None) -> Share:
    if asked is not None:
        return _stated(asked, "--serving-utilisation")
    factor = catalog.factor("serving-utilisation", "full-batch")
    value = f"{factor.likely:.1%} of the peak ({factor.low:.0%} to {factor.high:.0%})"
    why = "published throughput at full batch, input and output tokens alike; with few requests at once it is lower"
    return Share(
        value=Interval.between(factor.low, factor.likely, factor.high),
        basis=factor.receipt.basis,
        note="FLOP of served tokens ÷ seconds ÷ dense peak, at full batch",
        receipts=(factor.receipt,),
        assumption=Assumption("serving utilisation", value=value, why=why, receipt=factor.receipt),
    )


def _served(share: ServedShare, devices: Devices, name: str, receipt: Receipt) -> Share:
    on = f"{share.devices:,} × {devices.chip.name}"
    value, shown = share.value, f"{share.value.likely:.1%} of the {devices.kind} peak"
    shown += f" ({value.low:.0%} to {value.high:.0%})" if value.low is not None else ""
    why = (
        f"our model of serving {name} on {on}, the nearest published size, at full batch and {share.request}; "
        "with few requests at once it is lower"
    )
    return Share(
        value=value,
        basis="fitted",
        note=f"2 × active parameters × tokens a second of {name} on {on} at full batch ÷ dense peak",
        receipts=(receipt, *share.receipts),
        assumption=Assumption("serving utilisation", value=shown, why=why, receipt=receipt),
    )


def _modelled(devices: Devices, found: Best, level: float) -> Share:
    """6 FLOP a parameter and token over what the devices could have done in the hours of the whole run."""
    name, receipt, active = _nearest(found)
    for question in _questions(devices, name, active, found):
        try:
            run = _run(question, level)
        except (DoesNotFit, InputError):
            continue
        could = run.question.devices * devices.peak
        duration = run.duration
        useful = 6.0 * active * found.tokens / could
        likely = useful / duration.likely
        if duration.low is None or duration.high is None:
            share = Interval.of(likely)
        else:
            share = Interval.between(useful / duration.high, likely, useful / duration.low)
        on = f"{run.question.devices:,} × {devices.chip.name}"
        shown = f"{share.likely:.1%} of the {devices.kind} peak"
        shown += f" ({share.low:.0%} to {share.high:.0%})" if share.low is not None else ""
        why = f"our model of a whole run of {name} on {on}, the nearest published size; 6 FLOP a parameter and token"
        return Share(
            value=share,
            basis="fitted",
            note=f"6 × parameters × tokens ÷ hours of a whole run of {name} on {on} ÷ dense peak",
            receipts=(receipt, *run.fitted_on),
            assumption=Assumption("utilisation", value=shown, why=why, receipt=receipt),
            guide=(name, run.question.devices),
        )
    raise InputError(
        f"no layout trains a model like {name} on {devices.chip.name}, so its utilisation is not known",
        hint="state one: `--utilisation 40%`, or write another `--on`",
    )


def _nearest(found: Best, *, shared: bool = False) -> tuple[str, Receipt, int]:
    """The published model of the nearest active size, with experts only where the law has some.

    `shared` leaves out those whose heads each keep keys of their own, as models no longer do: their cache decides what they
    serve.
    """
    choices = []
    for entry in catalog.models():
        architecture = from_config(entry.config, name=entry.name, source=entry.name)
        if architecture.family != "decoder" or architecture.is_moe != bool(found.label):
            continue
        if shared and kv_bytes_per_token(architecture) > architecture.depth * 2 * architecture.hidden:
            continue  # in 16 bits, half of two vectors of the model's width a layer
        active = parameters(architecture).active
        choices.append((abs(math.log(active / found.active_parameters)), entry.name, entry.receipt, active))
    _, name, receipt, active = min(choices, key=lambda choice: choice[:2])
    return name, receipt, active


def _questions(devices: Devices, name: str, active: int, found: Best) -> Iterator[Question]:
    """On the count that was asked for, else on what finishes in a usual time, or a few times that."""
    counts = [devices.count]
    if devices.count is None:
        flop = 6.0 * active * found.tokens
        planned = flop / (_FIRST_GUESS * devices.peak * _PLANNED_SECONDS)
        whole = 2 ** math.ceil(math.log2(max(planned, 1.0)))
        counts = sorted(
            {min(max(int(whole * factor), 1), MOST_DEVICES) for factor in _TRIES}, key=lambda n: (n < whole, n)
        )
    for count in counts:
        try:
            yield _question(name, found.tokens, f"{devices.chip.name}:{count}")
        except InputError:
            continue


def _question(name: str, tokens: float, on: str) -> Question:
    return ask(
        name,
        tokens=max(1, round(tokens)),
        on=on,
        layout=None,
        sequence_length=None,
        global_batch=None,
        precision=None,
        optimizer=None,
        recompute=None,
        framework=None,
        gpus_per_node=None,
        interconnect=None,
    )


def _run(question: Question, level: float) -> Run:
    coefficients = load_coefficients()
    terms = agree(
        question,
        provider=None,
        tier=None,
        price=1.0,  # its hours are asked for, not its dollars
        discount=None,
        grid=None,
        pue=None,
        electricity=None,
        data=None,
        checkpoints=None,
        lost_work=None,
    )
    low, high = relative_range(question, level)
    return Run(
        question=question,
        fitted=fit(question, coefficients),
        terms=terms,
        fitted_on=receipts_of(coefficients),
        relative=Interval.between(low, 1.0, high),
        level=level,
    )
