"""A statement like those of a training run, with numbers that are easy to add by hand; and strategies for any other."""

from __future__ import annotations

from hypothesis import strategies as st

from outlay.statement import Assumption, Column, Figure, Interval, Line, Receipt, Statement, Table

LISTED = Receipt(2.69, unit="$/GPU-h", source="example.org/prices", date="2026-05-24", basis="quoted")
SHEET = Receipt(989e12, unit="FLOP/s", source="data sheet, p. 2", date="2023", basis="quoted", note="dense")
FITTED = Receipt(0.71, unit="", source="fit to kernel times", date="", basis="fitted")


def sample(hours: float = 33_830.0, *, goodput: str = "95 %", transfer_price: float | None = None) -> Statement:
    """Three parents, four leaves; the transfer has no quantity, so there is no total unless a price is given."""
    step = Figure(
        Interval.of(3.71),
        unit="s",
        label="step time",
        note="roofline",
        basis="fitted",
        receipts=(SHEET, FITTED),
        assumed=("layout",),
    )
    steps = Line(
        "Training steps",
        key="accelerators.training-steps",
        quantity=Interval.of(hours),
        unit="GPU-h",
        unit_price=Interval.exact(2.69),
        basis="quoted",
        receipts=(LISTED,),
        parts=(step, Figure(Interval.exact(1e12), unit="tokens", label="tokens", basis="yours")),
        assumed=("layout",),
    )
    lost = Line(
        "Restarts, lost work (5 %)",
        key="accelerators.lost-work",
        quantity=Interval.between(846, 1692, 3384),
        unit="GPU-h",
        unit_price=Interval.exact(2.69),
        basis="assumed",
        receipts=(LISTED,),
        assumed=("goodput", "layout"),
    )
    kept = Line(
        "Checkpoints, 20 kept",
        key="storage.checkpoints",
        quantity=Interval.of(1.12),
        unit="TB·month",
        unit_price=Interval.exact(23),
        basis="quoted",
    )
    transfer = Line(
        "Data transfer in",
        key="network.transfer-in",
        unit="TB",
        quantity=None if transfer_price is None else Interval.exact(30),
        unit_price=None if transfer_price is None else Interval.exact(transfer_price),
    )
    return Statement(
        "Training llama-3-8b on 1 T tokens with 256 × H100-SXM",
        lines=(
            Line("Accelerators", key="accelerators", children=(steps, lost)),
            Line("Storage", key="storage", children=(kept,)),
            Line("Network", key="network", children=(transfer,)),
        ),
        answer={
            "seconds": Figure(Interval.of(5.82 * 86_400), unit="s", parts=(step,), note="steps × step time"),
            "joules": Figure(Interval.of(55e6 * 3600), unit="J"),
            "kg_co2e": Figure(Interval.of(21_200), unit="kg CO2e"),
            "mfu": Figure(Interval.of(0.41), unit="%", label="MFU"),
        },
        sections=(
            Table(
                "Memory on the fullest device",
                columns=("Part", Column("Bytes", unit="B", total=True), Column("Share", unit="%")),
                rows=[("weights", 2.0**34, 0.25), ("optimizer", 3 * 2.0**34, 0.75)],
                key="memory",
                receipts=(SHEET,),
                assumed=("layout",),
            ),
        ),
        assumed=(
            Assumption("goodput", value=goodput, why="published runs lose 3 to 10 %", receipt=FITTED),
            Assumption("layout", value="dp=256", why="the fastest"),
        ),
        notes=("Prices: example, 2026-05-24.",),
        hints=("half as many cost $5,621 less: `outlay cost training llama-3-8b --tokens 1T --on h100-sxm:128`",),
        inputs={"model": "llama-3-8b", "on": "h100-sxm:256", "seq": 8192, "layout": {"tp": 1}, "hours": hours},
        version="0.1.0",
    )


numbers = st.floats(min_value=-1e9, max_value=1e9, allow_nan=False)
intervals = st.one_of(
    numbers.map(Interval.of),
    numbers.map(Interval.exact),
    st.lists(numbers, min_size=3, max_size=3).map(sorted).map(lambda three: Interval(*three)),
)
positive = st.lists(st.floats(0, 1e9), min_size=3, max_size=3).map(sorted).map(lambda three: Interval(*three))
nasty = st.text(
    st.one_of(
        st.sampled_from("ab =+-@|<>&`*_[]\\\"'$#~\u0301\u0308\u200d\ufe0f漢字コスト한글😀\t\n\r\x1b\x00\u202e\ud800,;"),
        st.characters(),
    ),
    max_size=40,
)
receipts = st.sampled_from((LISTED, SHEET, FITTED))


def _leaf(name: str, quantity: Interval | None, unit: str, price: Interval | None, proof: Receipt) -> Line:
    return Line(name, key="x", quantity=quantity, unit=unit, unit_price=price, basis=proof.basis, receipts=(proof,))


_trees = st.recursive(
    st.builds(_leaf, nasty, st.none() | intervals, nasty, st.none() | intervals, receipts),
    lambda children: st.builds(
        lambda name, below: Line(name, key="x", children=tuple(below)),
        nasty,
        st.lists(children, min_size=1, max_size=4),
    ),
    max_leaves=6,
)


def _keyed(line: Line, key: str) -> Line:
    from dataclasses import replace

    children = tuple(_keyed(child, f"{key}.{place}") for place, child in enumerate(line.children))
    return replace(line, key=key, children=children)


tables = st.integers(min_value=1, max_value=7).flatmap(
    lambda width: st.builds(
        Table,
        nasty,
        columns=st.lists(
            st.builds(Column, nasty, unit=st.sampled_from(["", "s", "B", "$", "TB·month"]), total=st.booleans()),
            min_size=width,
            max_size=width,
        ),
        rows=st.lists(
            st.lists(
                st.none() | st.booleans() | nasty | numbers | st.integers(-(10**12), 10**12),
                min_size=width,
                max_size=width,
            ),
            max_size=4,
        ),
        notes=st.lists(nasty, max_size=2),
    )
)
statements = st.builds(
    Statement,
    nasty,
    lines=st.lists(_trees, max_size=3).map(
        lambda lines: tuple(_keyed(line, f"l{place}") for place, line in enumerate(lines))
    ),
    answer=st.dictionaries(
        st.sampled_from(["seconds", "joules", "mfu"]),
        st.builds(Figure, intervals, unit=st.just("apples"), label=nasty)
        | st.builds(Figure, positive, unit=st.sampled_from(["s", "J", "%"]), label=nasty),
    ),
    sections=st.lists(tables, max_size=2),
    assumed=st.lists(st.builds(Assumption, nasty, value=nasty, why=nasty, receipt=st.none() | receipts), max_size=2),
    notes=st.lists(nasty, max_size=2),
    hints=st.lists(nasty, max_size=2),
    inputs=st.dictionaries(nasty, st.none() | st.booleans() | st.integers(-(10**9), 10**9) | nasty, max_size=3),
    coverage=st.none() | st.just(0.8),
)
