"""What a model is tuned on: how many examples, how long, packed or filled up, and how many of them make a step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from outlay import units
from outlay.errors import InputError, UnknownName
from outlay.scenarios.tuning.passes import Objective
from outlay.statement import Assumption, Receipt
from outlay.training.lengths import SIGMA, DataSet, Lengths, data_sets
from outlay.training.practice import whole_batch
from outlay.workload import Architecture

BATCH = Receipt(
    128,
    unit="examples",
    source="Alpaca's own training: 4 an accelerator, 8 times, on 4 (tatsu-lab/stanford_alpaca, README)",
    date="2023-03",
    basis="assumed",
)
LONGEST = 2048
"""Tokens at which examples are cut, or to which they are packed, where nobody says."""
_ABOVE_MEAN = 2.0
"""The longest over the mean, at the least: cut at 2 means, examples keep nearly all of theirs."""
_MOST_TOKENS = 1e8
"""Of an example: more is a slip."""
_YES, _NO = ("on", "yes", "true", "1"), ("off", "no", "false", "0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Examples, epochs, and the sequences that they become."""

    examples: float
    epochs: float
    mean: float
    """Tokens of an example, in the mean, after it is cut."""
    longest: float
    """Tokens of a packed sequence, or of the longest example."""
    lengths: Lengths | None
    document: float | None
    batch: int
    """Sequences of a step."""
    wanted: float | None
    """Sequences of a step before they are rounded to what the devices can share; None where their number was asked for."""
    tokens: int
    """Tokens of the whole run, padding left out."""
    packed: bool


def read_data(
    examples: str | float | None,
    length: str | float | None,
    longest: str | int | None,
    dataset: str | None,
    packing: str | bool | None,
    epochs: str | float | None,
    goal: Objective,
    architecture: Architecture,
    *,
    seed: str | int | None,
    devices: int,
    assumed: list[Assumption],
) -> Data:
    """The data of a question; `seed` is its batch as asked."""
    known = None if dataset is None else _known(dataset)
    if examples is None and known is not None:
        examples = known.samples
    given = length is not None
    if length is None and known is not None:
        length = known.average
    if examples is None or length is None:
        missing = [flag for flag, value in (("--examples", examples), ("--length", length)) if value is None]
        raise InputError(
            f"{' and '.join(f'`{flag}`' for flag in missing)} {'is' if len(missing) == 1 else 'are'} missing",
            expected="how many examples there are, and how many tokens one has in the mean",
            hint="add `--examples 52k --length 128`, or `--dataset alpaca`",
        )
    count = float(units.parse(examples, "count", name="--examples", example="52k"))
    average = float(units.parse(length, "count", name="--length", example="300"))
    average += goal.answer_length or 0.0
    packed = _packed(packing, assumed)
    cut = _longest(longest, average, packed, known, goal, architecture, assumed)
    sigma = known.lengths(cut).sigma if known and not given else SIGMA
    lengths = Lengths(average=average, longest=cut, sigma=sigma)
    mean = lengths.mean
    if known is not None:
        receipt = Receipt(known.average, unit="tokens", source=known.source, date=known.date, basis="assumed")
        value = f"{known.name}: {count:,.0f} examples of {mean:.0f} tokens in the mean"
        assumed.append(Assumption("examples", value=value, why="`--dataset`", receipt=receipt))
    if not packed:
        value = f"log-normal, {sigma:.2f} wide, at most {cut:,.0f} tokens"
        assumed.append(Assumption("lengths", value=value, why="a micro-batch is filled up to its longest"))
    times = 1.0 if epochs is None else units.parse(epochs, "", name="--epochs", example="3")
    if epochs is None:
        assumed.append(Assumption("epochs", value="1", why="nobody said how often (`--epochs`)"))
    if times > 10**4:
        raise InputError(f"`--epochs` is {epochs}", expected="at most 10,000", hint="write `--epochs 3`")
    # Each example becomes some sequences: a pair of answers, a group of them.
    sequences = count * goal.sequences
    each = int(units.parse(seed, "count", name="--batch", example="128")) if seed is not None else None
    if each is None:
        least = devices / goal.sequences * (cut / mean if packed else 1.0)  # a sequence for each device
        each = int(min(max(float(BATCH.value or 0), math.ceil(least)), count))
        why = "all there are" if each == count else "usual for tuning" if each == BATCH.value else "one for each device"
        assumed.append(Assumption("batch", value=f"{each:,} examples a step", why=why, receipt=BATCH))
    if each > count:
        raise InputError(
            f"`--batch` is {seed}", expected=f"at most the {count:,.0f} examples", hint=f"write `--batch {count:.0f}`"
        )
    wanted = each * goal.sequences
    free = wanted * mean / cut if packed else float(wanted)
    batch = whole_batch(free, devices) if packed or seed is None else wanted
    if packed:
        value = f"{batch:,} sequences of {cut:,.0f} tokens"
        assumed.append(
            Assumption("sequences", value=value, why=f"{each:,} examples, packed, that {devices:,} can share")
        )
    return Data(
        examples=count,
        epochs=times,
        mean=mean,
        longest=cut,
        lengths=None if packed else lengths,
        document=mean if packed else None,
        batch=batch,
        wanted=free if packed or seed is None else None,
        tokens=max(1, round(sequences * times * mean)),
        packed=packed,
    )


def _known(name: str) -> DataSet:
    found = next((known for known in data_sets() if known.name == name.strip().lower()), None)
    if found is None:
        raise UnknownName(
            "data set", name, [known.name for known in data_sets()], listing="outlay cost finetune --help"
        )
    return found


def _packed(asked: str | bool | None, assumed: list[Assumption]) -> bool:
    if asked is None:
        assumed.append(Assumption("packing", value="off", why="the default of most tools (`--packing on`)"))
        return False
    if isinstance(asked, bool):
        return asked
    word = asked.strip().lower()
    if word not in (*_YES, *_NO):
        shown = asked if word else "empty"
        raise InputError(f"`--packing` is {shown}", expected="on or off", hint="write `--packing on`")
    return word in _YES


def _longest(
    asked: str | int | None,
    average: float,
    packed: bool,
    known: DataSet | None,
    goal: Objective,
    architecture: Architecture,
    assumed: list[Assumption],
) -> float:
    most = architecture.max_length
    if average > _MOST_TOKENS:
        which = "`--answer-length`" if (goal.answer_length or 0.0) > average / 2 else "`--length`"
        raise InputError(
            f"{which} makes an example of {average:,.0f} tokens",
            expected=f"at most {_MOST_TOKENS:,.0f}",
            hint="write `--answer-length 512`" if "answer" in which else "write `--length 300`",
        )
    if asked is not None:
        cut = float(units.parse(asked, "count", name="--longest", example="2048"))
        if cut < average and not packed:
            raise InputError(
                f"`--longest` is {asked}, less than the {average:.0f} tokens of an example in the mean",
                expected="the longest example, not cut below the mean",
                hint=f"write `--longest {round(4 * average)}`",
            )
    else:
        cut = max(float(LONGEST), average if packed else _ABOVE_MEAN * average)
        if known is not None and known.longest and not packed:
            cut = min(cut, known.longest + (goal.answer_length or 0.0))
        if most and average > most and not packed:
            raise _too_long(average, most, goal, architecture)
        if most:
            cut = min(cut, float(most))
        what = "tokens of a packed sequence" if packed else "tokens at most"
        assumed.append(Assumption("sequence length", value=f"{cut:,.0f} {what}", why="usual for tuning (`--longest`)"))
    if most and architecture.learned_positions and cut > most:
        raise InputError(
            f"`--longest {asked}` is longer than {architecture.name} can read",
            expected=f"at most {most}",
            hint=f"write `--longest {most}`",
        )
    return cut


def _too_long(average: float, most: int, goal: Objective, architecture: Architecture) -> InputError:
    """Examples that are longer in the mean than what the model reads."""
    answered = goal.answer_length is not None
    what = "A prompt and its answer are" if answered else "An example is"
    shorter = "a shorter `--answer-length`" if answered else f"`--length {most}`"
    return InputError(
        f"{what.lower()} {average:,.0f} tokens in the mean, and {architecture.name} reads {most:,}",
        expected="what it reads whole",
        hint=f"write {shorter}, or `--longest {round(average)}` if it was taught to read more",
    )
