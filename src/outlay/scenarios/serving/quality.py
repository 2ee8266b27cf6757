"""What a cheaper choice was published to cost in quality: a range over results, of this model or of the nearest ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from outlay import catalog
from outlay.catalog import Quality
from outlay.errors import InputError
from outlay.scenarios.serving.published import published_for
from outlay.statement import Interval, Receipt, Table
from outlay.units import format_quantity
from outlay.workload import Architecture, from_config, parameters

AS_PUBLISHED = ("bf16", "fp16", "fp32")
"""Formats in which nothing of a checkpoint in 16 bits is lost."""
NEAR = 2.0
"""Models of half to twice the size are near: what a format costs depends on the size more than on the house."""
_KINDS = {"score": "scores {}", "perplexity": "perplexity {}", "loss": "loss {}"}
_UNKNOWN = "not known for this model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """The published effect of one choice on one kind of benchmark, as a range over the results."""

    kind: str
    """score, perplexity or loss."""
    worse: Interval
    """Shares; the likely value is the median result. Below 0 is better."""
    results: tuple[Quality, ...]

    def words(self) -> str:
        """What happened, from the least to the most.

        >>> results = catalog.quality("llama-3-70b", format="q4_k_m")
        >>> effects_of(results)[0].words()
        'perplexity 4.8 % higher'
        """
        low, high = self.worse.low or 0.0, self.worse.high or 0.0
        down, up = ("higher", "lower") if self.kind == "score" else ("lower", "higher")
        edges = [f"{format_quantity(abs(edge), '%', digits=2)} {up if edge >= 0 else down}" for edge in (low, high)]
        if edges[0] == edges[1]:
            span = edges[0] if low or high else "unchanged"
        elif (low >= 0) == (high >= 0):
            span = f"{format_quantity(abs(low), '%', digits=2)} to {edges[1]}"
        else:
            span = f"{edges[0]} to {edges[1]}"
        return _KINDS[self.kind].format(span)


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityNote:
    """What is published of a format of weights (or of the cache) for a model."""

    model: str
    format: str
    scope: str
    """Whose results these are: `this model`, `llama models of 4 B to 16 B`, or "" where there are none."""
    effects: tuple[Effect, ...]

    @property
    def known(self) -> bool:
        """Results of this very model, or nothing was done to it."""
        return self.scope in ("this model", "as published")

    def sentence(self) -> str:
        """The note on one line.

        >>> quality_note("llama-3.1-70b", "fp8").sentence()
        'scores 0.38 % lower (1 result of this model)'
        >>> quality_note("llama-3.1-8b", "bf16").sentence()
        'as published'
        """
        if self.scope == "as published":
            return self.scope
        if not self.effects:
            return _UNKNOWN
        counted = sum(len(effect.results) for effect in self.effects)
        said = "; ".join(effect.words() for effect in self.effects)
        results = f"{counted} result{'' if counted == 1 else 's'}"
        if self.scope == "this model":
            return f"{said} ({results} of this model)"
        return f"{said} ({results} of {self.scope}; {_UNKNOWN})"

    @property
    def receipts(self) -> tuple[Receipt, ...]:
        """The sources, each once."""
        found = {entry.receipt.source: entry.receipt for effect in self.effects for entry in effect.results}
        return tuple(found.values())


def quality_note(
    model: str | Architecture, format: str, *, published: str = "bf16", technique: str = "quantization"
) -> QualityNote:
    """The published effect of serving `model` in `format`: of this model, else of near sizes of its house, else of any near
    size, else nothing; never a guess. `published` is the format of its checkpoint: in it, and in 16 bits, nothing is lost.

    >>> note = quality_note("llama-3-70b", "q4_k_m")
    >>> note.scope, note.effects[0].kind, round(note.effects[0].worse.likely, 3)
    ('this model', 'perplexity', 0.048)
    >>> quality_note("qwen3-8b", "fp8").sentence()  # of 8 B, fp8 is published for another house
    'scores 1.5 % lower (1 result of models of 4.1 B to 16 B parameters; not known for this model)'
    """
    name = _called(model if isinstance(model, str) else model.name)
    if technique == "quantization" and format in (*AS_PUBLISHED, published):
        return QualityNote(model=name, format=format, scope="as published", effects=())
    results = catalog.quality(format=format, technique=technique)
    found, scope, size = tuple(entry for entry in results if entry.model == name), "this model", _size(model)
    if not found and size:
        near = tuple(entry for entry in results if size / NEAR <= entry.parameters <= size * NEAR)
        house = _house(name)
        kin = tuple(entry for entry in near if house and entry.line == house)
        found = kin or near
        low, high = (
            format_quantity(size * factor, "parameters", digits=2).removesuffix(" parameters")
            for factor in (1 / NEAR, NEAR)
        )
        scope = f"{house + ' ' if kin else ''}models of {low} to {high} parameters"
    return QualityNote(model=name, format=format, scope=scope if found else "", effects=effects_of(found))


def quality_sections(architecture: Architecture, *formats: str) -> tuple[Table, ...]:
    """For a statement: the published effects of those formats that are not the checkpoint's own; no table where all are.

    >>> from outlay.workload import from_config
    >>> llama = from_config(catalog.model_config("llama-3.1-8b").config, name="llama-3.1-8b")
    >>> quality_sections(llama, "bf16"), [row[0] for row in quality_sections(llama, "bf16", "fp8")[0].rows]
    ((), ['fp8'])
    """
    published = published_of(architecture)
    cheaper = [
        name
        for name in dict.fromkeys(formats)
        if quality_note(architecture, name, published=published).scope != "as published"
    ]
    return (quality_section(architecture, cheaper, published=published),) if cheaper else ()


def published_of(architecture: Architecture) -> str:
    """The format of a model's checkpoint: what its config says, else 16 bits."""
    return published_for(architecture)[0]


def effects_of(results: Sequence[Quality]) -> tuple[Effect, ...]:
    """One range for each kind of benchmark, scores first."""
    made = []
    for kind in ("score", "perplexity", "loss"):
        of_kind = tuple(sorted((entry for entry in results if entry.kind == kind), key=lambda entry: entry.worse))
        if of_kind:
            middle = of_kind[len(of_kind) // 2].worse
            worse = Interval.between(of_kind[0].worse, middle, of_kind[-1].worse)
            made.append(Effect(kind=kind, worse=worse, results=of_kind))
    return tuple(made)


def quality_section(model: str | Architecture, formats: Sequence[str], *, published: str = "bf16") -> Table:
    """What each of some formats was published to cost, as a table of a statement."""
    notes = [quality_note(model, name, published=published) for name in formats]
    return Table(
        "What cheaper costs in quality",
        columns=("Format", "Published effect", "Results of"),
        rows=[
            (
                note.format,
                "as published" if note.scope == "as published" else "; ".join(e.words() for e in note.effects) or None,
                note.scope or _UNKNOWN,
            )
            for note in notes
        ],
        notes=(
            "Against the same model in 16 bits. Where the results are of other models, the effect on this one is not known.",
        ),
        receipts=tuple(dict.fromkeys(receipt for note in notes for receipt in note.receipts)),
        key="quality",
    )


def _called(name: str) -> str:
    """The catalog's name of a model, whatever it was called; its own where the catalog has none."""
    try:
        return catalog.model_config(name).name
    except InputError:
        return name.strip().lower()


def _size(model: str | Architecture) -> float | None:
    """Parameters; None of a name that the catalog does not have."""
    if isinstance(model, Architecture):
        return float(parameters(model).total)
    try:
        facts = catalog.model_config(model)
    except InputError:
        return next((entry.parameters for entry in catalog.quality(model)), None)
    return float(parameters(from_config(facts.config, name=facts.name, source=facts.name)).total)


def _house(name: str) -> str:
    """The house of models that a name begins with; "" where no result is of one.

    >>> _house("llama-3.2-3b"), _house("grok-1")
    ('llama', '')
    """
    lines = {entry.line for entry in catalog.quality()}
    return max((line for line in lines if name.startswith(line)), key=len, default="")
