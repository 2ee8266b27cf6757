"""What tuning a trained model costs: the question with its blanks filled, a layout that fits, the run, and its statement."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping

import outlay.render as _render  # statements that come from here show themselves in notebooks
from outlay.errors import DoesNotFit
from outlay.scenarios.asked import inputs_of
from outlay.scenarios.terms import agree, price_notes
from outlay.scenarios.today import today as day
from outlay.scenarios.training.fitting import Fitted, fit
from outlay.scenarios.training.hints import hints_of
from outlay.scenarios.training.statement import notes_of, run_of, statement_of
from outlay.scenarios.tuning.help import check_shares, what_helps
from outlay.scenarios.tuning.passes import OBJECTIVES
from outlay.scenarios.tuning.question import TuningQuestion, ask_tuning
from outlay.statement import Statement
from outlay.training import Coefficients, load_coefficients
from outlay.training.ranges import parse_level
from outlay.units import format_quantity
from outlay.workload import Architecture

assert _render.FORMATS
BYTES_A_TOKEN = 4.2
"""Bytes of English text a token, as in the catalog's data sets."""


def cost_finetune(
    model: str | Mapping[str, object] | Architecture,
    *,
    on: str,
    method: str | None = None,
    rank: str | int | None = None,
    targets: str | None = None,
    quantize: str | None = None,
    layers: str | int | None = None,
    examples: str | float | None = None,
    length: str | float | None = None,
    longest: str | int | None = None,
    dataset: str | None = None,
    packing: str | bool | None = None,
    epochs: str | float | None = None,
    global_batch: str | int | None = None,
    micro_batch: str | int | None = None,
    objective: str | None = None,
    teacher: str | None = None,
    reward: str | None = None,
    answers: str | int | None = None,
    answer_length: str | int | None = None,
    generation_rate: str | float | None = None,
    layout: str | None = None,
    precision: str | None = None,
    optimizer: str | None = None,
    recompute: str | None = None,
    framework: str | None = None,
    gpus_per_node: str | int | None = None,
    interconnect: str | None = None,
    provider: str | None = None,
    tier: str | None = None,
    price: str | float | None = None,
    discount: str | float | None = None,
    grid: str | None = None,
    pue: str | float | None = None,
    electricity: str | float | None = None,
    data: str | float | None = None,
    checkpoints: str | int | None = None,
    lost_work: str | float | None = None,
    hardware: str | float | None = None,
    life: str | float | None = None,
    use: str | float | None = None,
    egress: str | float | None = None,
    exploration: str | float | None = None,
    people: str | float | None = None,
    interval: str | float | None = None,
    notes: tuple[str, ...] = (),
    coefficients: Coefficients | None = None,
    today: datetime.date | None = None,
) -> Statement:
    """What it costs to tune `model` on `examples` of `length` tokens with the accelerators `on`.

    Everything else is found or assumed, and then said in `Statement.assumed`.

    >>> answer = cost_finetune("gpt2", dataset="alpaca", method="full", on="rtx-4090", price=0.40)
    >>> answer.title.startswith("Tuning gpt2"), [line.key for line in answer.lines]
    (True, ['accelerators', 'storage', 'network'])

    :raises InputError: for anything that cannot be read, or flags that contradict each other.
    :raises DoesNotFit: if no layout fits in memory, with what would help.
    """
    asked = {name: value for name, value in locals().items() if name not in ("notes", "coefficients", "today")}
    level = parse_level(interval)
    coefficients = coefficients or load_coefficients()
    tuning = ask_tuning(
        model,
        on=on,
        method=method,
        rank=rank,
        targets=targets,
        quantize=quantize,
        layers=layers,
        examples=examples,
        length=length,
        longest=longest,
        dataset=dataset,
        packing=packing,
        epochs=epochs,
        global_batch=global_batch,
        micro_batch=micro_batch,
        objective=objective,
        teacher=teacher,
        reward=reward,
        answers=answers,
        answer_length=answer_length,
        generation_rate=generation_rate,
        layout=layout,
        precision=precision,
        optimizer=optimizer,
        recompute=recompute,
        framework=framework,
        gpus_per_node=gpus_per_node,
        interconnect=interconnect,
    )
    check_shares(tuning)
    fitted = fitting(tuning, coefficients)
    question = fitted.question
    terms = agree(
        question,
        provider=provider,
        tier=tier,
        price=price,
        discount=discount,
        grid=grid,
        pue=pue,
        electricity=electricity,
        data=round(tuning.data.examples * tuning.data.mean * BYTES_A_TOKEN) or 1 if data is None else data,
        checkpoints=checkpoints,
        lost_work=lost_work,
        hardware=hardware,
        life=life,
        use=use,
        egress=egress,
        exploration=exploration,
        people=people,
    )
    run = run_of(question, fitted, terms, coefficients, level)
    return statement_of(
        run,
        title=_title(tuning),
        notes=(*price_notes(terms, today or day()), *_notes(tuning), *notes_of(run), *notes),
        hints=hints_of(run, coefficients, data_said=True),
        inputs=inputs_of(asked),
    )


def fitting(tuning: TuningQuestion, coefficients: Coefficients) -> Fitted:
    """The fastest layout that fits; or no, with what would help."""
    try:
        return fit(tuning.question, coefficients, explain=False)
    except DoesNotFit as error:
        helps = list(what_helps(tuning, coefficients))
        hint = "; or ".join(helps) if helps else "tune a smaller model, or on larger accelerators"
        raise DoesNotFit(error.message, hint=hint, need=error.need) from None


def _title(tuning: TuningQuestion) -> str:
    question, method = tuning.question, tuning.method
    name = {"lora": "LoRA", "qlora": "QLoRA", "ia3": "IA³"}.get(method.name, method.name)
    what = f"{name}, {method.words}" if method.name != "full" else "all weights"
    data = tuning.data
    examples = f"{data.examples:,.0f} example{'' if data.examples == 1 else 's'}" + (
        f", {data.epochs:g} times," if data.epochs != 1 else ""
    )
    place = f"{question.devices:,} × {question.accelerator.name}"
    return f"Tuning {question.architecture.name} ({what}) on {examples} with {place}"


def _notes(tuning: TuningQuestion) -> Iterator[str]:
    method, data, question = tuning.method, tuning.data, tuning.question
    count = method.trained if question.trained is None else question.trained
    share, trained = count / question.parameters, format_quantity(count, "parameters")
    if method.tuning is None:
        yield f"All {trained} are trained."
    else:
        yield f"{trained} of {format_quantity(question.parameters, 'parameters')} are trained, {share:.2%}."
    if tuning.objective.name != "sft":
        yield f"Objective: {OBJECTIVES[tuning.objective.name]}."
    if tuning.objective.rate:
        yield f"Answers are generated at {tuning.objective.rate:,.0f} tokens a second and device, as stated."
    if data.packed:
        yield f"A sequence holds {data.longest / data.mean:.1f} examples, which do not attend to one another."
