"""The user's TOML files: they add and change, are marked as theirs, and all their mistakes are told at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from outlay import catalog
from outlay.catalog import overrides, rows, schema
from outlay.errors import InputError, UnknownName

GOOD = """
[[accelerator]]
name = "my-chip"
aliases = ["mc"]
memory_mib = 100_000
memory_bandwidth_gbs = 4000
bf16_tflops = 1000
tdp_w = 600
[[accelerator]]
name = "h100-sxm"
tdp_w = 500.0
source = "our rack"
date = "2026-11-01"
[[accelerator]]
name = "my-h100"
like = "h100-sxm"
memory_mib = 90_000
[[server]]
name = "my-box"
accelerator = "mc"
devices = 4
nic_gbps = 200
[[price]]
provider = "Our.Cluster"
accelerator = "h100-sxm"
dollars_per_device_hour = 1.25
date = "2026-11-01"
[[price]]
provider = "aws"
accelerator = "h100-sxm"
dollars_per_device_hour = 2
[[grid]]
name = "our roof"
g_per_kwh = 41
electricity_dollars_per_kwh = 0.02
[[model]]
name = "my-model"
config = { model_type = "llama", hidden_size = 64 }
[[model]]
name = "my-file"
config = "config.json"
"""


@pytest.fixture(autouse=True)
def shipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    yield
    overrides.restore()


def write(folder: Path, text: str, name: str = "mine.toml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_entries_add_and_change_and_are_marked(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}), encoding="utf-8")
    before, chips = catalog.accelerator("h100-sxm"), len(catalog.accelerators())
    with catalog.use([write(tmp_path, GOOD)]):
        changed = catalog.accelerator("h100-sxm")
        assert (changed.tdp, changed.memory) == (500.0, before.memory)
        receipt = changed.receipts["tdp"]
        assert (receipt.basis, receipt.source, receipt.date) == ("yours", "our rack", "2026-11-01")
        assert changed.receipts["memory"] == before.receipts["memory"]

        mine = catalog.accelerator("MC")
        assert mine.memory == 100_000 * 2**20
        assert mine.receipts["memory"].basis == mine.receipts["peaks.bf16"].basis == "yours"
        assert mine.receipts["link_bandwidth"].basis == "assumed"
        assert catalog.resolve_accelerator("my chip")[0] == mine
        alike = catalog.accelerator("my-h100")
        assert alike.peaks == before.peaks
        assert alike.memory == 90_000 * 2**20
        assert len(catalog.accelerators()) == chips + 2

        box = catalog.server_for("my-chip")
        assert (box.name, box.devices, box.nic_bandwidth) == ("my-box", 4, 25e9)
        assert box.receipts["nic_bandwidth"].basis == "yours"

        choice = catalog.price_for("h100-sxm")
        assert choice.likely in (1.25, 2.0)
        assert choice.receipt.basis == "yours"
        assert catalog.price_for("h100-sxm", provider="our-cluster").likely == 1.25
        assert catalog.price_for("h100-sxm", provider="aws").likely == 2.0
        assert [p.dollars_per_device_hour for p in catalog.prices("h100-sxm", "aws", "on-demand")] == [2.0]

        roof = catalog.grid("our roof")
        assert (roof.intensity, roof.electricity_price) == (0.041, 0.02)
        assert {receipt.basis for receipt in roof.receipts.values()} == {"yours"}
        assert catalog.model_config("my-model").config["hidden_size"] == 64
        assert catalog.model_config("my-file").config == {"model_type": "gpt2"}
        assert catalog.model_config("my-file").receipt.basis == "yours"
    assert catalog.accelerator("h100-sxm") == before
    with pytest.raises(UnknownName):
        catalog.accelerator("my-chip")
    with pytest.raises(UnknownName):
        catalog.model_config("my-file")


def test_the_folder_of_the_user_comes_first_and_files_after(tmp_path: Path) -> None:
    folder = tmp_path / "configuration" / "outlay" / "catalog"
    write(folder, '[[grid]]\nname = "roof"\ng_per_kwh = 10\n', "b.toml")
    write(folder, '[[grid]]\nname = "roof"\ng_per_kwh = 20\n', "a.toml")
    write(folder, "not read", "notes.txt")
    last = write(tmp_path, '[[grid]]\nname = "roof"\ng_per_kwh = 30\n')
    with catalog.use() as used:
        assert [path.name for path in used.files] == ["a.toml", "b.toml"]
        assert catalog.grid("roof").intensity == 0.01
    with catalog.use([last]):
        assert catalog.grid("roof").intensity == 0.03
    with catalog.use(folder=False), pytest.raises(UnknownName):
        catalog.grid("roof")


BAD = """
prices = 3
grid = [1]
[[price]]
provider = "x"
accelerator = "h100-sxm"
dolars_per_device_hour = 1
[[price]]
provider = "y"
accelerator = "h100-sxm"
dollars_per_device_hour = "cheap"
[[server]]
name = "s"
devices = 0
accelerator = "h100-sxm"
"""


def test_all_mistakes_of_all_files_come_at_once(tmp_path: Path) -> None:
    files = [write(tmp_path, BAD, "bad.toml"), tmp_path / "missing.toml", tmp_path, write(tmp_path, "a = [", "b.toml")]
    with pytest.raises(InputError, match="9 mistakes") as caught:
        catalog.use(files)
    told = "\n".join(caught.value.details)
    for part in (
        "`prices` is not a table; did you mean `price`?",
        "`grid` must be a list of entries, each under `[[grid]]`",
        "[[price]] 1 (`x`): `dolars_per_device_hour` is not a key; did you mean `dollars_per_device_hour`?",
        "[[price]] 1 (`x`): `dollars_per_device_hour` is missing",
        "[[price]] 2 (`y`): `dollars_per_device_hour` is 'cheap'",
        "[[server]] 1 (`s`): `devices` is 0",
        "missing.toml: no such file",
        ": is a directory",
        "b.toml: not TOML",
    ):
        assert part in told, part
    assert caught.value.exit_code == 2
    assert not catalog.prices(provider="aws", tier="owned")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[accelerator]]\nname = "new"\n', "`memory_mib`, `memory_bandwidth_gbs`, `tdp_w`, `bf16_tflops or another"),
        ('[[accelerator]]\nname = "new"\nlike = "h100"\n', "is 3 accelerators"),
        ('[[accelerator]]\nname = "h100-sxm"\ntdp_w = -1\n', "greater than 0"),
        ('[[accelerator]]\nname = "h100-sxm"\ntdp_w = nan\n', "finite"),
        ('[[accelerator]]\nname = "h100-sxm"\ntdp_w = inf\n', "finite"),
        ('[[accelerator]]\nname = "h100-sxm"\ntdp_w = true\n', "valid number"),
        ('[[accelerator]]\nname = ""\n', "`name`"),
        ('[[accelerator]]\nname = "h100-sxm"\nbasis = "measured"\n', "`basis` is not a key"),
        ('[[price]]\nprovider = "x"\naccelerator = "nope"\ndollars_per_device_hour = 1\n', "not an accelerator"),
        ('[[server]]\nname = "s"\naccelerator = "h100"\ndevices = 8\n', "is 3 accelerators"),
        ('[[grid]]\nname = "g"\ng_per_kwh = 41\ndate = "yesterday"\n', "`date`"),
        ('[[grid]]\nname = "g"\n', "`g_per_kwh` is missing"),
        ('[[model]]\nname = "m"\nconfig = "nowhere.json"\n', "no such file"),
        ('[[model]]\nname = "m"\nconfig = "mine.toml"\n', "not JSON"),
        ('[[model]]\nname = "m"\nconfig = "."\n', "is a directory"),
        ("\x00", "not TOML"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_taken(tmp_path: Path, text: str, said: str) -> None:
    before = catalog.accelerator("h100-sxm")
    with pytest.raises(InputError) as caught:
        catalog.use([write(tmp_path, text + '[[grid]]\nname = "roof"\ng_per_kwh = 1\n')])
    assert said in "\n".join(caught.value.details)
    assert catalog.accelerator("h100-sxm") == before
    with pytest.raises(UnknownName):
        catalog.grid("roof")


def test_bytes_that_are_no_text_and_huge_files(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="a mistake"):
        catalog.use([path])
    path.write_bytes(b"#" * (overrides.MAX_BYTES + 1))
    with pytest.raises(InputError) as caught:
        catalog.use([path])
    assert "larger than 4 MiB" in caught.value.details[0]


def test_the_example_of_the_docs_is_taken(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "catalog.md"
    example = page.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    (tmp_path / "our-model").mkdir()
    (tmp_path / "our-model" / "config.json").write_text("{}", encoding="utf-8")
    with catalog.use([write(tmp_path, example)]):
        assert catalog.server_for("our-chip").link_bandwidth == 200e9
        assert catalog.price_for("h100-sxm", tier="owned").likely == 1.25


@pytest.mark.parametrize(
    ("table", "kind"), [("accelerators", "accelerator"), ("servers", "server"), ("prices", "price"), ("grids", "grid")]
)
def test_the_shipped_rows_keep_the_same_schema(table: str, kind: str) -> None:
    entry = schema.TABLES[kind]
    lists, texts = {"aliases"}, {"name", "accelerator", "vendor", "note", "reference_year", "source", "date", "title"}
    whole = {"year", "cores", "domain", "devices"} if kind != "price" else set()
    for row in rows.read(table):
        values: dict[str, object] = {}
        for key in entry.model_fields.keys() & row.keys():
            text = row[key]
            if key in lists:
                values[key] = list(rows.names(text))
            elif key == "default":
                values[key] = bool(text)
            elif key == "accelerator" and kind == "server":
                values[key] = rows.names(text)[0]  # a shipped machine may be that of several chips
            elif text and key in whole:
                values[key] = int(text)
            elif text:
                try:
                    values[key] = text if key in texts else float(text)
                except ValueError:
                    values[key] = text
        entry.model_validate(values)
