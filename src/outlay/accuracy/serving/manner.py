"""How a row was measured: what its notes say of the client, of the batch and of the run, and no figure that it measured.

A row of a run that outlay does not model, or that contradicts itself, is refused with the reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from outlay.accuracy.records import Record
from outlay.accuracy.serving.drafting import Drafting, drafting_of
from outlay.accuracy.serving.pools import APART
from outlay.errors import InputError

Protocol = Literal["batch", "client", "running", "most", "rate", "burst"]
"""`batch`: begun and ended together; `client`: a fixed number of open requests, a new one for each answered; `running`: as
many decode as the row says; `most`: as many run as fit, and the next one is always there; `rate`: requests arrive at a
rate, whatever happens; `burst`: so many requests are sent at once, and no more."""

REFUSED: Final = (
    (r"roofline-exceeded", "the source's figure exceeds what the chip can do (ROOFLINE-EXCEEDED)"),
    (r"\bconflict\b", "the source lists one configuration with figures that contradict each other (CONFLICT)"),
    (r"\bablation\b", "an ablation: the engine ran with a part switched off"),
    (r"perplexity run", "a perplexity run: it times the scoring of a text, not an answer"),
)
"""Words in the notes → why such a row has no prediction."""

SUSPECT: Final = re.compile(r"\b(CHECK|OUTLIER)\b|ttft outlier")

_BATCH = r"static batch|includes prefill|b\*\(in\+out\)|same batch|offline latency|latency benchmark|benchmark_latency"
_MOST = r"max[- ]throughput|offline|all requests queued|saturat"
_CLIENT = (
    r"closed[- ]loop|max[- ]concurrency|concurrency \d|locust|benchmark_serving|concurrent (users|requests|clients)"
)

_SERVER = r"\bhttp\b|\bweb-?ui\b|\bopenllm\b|\bfastchat\b"

_INFERENCEMAX = r"inferencemax|inferencex|src id (20\d\d_|\S+_cfg\d+|\S*gap_analysis)"
_RANDOM = rf"random[-_ ]range|{_INFERENCEMAX}"

_SPREAD = rf"random isl/osl|\+-|{_RANDOM}"
"""Words that say that lengths were drawn about the nominal ones, by how much or not."""

_CHATS = r"task (lm-arena|gpqa|image-chat|video-chat|audio-chat|sourcegraph)"

_DATA = (
    # MLPerf inference rules: mean tokens of the answers are in the notes; of the prompts, as the datasets' cards count them.
    # A third each: OpenOrca's 294, GSM8K's some 660 with its five examples (a sample is printed in NVIDIA's entry of v4.1,
    # code/mixtral-8x7b), MBXP's some 190.
    (r"openorca\+gsm8k", 380, 145),
    (r"openorca", 294, 294),
    (r"cnn-?dailymail", 870, 69),
    # Kwon et al. 2023 (vLLM), figure 11: mean prompt and answer of the ShareGPT conversations.
    (r"sharegpt", 161, 338),
    # ML.ENERGY publishes the tasks and not the mean prompt; images and videos enter as tokens.
    (r"image-chat", 1100, 400),
    (r"video-chat", 4000, 400),
    (r"sourcegraph-fim", 1000, 200),
    (r"lm-arena", 300, 800),
    (r"gpqa", 350, 6000),
)
"""Words of a data set or task → tokens of a prompt and of an answer, where a row states none."""


_PACED: Final = ((r"mlperf \S+ .*\bserver (?:llama2-70b|mixtral-8x7b)", 0.2),)
"""Words of a benchmark whose rules limit the time between tokens, and its seconds: MLPerf Inference v4.1's Server scenario
(mlcommons/inference_policies, inference_rules.adoc: 200 ms for 99 of 100 answers of Llama 2 70B and Mixtral 8x7B)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a row's figures came about."""

    protocol: Protocol | None
    """None where the notes do not say: the engine and the columns decide."""
    answer_alone: bool
    """The row's rate of output tokens is that of decoding alone."""
    beams: int
    """Sequences that are kept for each answer (beam search)."""
    attention_data: int | None
    """Degree of data-parallel attention; 0 says that attention is divided so, over all devices of the instance."""
    local: int | None
    """Requests that are open on one instance, or on one of those that share its attention."""
    rounds: float
    """Requests that a client sends one after another."""
    sent: float | None
    """Requests of the whole run; None where the notes do not say."""
    expert_group: int | None
    """Devices over which the notes divide experts, `moe_tp` × `moe_ep`; None where they do not say."""
    twice: int
    """How often the row counts its devices: its degrees multiply tensor and expert parallelism of the same devices."""
    eager: bool
    inferencemax: bool
    """The run is one of InferenceMAX or InferenceX, whose scripts set the engine."""
    random_lengths: bool
    """The client drew lengths at random below the nominal ones (as InferenceMAX does: 80 to 100 % of them)."""
    alike: bool
    """All prompts and answers were of one length."""
    lengths: tuple[int, int] | None
    """Usual tokens of prompt and answer of the data set that the notes name."""
    truncated: bool
    """Answers were drawn from the likeliest tokens alone, as a chat's client leaves it to the model's own settings."""
    prompt: int | None
    """Tokens of the prompt that the notes state."""
    submission: bool
    """The run was entered in a benchmark."""
    pace: float | None
    """Seconds between tokens that 99 of 100 answers keep, by the benchmark's rules; None where there are none."""
    kernel: str
    """The 4-bit kernel that the notes name (`gemm`, `gemv`); empty where they name none."""
    cold: bool
    """The first call of a process was timed: AutoAWQ's benchmark warms up one product, and no layer (examples/benchmark.py)."""
    threads: int | None
    """Threads of a processor that worked, where the notes state them."""
    chunk: int | None
    """Tokens of a prompt that were computed at a time, where the notes state them (llama-bench's `-b`)."""
    unprompted: bool
    """Prompts and answers were timed one without the other: an answer begins without a prompt before it (llama-bench)."""
    slots: int | None
    """Tokens of a cache that was compiled for one length, where the notes state them: all of it is read for each token."""
    served: bool
    """Clients talked to a server over HTTP, whatever ran behind it."""
    library: bool
    """The engine ran inside the transformers library's own loop of generation."""
    apart: bool
    """Prompts and answers have devices of their own."""
    drafting: Drafting | None
    """How tokens were drafted and verified; None where each step gives one."""


def manner_of(record: Record) -> Manner:
    """What the notes say of how a row was measured.

    Raises `InputError` for a row that must be left out.

    >>> row = Record(id="a", source="s", line=2, words={"notes": "closed-loop client; beam 4"}, numbers={})
    >>> manner_of(row).protocol, manner_of(row).beams
    ('client', 4)
    """
    text = " ".join((record.word("notes"), record.word("engine"), record.word("engine_version"))).lower()
    for pattern, reason in REFUSED:
        if re.search(pattern, text):
            raise InputError(reason, hint="leave the row out")
    beams = re.search(r"beam(?: search| width)?[ =:]+(\d+)", text)
    short = re.search(r"with an? ~?(\d+)[- ]token prompt", text)
    kernel = re.search(r"\bkernel (gem[mv])\b", text)
    threads = re.search(r"\b(\d+) threads?\b", text)
    chunk = re.search(r"\bwith -b (\d+) \(logical prompt batch", text)
    slots = re.search(r"cache len(?:gth)?[ =:]+(\d+)", text)
    library = re.search(r"\bhf generator\b", text) is not None
    lengths = next(((prompt, answer) for pattern, prompt, answer in _DATA if re.search(pattern, text)), None)
    return Manner(
        protocol=_protocol(record, text),
        answer_alone="decode_tokens_per_s" in record.numbers,
        beams=int(beams.group(1)) if beams else 1,
        attention_data=_attention_data(text),
        local=_local(text),
        rounds=_rounds(record, text),
        sent=_sent(text),
        expert_group=_expert_group(text),
        twice=_twice(record, text),
        eager=re.search(r"enforce[-_ ]eager|eager mode|no cuda ?graphs?", text) is not None,
        inferencemax=re.search(_INFERENCEMAX, text) is not None,
        random_lengths=re.search(_RANDOM, text) is not None,
        alike=re.search(_SPREAD, text) is None,
        lengths=lengths,
        truncated=re.search(_CHATS, text) is not None,
        prompt=int(short.group(1)) if short else None,
        kernel=kernel.group(1) if kernel else "",
        cold="autoawq" in text and not library,
        threads=int(threads.group(1)) if threads and int(threads.group(1)) > 0 else None,
        chunk=max(int(chunk.group(1)), 1) if chunk else None,
        unprompted=re.search(r"pp ?\d+ and tg ?\d+ run separately|\bpp ?\d+ ?/ ?tg ?\d+", text) is not None,
        slots=int(slots.group(1)) if slots and int(slots.group(1)) > 0 else None,
        served=re.search(_SERVER, text) is not None,
        library=library,
        submission=_submitted(record, text),
        pace=next((limit for pattern, limit in _PACED if re.search(pattern, text)), None),
        apart=APART.search(text) is not None,
        drafting=drafting_of(f"{record.word('notes')} {record.word('engine')} {record.word('engine_version')}"),
    )


def suspect(record: Record) -> bool:
    """Whether the notes say that the source contradicts itself."""
    return SUSPECT.search(record.word("notes")) is not None


def _protocol(record: Record, text: str) -> Protocol | None:
    batch, rate = record.word("batch_or_concurrency").lower(), record.word("request_rate").lower()
    if re.search(r"running batch|average batch|steady[- ]state batch", text):
        return "running"
    if re.search(_BATCH, text):
        return "batch"
    if batch == "max":
        return "most"
    if not batch and rate in ("inf", "infinite", "infinity"):
        return "most" if re.search(_MOST, text) else "burst"
    if re.match(r"~?\d+(\.\d+)?", rate) and not batch:
        # MLPerf's Server scenario: entries state the highest rate at which they kept its limits, which is the answer.
        return "most" if _submitted(record, text) else "rate"
    if re.search(_CLIENT, text):
        return "client"
    if re.search(_MOST, text) and not batch:
        return "most"
    return None


def _submitted(record: Record, text: str) -> bool:
    """Whether the run was entered in a benchmark."""
    return "mlperf" in f"{text} {record.word('source')}".lower()


ROUNDS: Final = 10.0
"""Where nothing says it: benchmarks send ten requests for each that they keep open (InferenceMAX)."""


STEADY: Final = 1e6
"""Rounds of which the beginning does not count: a median over all of them does not see it."""

SENT: Final = 1000.0
"""Requests of a burst where nothing says it: those that vLLM's benchmark sends (`--num-prompts`)."""


def _sent(text: str) -> float | None:
    """Requests of a whole run, as the notes count them.

    >>> _sent("sharegpt, 1,000 prompts"), _sent("80 requests, concurrency 8"), _sent("random lengths")
    (1000.0, 80.0, None)
    """
    found = re.search(r"(\d{1,3}(?:,\d{3})+|\d+) (?:requests?|prompts?)\b(?! (?:a|per|at) |/)", text)
    return max(float(found.group(1).replace(",", "")), 1.0) if found else None


def _rounds(record: Record, text: str) -> float:
    """Of a client that sends everything at once one round, else the requests over those that are open.

    >>> row = Record(id="a", source="s", line=2, words={"request_rate": "inf", "batch_or_concurrency": "64"}, numbers={})
    >>> _rounds(row, ""), _rounds(row, "80 requests, concurrency 8")
    (1.0, 10.0)
    """
    if "median ttft" in text:
        return STEADY
    stated = re.search(r"(\d+) (?:requests|prompts),? (?:at )?(?:max[- ])?concurrency (\d+)", text)
    if stated and int(stated.group(2)) > 0:
        return max(int(stated.group(1)) / int(stated.group(2)), 1.0)
    at_once = record.word("request_rate").lower() in ("inf", "infinite", "infinity")
    return 1.0 if at_once and re.search(r"\d", record.word("batch_or_concurrency")) else ROUNDS


def _twice(record: Record, text: str) -> int:
    """How often devices are counted where `moe_tp`, `moe_ep` and `attention_dp` in the notes multiply one group's degrees.

    A group of n devices with tensor parallelism n and expert parallelism n is then written as n² devices.
    """
    stated = {name: re.search(rf"{name}\s*=\s*(\d+)", text) for name in ("moe_tp", "moe_ep", "attention_dp")}
    tensor, expert, data = (int(found.group(1)) if found else 0 for found in stated.values())
    if tensor == expert > 1:
        return expert
    own = int(record.numbers.get("tp", 0))
    return own if own == data > 1 and expert == own * data else 1


def _expert_group(text: str) -> int | None:
    """
    >>> _expert_group("attention_dp=? moe_tp=2 moe_ep=4"), _expert_group("moe_ep=4")
    (8, None)
    """
    found = re.search(r"moe_tp\s*=\s*(\d+)\s+moe_ep\s*=\s*(\d+)", text)
    return int(found.group(1)) * int(found.group(2)) if found and int(found.group(1)) * int(found.group(2)) else None


def _local(text: str) -> int | None:
    """
    >>> _local("agg; attention_dp=1 local_batch=14"), _local("closed-loop")
    (14, None)
    """
    found = re.search(r"local_batch=(\d+)", text)
    return int(found.group(1)) if found else None


def _attention_data(text: str) -> int | None:
    stated = re.search(r"(?:attention[_ ]dp|\badp|dp[_ ]attention)\s*[=:]\s*(\d+)", text)
    if stated:
        return int(stated.group(1))
    return (
        0
        if re.search(
            r"\bdep\b|enable_attention_dp|attention_dp/ep may be on|dp for attention|attention data[- ]parallel|attention dp\b",
            text,
        )
        else None
    )
