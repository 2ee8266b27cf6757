"""Passages of docs/explanation/scaling-laws.md, printed from the program by cog."""

from __future__ import annotations

from pathlib import Path

from outlay import catalog
from outlay.scaling import Parametric, at, cheapest, fit, law, read_losses
from outlay.scaling.fit import CONSTANTS

POINTS = Path(__file__).resolve().parent.parent / "validation" / "losses" / "chinchilla.csv"
_ERRORS = {"E": 0.03, "A": 124.58, "B": 1293.23, "alpha": 0.02, "beta": 0.02}
"""Standard errors that arXiv:2404.10102 prints."""


def _out(text: str) -> None:
    import cog  # type: ignore[import-not-found]  # cog offers it while it runs

    cog.outl(text)


def laws() -> None:
    """All laws with their constants."""
    _out("\n| Law | Form | Constants | Source |\n| --- | --- | --- | --- |")
    for facts in catalog.laws():
        constants = ", ".join(f"{name} = {value:g}" for name, value in facts.constants.items())
        _out(f"| `{facts.name}` | {facts.form} | {constants} | <{facts.receipt.source}>, {facts.receipt.date} |")
    _out("")


def besiroglu() -> None:
    """Our fit to the extracted points beside theirs."""
    found, theirs = fit(read_losses(POINTS)), catalog.law("besiroglu").constants
    _out("\n| Constant | Ours | Our 80 % interval | Our error | Besiroglu et al. | Their error |")
    _out("| --- | --: | --: | --: | --: | --: |")
    for name in CONSTANTS:
        low, high = found.interval(name, 0.8)
        _out(
            f"| {name} | {getattr(found.curve, name):.4g} | {low:.4g} to {high:.4g} | {found.standard_error(name):.2g} | "
            f"{theirs[name]:g} | {_ERRORS[name]:g} |"
        )
    _out("")


def sardana() -> None:
    """Models that are as good as the compute-optimal one of 13 B, by demand."""
    curve = Parametric(E=1.69, A=406.4, B=410.7, alpha=0.336, beta=0.283)
    plain = at(curve, 13e9, 5.76e11)
    assert plain.loss is not None
    _out("\n| Served | Size | Tokens | Saves |\n| --: | --: | --: | --: |")
    for served in (1e10, 1e11, 1e12, 2e12, 1e13):
        found = cheapest(curve, plain.loss, tokens_served=served)
        assert found is not None
        saved = 1 - found.flop / at(curve, 13e9, 5.76e11, tokens_served=served).flop
        _out(f"| {served / 1e9:,.0f} B | {found.parameters / 1e9:.3g} B | {found.tokens / 1e12:.3g} T | {saved:.1%} |")
    _out("")


def experts() -> None:
    """The optimum of fine-grained experts beside the paper's table 2."""
    _out("\n| FLOP | Active, ours | Tokens, ours | Granularity | Active, paper | Tokens, paper | Granularity |")
    _out("| --: | --: | --: | --: | --: | --: | --: |")
    for flop, active, tokens, granularity in (
        (2.95e18, "100 M", "4.37 B", 8),
        (1.93e20, "1 B", "28.94 B", 16),
        (1.41e21, "3 B", "72.90 B", 16),
    ):
        found = law("krajewski").best(flop)
        assert found is not None
        ours = found.label.split(",")[0].removeprefix("granularity ")
        _out(
            f"| {flop:.3g} | {found.active_parameters / 1e9:.3g} B | {found.tokens / 1e9:.4g} B | {ours} | {active} | {tokens} | "
            f"{granularity} |"
        )
    _out("")
