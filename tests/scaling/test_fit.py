"""A law from losses: Besiroglu's constants, laws that are known, and files that cannot be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from outlay import catalog
from outlay.errors import InputError
from outlay.scaling import Fit, Losses, Parametric, exponent, fit, read_losses
from outlay.scaling.fit import CONSTANTS

POINTS = Path(__file__).resolve().parents[2] / "validation" / "losses" / "chinchilla.csv"
ERRORS = {"E": 0.03, "A": 124.58, "B": 1293.23, "alpha": 0.02, "beta": 0.02}
"""Standard errors that arXiv:2404.10102 prints."""


@pytest.fixture(scope="module")
def chinchilla() -> Fit:
    return fit(read_losses(POINTS))


def test_the_points_are_those_of_the_paper() -> None:
    runs = read_losses(POINTS)
    assert (len(runs), runs.left_out) == (240, 5)


@pytest.mark.parametrize("constant", CONSTANTS)
def test_besiroglus_constants_lie_in_our_intervals_and_ours_in_theirs(chinchilla: Fit, constant: str) -> None:
    theirs = catalog.law("besiroglu").constants[constant]
    low, high = chinchilla.interval(constant, 0.8)
    ours = getattr(chinchilla.curve, constant)
    assert low <= theirs <= high
    assert low <= ours <= high
    assert ours == pytest.approx(theirs, abs=0.25 * ERRORS[constant])
    assert chinchilla.standard_error(constant) == pytest.approx(ERRORS[constant], rel=0.5)


def test_it_lies_as_close_as_theirs(chinchilla: Fit) -> None:
    runs = chinchilla.runs
    theirs = Parametric(**catalog.law("besiroglu").constants)
    errors = np.abs(np.asarray(theirs.loss(runs.parameters, runs.tokens)) / runs.loss - 1)
    assert chinchilla.error == pytest.approx(float(np.median(errors)), rel=0.05)
    assert chinchilla.error < 0.004
    low, high = chinchilla.interval("exponent", 0.8)
    assert low < 0.5126 < high, "their exponent of the best size, standard error 0.018"
    assert exponent(chinchilla.curve) == pytest.approx(0.5126, abs=0.01)


def test_the_five_outliers_matter_and_both_fits_are_theirs() -> None:
    """With them the paper's constants are E 1.89, B 12,530 and beta 0.452."""
    text = POINTS.read_text(encoding="utf-8").replace("one of the five highest losses", "")
    rows = [line.split(",") for line in text.splitlines()[1:]]
    table = np.array([[float(cell) for cell in row[:3]] for row in rows])
    found = fit(Losses(parameters=table[:, 0], tokens=table[:, 1], loss=table[:, 2]), resamples=2).curve
    assert abs(found.E - 1.89) < 0.01
    assert found.alpha == pytest.approx(0.345, abs=0.01)
    assert found.beta == pytest.approx(0.452, abs=0.01)


def synthetic(curve: Parametric, *, noise: float = 0.0, rows: int = 60) -> Losses:
    draws = np.random.default_rng(1)
    parameters, tokens = 10 ** draws.uniform(7, 10.5, rows), 10 ** draws.uniform(8.5, 12, rows)
    loss = np.asarray(curve.loss(parameters, tokens)) * np.exp(noise * draws.standard_normal(rows))
    return Losses(parameters=parameters, tokens=tokens, loss=loss)


@pytest.mark.parametrize(
    "curve",
    [
        Parametric(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28),
        Parametric(E=0.5, A=50.0, B=3000.0, alpha=0.2, beta=0.5),
        Parametric(E=2.5, A=5000.0, B=100.0, alpha=0.5, beta=0.25),
        Parametric(E=0.6, A=16.0, B=30.0, alpha=0.12, beta=0.15),
    ],
    ids=["chinchilla", "data", "size", "slow"],
)
def test_a_known_law_is_recovered(curve: Parametric) -> None:
    found = fit(synthetic(curve), resamples=2).curve
    for constant in CONSTANTS:
        assert getattr(found, constant) == pytest.approx(getattr(curve, constant), rel=0.02), constant


def test_noise_widens_the_intervals_and_they_hold_the_truth() -> None:
    curve = Parametric(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)
    quiet = fit(synthetic(curve, noise=0.001), resamples=60)
    loud = fit(synthetic(curve, noise=0.01), resamples=60)
    for constant in ("E", "alpha", "beta"):
        low, high = quiet.interval(constant, 0.99)
        assert loud.standard_error(constant) > 2 * quiet.standard_error(constant)
        assert low * 0.97 < getattr(curve, constant) < high * 1.03


def test_one_wild_row_does_not_pull() -> None:
    """Huber's loss: a row that is twice too high moves the law by little."""
    curve = Parametric(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)
    runs = synthetic(curve, noise=0.002)
    loss = runs.loss.copy()
    loss[7] *= 2
    spoiled = fit(Losses(parameters=runs.parameters, tokens=runs.tokens, loss=loss), resamples=2).curve
    clean = fit(runs, resamples=2).curve
    assert spoiled.alpha == pytest.approx(clean.alpha, rel=0.1)
    assert spoiled.beta == pytest.approx(clean.beta, rel=0.1)


def test_another_unit_of_loss_only_scales() -> None:
    """Bits for nats: levels change, slopes do not."""
    runs = synthetic(Parametric(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28))
    bits = fit(Losses(parameters=runs.parameters, tokens=runs.tokens, loss=runs.loss / np.log(2)), resamples=2).curve
    assert bits.alpha == pytest.approx(0.34, rel=0.01)
    assert abs(bits.E * np.log(2) / 1.69 - 1) < 0.01


def test_the_same_runs_give_the_same_law() -> None:
    runs = synthetic(Parametric(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28), noise=0.01)
    assert fit(runs, resamples=3).samples == fit(runs, resamples=3).samples


# --- what cannot be fitted


@pytest.mark.parametrize("rows", [1, 4, 5])
def test_fewer_runs_than_constants(rows: int) -> None:
    with pytest.raises(InputError, match=f"{rows} runs? cannot fit a law of 5 constants"):
        fit(synthetic(Parametric(E=1, A=1, B=1, alpha=0.3, beta=0.3), rows=rows))


@pytest.mark.parametrize("name", ["parameters", "tokens"])
def test_runs_that_do_not_vary(name: str) -> None:
    runs = synthetic(Parametric(E=1, A=1, B=1, alpha=0.3, beta=0.3), rows=20)
    columns = {"parameters": runs.parameters, "tokens": runs.tokens, "loss": runs.loss}
    columns[name] = np.full(20, 1e9)
    with pytest.raises(InputError, match=f"1 different `{name}`"):
        fit(Losses(**columns))


def write(path: Path, text: str | bytes) -> Path:
    target = path / "losses.csv"
    target.write_bytes(text if isinstance(text, bytes) else text.encode())
    return target


def test_every_bad_cell_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "parameters,tokens,loss\n1e9,2e10,2.5\n-1,nan,x\n2e9,,3\n1e9,inf,0\n1_0,2e9,٣\n")
    with pytest.raises(InputError) as caught:
        read_losses(path)
    said = "\n".join(caught.value.details)
    for place in ("line 3, `parameters`: `-1`", "line 3, `tokens`: `nan`", "line 3, `loss`: `x`", "line 4, `tokens`: empty",
                  "line 5, `tokens`: `inf`", "line 5, `loss`: `0`", "line 6, `parameters`", "line 6, `loss`"):  # fmt: skip
        assert place in said, said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "lacks the column"),
        ("parameters,tokens,loss\n", "no runs"),
        ("size,toknes,los\n1,2,3\n", "`toknes` may be `tokens`"),
        (b"\xff\xfe\x00\x01", "not a text file"),
        ("parameters,tokens\n1,2\n", "`loss`"),
    ],
    ids=["empty", "header", "spelt", "binary", "short"],
)
def test_files_that_are_no_losses(tmp_path: Path, text: str | bytes, says: str) -> None:
    with pytest.raises(InputError) as caught:
        read_losses(write(tmp_path, text))
    assert says in caught.value.screen()


def test_spellings_letters_and_rows_left_out(tmp_path: Path) -> None:
    text = "N;D;Loss;left-out;notes\n70M;1.4B;3.4;;a\n\n1.4e9;20e9;2.6;;b\n1e9;1e9;9;diverged;c\n"
    runs = read_losses(write(tmp_path, text))
    assert runs.parameters.tolist() == [70e6, 1.4e9]
    assert runs.tokens.tolist() == [1.4e9, 20e9]
    assert (len(runs), runs.left_out) == (2, 1)


def test_folders_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder"):
        read_losses(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        read_losses(tmp_path / "none.csv")


def test_losses_that_rise_are_no_law() -> None:
    grid = np.array([[size, tokens] for size in (1e7, 1e8, 1e9) for tokens in (1e9, 1e10, 1e11)])
    rising = Losses(
        parameters=grid[:, 0], tokens=grid[:, 1], loss=1.0 + np.log10(grid[:, 1]) / 10 + 1e2 / grid[:, 0] ** 0.3
    )
    with pytest.raises(InputError, match="do not fall with `tokens`"):
        fit(rising, resamples=2)
