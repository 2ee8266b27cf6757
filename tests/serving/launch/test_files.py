"""What outlay writes for engines and schedulers, against the arguments and fields that they publish (`keys.csv`)."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from tests.serving.launch.plans import plan, plans, small_plans

from outlay.errors import InputError
from outlay.serving.launch import WRITERS, ServingPlan, write
from outlay.serving.launch.keys import SOURCES, known

some = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
STARTS = {
    "vllm": "vllm serve",
    "sglang": "python3 -m sglang.launch_server",
    "trtllm": "trtllm-serve",
    "llamacpp": "llama-server",
}
ROOTS = {"Deployment": "V1Deployment", "Service": "V1Service", "HorizontalPodAutoscaler": "V2HorizontalPodAutoscaler"}


def text(tool: str, wanted: ServingPlan) -> str | None:
    """The file, or None where the tool cannot run the plan; then the error says why, and what to write."""
    try:
        return write(tool, wanted).text
    except InputError as error:
        refused = error
    assert refused.details
    assert refused.hint
    return None


def command(script: str, tool: str) -> list[str]:
    """The words of the command that a script runs."""
    body = "\n".join(line for line in script.splitlines() if not line.startswith("#")).replace("\\\n", " ")
    line = next(line for line in body.splitlines() if line.startswith(STARTS[tool]))
    return shlex.split(line)


def options(words: list[str]) -> list[str]:
    return [word for word in words if re.fullmatch(r"--[a-zA-Z][\w-]*", word)]


@some
@given(wanted=plans())
def test_every_argument_is_one_of_the_engine(wanted: ServingPlan) -> None:
    for tool in STARTS:
        if found := text(tool, wanted):
            words = command(found, tool)
            assert words[-1] == "$@"
            named = options(words)
            assert set(named) <= known(tool).keys(), (tool, named)
            assert len(named) == len(set(named))


@some
@given(wanted=plans())
def test_degrees_are_those_of_the_plan(wanted: ServingPlan) -> None:
    """What an engine is told makes as many devices as an instance has."""

    def of(words: list[str], name: str) -> int:
        return int(words[words.index(name) + 1]) if name in words else 1

    devices, layout = wanted.decode.devices, wanted.decode.deployment.layout
    if found := text("vllm", wanted):
        words = command(found, "vllm")
        degrees = [of(words, f"--{name}-parallel-size") for name in ("tensor", "pipeline", "data")]
        assert degrees[0] * degrees[1] * degrees[2] == devices
        assert of(words, "--max-num-seqs") * degrees[2] >= wanted.decode.running
    if found := text("sglang", wanted):
        words = command(found, "sglang")
        assert of(words, "--tp-size") * of(words, "--pp-size") == devices
        assert of(words, "--tp-size") % of(words, "--dp-size") == 0
        assert ("--enable-dp-attention" in words) == (layout.data > 1)
    if found := text("trtllm", wanted):
        words = command(found, "trtllm")
        assert of(words, "--tp_size") * of(words, "--pp_size") == devices
        document = yaml.safe_load(found.partition("<<'END'\n")[2].partition("END\n")[0])
        assert document.get("enable_attention_dp", False) == (layout.data > 1)
    if found := text("llamacpp", wanted):
        assert layout.tensor == 1


@some
@given(wanted=plans())
def test_a_graph_of_dynamo_has_its_pools(wanted: ServingPlan) -> None:
    found = text("dynamo", wanted)
    if found is None:
        return
    document = yaml.safe_load(found)
    parts = {part["name"]: part for part in document["spec"]["components"]}
    names = {"prefill", "decode"} if wanted.prefill else {"worker"}
    assert parts.keys() == names | {"Frontend"}
    keys = known("dynamo").keys() | known(wanted.engine).keys()
    for name in names:
        pool = wanted.prefill if name == "prefill" else wanted.decode
        assert pool is not None
        container = parts[name]["podTemplate"]["spec"]["containers"][0]
        assert set(options(container["args"])) <= keys
        assert container["resources"]["limits"]["nvidia.com/gpu"] == str(pool.devices)
        assert parts[name]["replicas"] == pool.replicas
        assert all(isinstance(word, str) for word in container["args"])
        if "--kv-transfer-config" in container["args"]:
            json.loads(container["args"][container["args"].index("--kv-transfer-config") + 1])


@some
@given(wanted=small_plans())
def test_objects_have_the_fields_of_the_api(wanted: ServingPlan) -> None:
    found = write("k8s", wanted).text
    documents = list(yaml.safe_load_all(found))
    kinds = [document["kind"] for document in documents]
    assert kinds[:2] == ["Deployment", "Service"]
    for document in documents:
        checked(document, ROOTS[document["kind"]])
    deployment, service = documents[:2]
    pod = deployment["spec"]["template"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    container = pod["spec"]["containers"][0]
    assert service["spec"]["ports"][0]["targetPort"] == container["ports"][0]["containerPort"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        volume["name"] for volume in pod["spec"]["volumes"]
    }
    if wanted.engine in ("vllm", "sglang", "llamacpp"):
        assert set(options(container["args"])) <= known(wanted.engine).keys()
    assert (kinds[2:] == ["HorizontalPodAutoscaler"]) == (
        wanted.least < wanted.decode.replicas and wanted.engine != "trtllm"
    )
    if kinds[2:]:
        assert documents[2]["spec"]["minReplicas"] == wanted.least < documents[2]["spec"]["maxReplicas"]
    for document in documents:
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", document["metadata"]["name"])


def checked(value: Any, kind: str) -> None:
    """Every field is one of the type, and has the type that it says."""
    fields = {key.partition(".")[2]: takes for key, takes in known("k8s").items() if key.startswith(f"{kind}.")}
    assert fields, kind
    assert isinstance(value, dict), kind
    assert value.keys() <= fields.keys(), (kind, value.keys() - fields.keys())
    for name, part in value.items():
        of_type(part, fields[name], f"{kind}.{name}")


def of_type(value: Any, takes: str, where: str) -> None:
    if takes.startswith("List["):
        assert isinstance(value, list), where
        for entry in value:
            of_type(entry, takes[5:-1], where)
    elif takes.startswith("Dict["):
        assert isinstance(value, dict), where
        assert all(isinstance(entry, str) for entry in value.values()), where
    elif re.match(r"V[12]", takes):
        checked(value, takes)
    elif takes == "object" or "IntOrString" in takes:
        assert isinstance(value, int | str), where
    else:
        assert isinstance(value, {"str": str, "int": int, "bool": bool}[takes]), (where, takes, value)


@pytest.mark.parametrize("tool", ["vllm", "sglang", "trtllm", "llamacpp"])
def test_bash_takes_the_script(tool: str, tmp_path: Path) -> None:
    form = "q4_k_m" if tool == "llamacpp" else "fp8"
    script = tmp_path / "run.sh"
    degrees = {"pipeline": 2} if tool == "llamacpp" else {"tensor": 4}
    script.write_text(write(tool, plan(engine=tool, form=form, **degrees)).text, "utf-8")
    done = subprocess.run(["bash", "-n", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_a_tool_cannot_do_is_said_at_once() -> None:
    with pytest.raises(InputError) as error:
        write("llamacpp", plan(engine="vllm", form="fp8", cache="fp8", apart=True, tensor=8))
    assert len(error.value.details) == 4
    with pytest.raises(InputError, match="Kubernetes cannot run"):
        write("k8s", plan(tensor=8, pipeline=2))
    with pytest.raises(InputError, match="TensorRT-LLM"):
        write("trtllm", plan("deepseek-v3", form="fp8-block", engine="trtllm", tensor=2, data=4, expert=8))
    with pytest.raises(InputError, match="tool to export to"):
        write("ollama", plan())


def test_tables_of_arguments_say_whose_they_are() -> None:
    assert SOURCES.keys() == WRITERS.keys()
    for tool in WRITERS:
        assert len(known(tool)) > 30, tool
