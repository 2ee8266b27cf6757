"""The arguments of serving engines, as their own parsers have them: `src/outlay/serving/launch/keys.csv`.

    python scripts/serving_keys.py vllm=DIR sglang=DIR dynamo=DIR k8s=DIR trtllm=serve.py llamacpp=README.md
    python scripts/serving_keys.py --write …      # takes it over; set version and date in keys.SOURCES then

Says what was added and removed since; exits with 1 if anything was. A DIR is where a wheel was unpacked (`pip download
--no-deps`, `unzip`): parsers are read, not run, so nothing else need be installed. `serve.py` is TensorRT-LLM's
`tensorrt_llm/commands/serve.py`, `README.md` llama.cpp's `tools/server/README.md`, which its own program writes.
"""

from __future__ import annotations

import ast
import csv
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

TABLE = Path(__file__).resolve().parent.parent / "src" / "outlay" / "serving" / "launch" / "keys.csv"
COLUMNS = ("tool", "key", "takes")
KINDS = (
    *("V1Deployment", "V1DeploymentSpec", "V1DeploymentStrategy", "V1RollingUpdateDeployment", "V1LabelSelector"),
    *("V1PodTemplateSpec", "V1PodSpec", "V1Container", "V1ContainerPort", "V1EnvVar", "V1EnvVarSource"),
    *("V1SecretKeySelector", "V1Probe", "V1HTTPGetAction", "V1ResourceRequirements", "V1Volume", "V1VolumeMount"),
    *("V1EmptyDirVolumeSource", "V1Service", "V1ServiceSpec", "V1ServicePort", "V1ObjectMeta"),
    *("V2HorizontalPodAutoscaler", "V2HorizontalPodAutoscalerSpec", "V2CrossVersionObjectReference", "V2MetricSpec"),
    *("V2PodsMetricSource", "V2MetricIdentifier", "V2MetricTarget", "V2HorizontalPodAutoscalerBehavior"),
    *("V2HPAScalingRules", "V2HPAScalingPolicy"),
)


def vllm(folder: Path) -> Iterator[tuple[str, str]]:
    """Options of the engine, and the fields of the server's own arguments."""
    yield from _options(folder / "vllm/engine/arg_utils.py")
    tree = ast.parse((folder / "vllm/entrypoints/common/cli_args.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name.endswith("FrontendArgs"):
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    yield f"--{field.target.id.replace('_', '-')}", ""


def sglang(folder: Path) -> Iterator[tuple[str, str]]:
    """Fields of the server's namespaces, with their other names."""
    for path in sorted((folder / "sglang/srt/arg_groups/fields").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                yield f"--{node.target.id.replace('_', '-')}", ""
                for part in ast.walk(node.annotation):
                    if isinstance(part, ast.Constant) and re.fullmatch(r"--[a-z0-9-]+", str(part.value)):
                        yield str(part.value), ""


def dynamo(folder: Path) -> Iterator[tuple[str, str]]:
    """Options that its workers add to those of their engine."""
    for path in sorted((folder / "dynamo").glob("**/*.py")):
        if "tests" not in path.parts and {"vllm", "sglang", "trtllm", "common", "frontend"} & set(path.parts):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    yield from _named(node, ("add_argument", "add_negatable_bool_argument"))


def trtllm(path: Path) -> Iterator[tuple[str, str]]:
    """Options of `trtllm-serve serve`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == "serve":
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call):
                    yield from _named(decorator, ("option",))


def llamacpp(path: Path) -> Iterator[tuple[str, str]]:
    """The first column of the tables of arguments."""
    for row in re.findall(r"^\| `(-[^`]*)` \|", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
        for name in re.findall(r"(?:^|, )(--?[A-Za-z][A-Za-z0-9-]*)", row):
            yield name, ""


def k8s(folder: Path) -> Iterator[tuple[str, str]]:
    """Fields of the kinds that are written, with their types, from the client that is made of the published API."""
    for kind in KINDS:
        module = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=HPA)(?=S)|(?<=HTTP)(?=G)", "_", kind).lower()
        path = folder / "kubernetes/client/models" / f"{module}.py"
        maps: dict[str, dict[str, str]] = {}
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = node.target.id if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) else ""
            if (
                named in ("openapi_types", "attribute_map")
                and isinstance(node, ast.AnnAssign)
                and node.value is not None
            ):
                maps[named] = ast.literal_eval(node.value)
        for field, name in maps["attribute_map"].items():
            yield f"{kind}.{name}", maps["openapi_types"][field]


def _options(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield from _named(node, ("add_argument",))


def _named(call: ast.Call, functions: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Names that a call gives to an option."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in functions:
        values = [*call.args, *(word.value for word in call.keywords if word.arg in ("flag_name", "obsolete_flag"))]
        for value in values:
            if isinstance(value, ast.Constant) and re.fullmatch(r"--[A-Za-z0-9_-]+", str(value.value)):
                yield str(value.value), ""


TOOLS: dict[str, Callable[[Path], Iterator[tuple[str, str]]]] = {
    "vllm": vllm,
    "sglang": sglang,
    "dynamo": dynamo,
    "trtllm": trtllm,
    "llamacpp": llamacpp,
    "k8s": k8s,
}


def main(words: list[str]) -> int:
    """Compare, say, and write if asked."""
    write, changed = "--write" in words, 0
    rows: dict[tuple[str, str], str] = {}
    if TABLE.exists():
        with TABLE.open(encoding="utf-8", newline="") as file:
            rows = {(row["tool"], row["key"]): row["takes"] for row in csv.DictReader(file)}
    for word in words:
        tool, equals, where = word.partition("=")
        if not equals:
            continue
        found = dict(TOOLS[tool](Path(where)))
        listed = {key for name, key in rows if name == tool}
        new, gone = sorted(found.keys() - listed), sorted(listed - found.keys())
        print(f"{tool}: {len(found):,} keys, {len(new)} new, {len(gone)} gone")
        print(*(f"  + {key}" for key in new), *(f"  - {key}" for key in gone), sep="\n")
        changed += len(new) + len(gone)
        for key in gone:
            del rows[tool, key]
        rows |= {(tool, key): takes for key, takes in found.items()}
    if write:
        with TABLE.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(COLUMNS)
            table.writerows((tool, key, rows[tool, key]) for tool, key in sorted(rows))
    return 1 if changed and not write else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
