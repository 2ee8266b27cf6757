"""The lines of a training: what is rented, stored, moved and burnt; each quantity with the figures that made it."""

from __future__ import annotations

from collections.abc import Iterator

from outlay.scenarios.terms import hour_unit
from outlay.scenarios.training.grounds import CARBON, ENERGY, POWER_BILL, PRICE, STEP, STORAGE, TIME, TRANSFER, grounds
from outlay.scenarios.training.losses import Loss
from outlay.scenarios.training.run import Run
from outlay.statement import Figure, Interval, Line, Receipt


def lines_of(run: Run) -> tuple[Line, ...]:
    """Accelerators, power where it is the owner's, storage, network."""
    return (_accelerators(run), *_power(run), _storage(run), *_network(run), *_beside(run))


def figures_of(run: Run) -> dict[str, Figure]:
    """The figures beside the dollars."""
    question, terms = run.question, run.terms
    devices = Figure(Interval.exact(question.devices), unit="devices", label="Accelerators")
    device = Figure(
        Interval.of(float(run.estimate.device_watts)),
        unit="W",
        label="Power of a device",
        note="idle power and activity, within its limit",
        receipts=_receipts(run, "tdp"),
    )
    server = Figure(
        Interval.of(run.host_watts),
        unit="W",
        label="Its share of the server",
        note=run.question.server.name,
        receipts=tuple(receipt for name, receipt in question.server.receipts.items() if name == "host_watts"),
    )
    seconds = Figure(
        run.duration,
        unit="s",
        note="steps × seconds a step, and what is lost beside them",
        parts=(
            *_time(run),
            *(
                Figure(
                    loss.seconds, unit="s", label=loss.name, note=loss.note, basis=loss.basis, receipts=loss.receipts
                )
                for loss in run.losses
            ),
        ),
        assumed=grounds(run, *TIME),
    )
    energy = Figure(
        run.kilowatt_hours * 3.6e6,
        unit="J",
        note="time × devices × (power of a device + its share of the server) × PUE",
        parts=(
            Figure(seconds.value, unit="s", label="Time"),
            devices,
            device,
            server,
            Figure(terms.pue, unit="", label="PUE", receipts=(terms.pue_receipt,)),
        ),
        assumed=grounds(run, *ENERGY),
    )
    carbon = Figure(
        run.operational,
        unit="kg CO2e",
        note="energy × carbon of the grid; making the devices is counted in the table Carbon",
        parts=(
            Figure(energy.value, unit="J", label="Energy"),
            Figure(
                Interval.exact(terms.grid.intensity),
                unit="kg CO2e/kWh",
                label=f"Grid: {terms.grid.title}",
                note=terms.grid.intensity_basis,
                receipts=(terms.grid.receipts["intensity"],),
            ),
        ),
        assumed=grounds(run, *CARBON),
    )
    rate = Figure(
        _faster(run, float(run.estimate.tokens_per_second_per_device)),
        unit="tokens/s",
        label="each device processes",
        note="tokens a step ÷ seconds a step ÷ devices",
        parts=(_batch(run), _step(run), devices),
        assumed=grounds(run, *STEP),
    )
    peak = Figure(
        Interval.exact(run.peak),
        unit="FLOP/s",
        label=f"Dense {question.recipe.compute_type} peak",
        receipts=_receipts(run, f"peaks.{question.recipe.compute_type}"),
    )
    used = Figure(
        _faster(run, run.utilisation),
        unit="%",
        label="model FLOP utilisation of a step",
        note="model FLOP of a step (recomputation left out, causal attention half) ÷ seconds ÷ devices ÷ peak",
        parts=(
            Figure(Interval.of(float(run.estimate.model_flop)), unit="FLOP", label="Model FLOP of a step"),
            _step(run),
            devices,
            peak,
        ),
        assumed=grounds(run, *STEP),
    )
    return {
        "seconds": seconds,
        "joules": energy,
        "kg_co2e": carbon,
        "tokens_per_second_per_device": rate,
        "model_flop_utilisation": used,
    }


def _time(run: Run) -> tuple[Figure, ...]:
    """Steps, and the seconds of one with its parts."""
    steps = Figure(
        Interval.exact(run.steps),
        unit="steps",
        label="Steps",
        note="tokens ÷ tokens a step, rounded up",
        parts=(Figure(Interval.exact(run.question.tokens), unit="tokens", label="Tokens"), _batch(run)),
    )
    return steps, _step(run)


def _batch(run: Run) -> Figure:
    recipe = run.question.recipe
    return Figure(
        Interval.exact(float(recipe.tokens)),
        unit="tokens",
        label="Tokens a step",
        note=f"{int(recipe.global_batch):,} sequences of {recipe.sequence_length:,}",
    )


def _step(run: Run) -> Figure:
    """Seconds of one step: its parts, the model, the data sheet and the fit."""
    question = run.question
    size = Figure(
        Interval.exact(question.parameters),
        unit="parameters",
        label=question.architecture.name,
        receipts=(question.model_receipt,),
    )
    causes = tuple(
        Figure(Interval.of(float(seconds)), unit="s", label=name)
        for name, seconds in run.estimate.breakdown.items()
        if float(seconds) > 0
    )
    sheet = tuple(
        Figure(Interval.exact(float(receipt.value)), unit=receipt.unit, label=label, receipts=(receipt,))
        for label, receipt in data_sheet(run).items()
        if isinstance(receipt.value, int | float)
    )
    return Figure(
        run.relative * run.step_seconds,
        unit="s",
        label="Seconds a step",
        note="a roofline with fitted efficiencies, by the parts below",
        basis="fitted",
        parts=(*causes, size, *sheet),
        receipts=run.fitted_on,
    )


def _faster(run: Run, likely: float) -> Interval:
    """A figure that falls as a step takes longer, over the range of that."""
    low, high = run.relative.low, run.relative.high
    if low is None or high is None:
        return Interval.of(likely)
    return Interval.between(likely / high, likely, likely / low)


def data_sheet(run: Run) -> dict[str, Receipt]:
    """What a step stands on of the accelerator's data sheet, by what it is."""
    kind, own = run.question.recipe.compute_type, run.question.accelerator.receipts
    facts = {
        f"peaks.{kind}": f"{kind} peak of a device",
        "memory_bandwidth": "Memory bandwidth of a device",
        "memory": "Memory of a device",
        "link_bandwidth": "Links to its neighbours",
        "nic_bandwidth": "Its share of the network",
    }
    return {label: own[field] for field, label in facts.items() if field in own}


def _receipts(run: Run, *names: str) -> tuple[Receipt, ...]:
    own = run.question.accelerator.receipts
    return tuple(own[name] for name in names if name in own)


def _accelerators(run: Run) -> Line:
    terms, unit = run.terms, hour_unit(run.question.accelerator)
    devices = Figure(Interval.exact(run.question.devices), unit="devices", label="Accelerators")
    steps = Line(
        "Training steps",
        key="accelerators.training-steps",
        quantity=run.device_hours,
        unit=unit,
        unit_price=terms.price,
        basis=terms.price_basis,
        receipts=terms.price_receipts,
        parts=(devices, *_time(run)),
        note="accelerators × steps × seconds a step ÷ 3,600",
        assumed=grounds(run, *STEP, "steps", *PRICE),
    )
    return Line(
        "Accelerators", key="accelerators", children=(steps, *(_lost(run, loss) for loss in run.losses if loss.paid))
    )


def _lost(run: Run, loss: Loss) -> Line:
    """Device-hours of one cause beside the steps, at the price of those."""
    terms = run.terms
    return Line(
        loss.name,
        key=f"accelerators.{loss.key}",
        quantity=run.hours(loss.seconds),
        unit=hour_unit(run.question.accelerator),
        unit_price=terms.price,
        basis=None if terms.price is None else loss.basis,
        receipts=(*loss.receipts, *terms.price_receipts),
        note=loss.note,
        assumed=grounds(run, *TIME, *PRICE),
    )


def _power(run: Run) -> Iterator[Line]:
    terms = run.terms
    if not terms.owned or terms.electricity is None or terms.electricity_receipt is None:
        return
    electricity = Line(
        "Electricity",
        key="power.electricity",
        quantity=run.kilowatt_hours,
        unit="kWh",
        unit_price=Interval.exact(terms.electricity),
        basis=terms.electricity_receipt.basis,
        receipts=(terms.electricity_receipt, terms.pue_receipt),
        note="devices and their share of the servers, times PUE",
        assumed=grounds(run, *POWER_BILL),
    )
    yield Line("Power", key="power", children=(electricity,))


def _storage(run: Run) -> Line:
    terms = run.terms
    size = Figure(
        Interval.exact(run.checkpoint_bytes),
        unit="B stored",
        label="One checkpoint",
        note="weights, their fp32 copy and the optimizer's state",
    )
    kept = Line(
        f"Checkpoints, {terms.checkpoints} kept",
        key="storage.checkpoints",
        quantity=run.stored_terabyte_months,
        unit="TB·month",
        unit_price=Interval.exact(terms.storage),
        basis=terms.storage_receipt.basis,
        receipts=(terms.checkpoints_receipt, terms.storage_receipt),
        parts=(size,),
        note="written evenly over the run, so each is kept for half of it on average",
        assumed=grounds(run, *STORAGE),
    )
    return Line("Storage", key="storage", children=(kept, *_data(run)))


def _data(run: Run) -> Iterator[Line]:
    """The training data, kept as long as the run lasts, where they are rented space."""
    terms = run.terms
    if terms.owned or not terms.data:
        return
    yield Line(
        "Training data",
        key="storage.data",
        quantity=run.data_terabyte_months,
        unit="TB·month",
        unit_price=Interval.exact(terms.storage),
        basis=terms.storage_receipt.basis,
        receipts=(terms.storage_receipt,),
        note="kept from the start of the run to its end",
        assumed=grounds(run, *STORAGE),
    )


def _network(run: Run) -> Iterator[Line]:
    """Data that comes in over a provider's border; an owner has no such border."""
    terms = run.terms
    if terms.owned and terms.data is None:
        if terms.beside.egress is not None:
            yield Line("Network", key="network", children=tuple(_taken_out(run)))
        return
    known = terms.data is not None
    transfer = Line(
        "Data transfer in",
        key="network.data-transfer",
        quantity=Interval.exact((terms.data or 0.0) / 1e12) if known else None,
        unit="TB",
        unit_price=Interval.exact(terms.ingress) if known else None,
        basis=terms.ingress_receipt.basis if known else None,
        receipts=(terms.ingress_receipt,) if known else (),
        note="" if known else "nobody said how much data there is (`--data`)",
        assumed=grounds(run, *TRANSFER) if known else (),
    )
    yield Line("Network", key="network", children=(transfer, *_taken_out(run)))


def _taken_out(run: Run) -> Iterator[Line]:
    terms = run.terms
    if terms.beside.egress is None:
        return
    yield Line(
        "Data transfer out",
        key="network.egress",
        quantity=Interval.exact(terms.beside.egress / 1e12),
        unit="TB",
        unit_price=Interval.exact(terms.egress),
        basis=terms.egress_receipt.basis,
        receipts=(terms.egress_receipt,),
        note="over the provider's border, once",
        assumed=grounds(run, *TRANSFER),
    )


def _beside(run: Run) -> Iterator[Line]:
    """What comes before the run and around it, as far as somebody said it."""
    beside, terms = run.terms.beside, run.terms
    children = []
    if beside.exploration is not None:
        children.append(
            Line(
                "Failed and exploratory runs",
                key="beside.exploration",
                quantity=run.hours(run.busy) * beside.exploration,
                unit=hour_unit(run.question.accelerator),
                unit_price=terms.price,
                basis=None if terms.price is None else "yours",
                receipts=(
                    Receipt(beside.exploration, unit="", source="--exploration", date="", basis="yours"),
                    *terms.price_receipts,
                ),
                note="hours of the run × share; neither time nor energy of this run",
                assumed=grounds(run, *TIME, *PRICE),
            )
        )
    if beside.people is not None:
        children.append(beside.people.line)
    if children:
        yield Line("Beside the run", key="beside", children=tuple(children))
