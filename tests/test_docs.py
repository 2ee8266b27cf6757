"""What the documents claim, asked of the program."""

from __future__ import annotations

import doctest
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from outlay.cli.main import cli

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])

# fmt: off
PLANNED = {
    "cost-training", "cost-finetune", "cost-serving", "plan-training", "plan-serving", "size", "compare", "diff",
    "explain", "shrink", "audit", "check", "release", "rollback", "watch", "govern", "show", "validate", "fit",
    "calibrate", "import", "cite", "evaluate", "report", "catalog", "web",
}
# fmt: on


def verbs(command: click.Command, names: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every verb of the command line that is not a group: `cost training`, `show` …"""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            member = command.get_command(context, name)
            assert member is not None, name
            yield from verbs(member, (*names, name))
    if names:
        yield " ".join(names), command


THERE = dict(verbs(cli))


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_between_files_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text):
        assert (page.parent / target).exists(), f"{name_of(page)} links to {target}"


def test_every_page_is_linked_from_the_first() -> None:
    linked = set(re.findall(r"\]\(([^)#]+\.md)\)", (DOCS / "index.md").read_text(encoding="utf-8")))
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} - {"index.md"}
    assert pages <= linked


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_examples_run(page: Path) -> None:
    failures, _ = doctest.testfile(
        str(page), module_relative=False, encoding="utf-8", optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert failures == 0


def test_what_is_missing_is_listed_and_what_is_listed_is_missing() -> None:
    page = (DOCS / "not-yet.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `outlay ([a-z ]+)` \|", page, flags=re.MULTILINE))
    assert {verb.replace(" ", "-") for verb in listed} == PLANNED - {verb.replace(" ", "-") for verb in THERE}


def test_no_verb_is_outside_the_plan() -> None:
    assert {verb.split()[0] for verb in THERE} <= {verb.split("-")[0] for verb in PLANNED}


@pytest.mark.parametrize("verb", THERE)
def test_every_verb_and_option_is_documented(verb: str) -> None:
    page = (DOCS / "reference" / "command-line.md").read_text(encoding="utf-8")
    _, found, after = page.partition(f"# outlay {verb}\n")
    assert found
    section = re.split(r"^#+ ", after, maxsplit=1, flags=re.MULTILINE)[0]
    for parameter in THERE[verb].params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.opts[-1] in section, f"outlay {verb} {parameter.opts[-1]}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_in_the_text_exist(page: Path) -> None:
    """`outlay VERB …` in running text names a verb that is there; only the list of what is missing names others."""
    if page.name in {"not-yet.md", "CHANGELOG.md"}:
        return
    for quoted in re.findall(r"`outlay ([a-z][a-z -]*)", page.read_text(encoding="utf-8")):
        words = quoted.split()
        assert words[0] in THERE, f"{name_of(page)}: outlay {quoted}"


def test_make_targets_in_the_text_exist() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    for page in PAGES:
        for target in re.findall(r"(?:`|\$ )make ([a-z-]+)", page.read_text(encoding="utf-8")):
            assert target in targets, f"{name_of(page)}: make {target}"


def test_generated_passages_are_filled() -> None:
    """cog compares them in `make check`; here only: no page went out with an empty one."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for code, shown in re.findall(r"<!-- \[\[\[cog(.*?)\]\]\] -->(.*?)<!-- \[\[\[end", text, re.DOTALL):
            prints = re.search(r"\.\w+\(", code.replace("screens.Desk()", ""))
            assert shown.strip() or not prints, name_of(page)


def test_every_column_of_a_record_is_documented() -> None:
    from outlay.accuracy.columns import COLUMNS
    from outlay.accuracy.runs_columns import COLUMNS as OF_RUNS

    page = (DOCS / "reference" / "records.md").read_text(encoding="utf-8")
    cells = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert set(re.findall(r"`([a-z_]+)`", " ".join(cells))) == set(COLUMNS) | set(OF_RUNS)
