"""The order of the house is checked by a machine, and the machine notices when it is broken."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "outlay"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package and its contracts, to be spoiled."""
    shutil.copytree(
        PACKAGE, tmp_path / "src" / "outlay", ignore=shutil.ignore_patterns("__pycache__", "*.csv", "*.json")
    )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(copy: Path) -> subprocess.CompletedProcess[str]:
    """`lint-imports` over the copy, not over the package that is installed."""
    run = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", run, "--no-cache", "--no-logo"],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy / "src"), "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def plant(copy: Path, module: str, line: str) -> None:
    """Add `line` inside a function of `module`: an import that only runs late counts too."""
    path = copy / "src" / "outlay" / module
    path.write_text(path.read_text(encoding="utf-8") + f"\n\ndef _planted() -> None:\n    {line}\n", encoding="utf-8")


def test_the_package_keeps_its_contracts(copy: Path) -> None:
    done = lint(copy)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("training", "outlay.economics"),
        ("economics", "outlay.training"),
        ("scaling", "outlay.training"),
        ("scaling", "outlay.economics"),
        ("errors", "outlay.units"),
        ("workload", "outlay.machine"),
        ("catalog", "torch"),
    ],
)
def test_a_planted_import_is_caught(copy: Path, module: str, imported: str) -> None:
    plant(copy, f"{module}.py" if module == "errors" else f"{module}/__init__.py", f"import {imported}")
    done = lint(copy)
    assert done.returncode == 1, done.stdout + done.stderr
    culprit = "outlay" if imported == "torch" else f"outlay.{module}"
    assert f"{culprit} is not allowed to import {imported}" in done.stdout, done.stdout
    assert f"outlay.{module} -> {imported}" in done.stdout, done.stdout


def test_a_folder_that_nobody_placed_is_caught(copy: Path) -> None:
    (copy / "src" / "outlay" / "misc").mkdir()
    (copy / "src" / "outlay" / "misc" / "__init__.py").write_text("", encoding="utf-8")
    done = lint(copy)
    assert done.returncode == 1
    assert "misc" in done.stdout


def test_a_circle_inside_a_part_is_caught(copy: Path) -> None:
    part = copy / "src" / "outlay" / "search"
    (part / "chicken.py").write_text("import outlay.search.egg\n", encoding="utf-8")
    (part / "egg.py").write_text("import outlay.search.chicken\n", encoding="utf-8")
    done = lint(copy)
    assert done.returncode == 1
    assert "circles" in done.stdout.lower()


def test_the_page_and_the_contract_give_the_same_order() -> None:
    page = (ROOT / "docs" / "explanation" / "design.md").read_text(encoding="utf-8")
    section = page.split("## Order", 1)[1]
    written = section.split("```", 2)[1].split()
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (order,) = (contract for contract in contracts if contract["id"] == "order")
    assert order["exhaustive"] is True
    assert " ".join(order["layers"]).split() == written


HEAVY = ("pydantic", "rich", "scipy", "pandas", "pyarrow", "torch", "transformers", "jsonschema", "asyncio")


@pytest.mark.parametrize("module", ["outlay", "outlay.cli"])
def test_importing_is_light(module: str) -> None:
    """What `outlay --help` pays for; a cold answer must cost little more than importing NumPy."""
    code = f"import sys, {module}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & set(HEAVY)


def test_no_drawer_for_everything_and_no_long_file() -> None:
    for path in PACKAGE.rglob("*.py"):
        names = {part.removesuffix(".py") for part in path.relative_to(PACKAGE).parts}
        assert not names & {"utils", "util", "common", "helpers", "core", "misc"}, path
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path


def test_public_names_exist() -> None:
    import outlay

    for name in outlay.__all__:
        assert getattr(outlay, name) is not None
