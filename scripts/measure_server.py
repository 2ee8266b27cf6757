"""Measure a server of vLLM or SGLang as its clients see it, and write rows that `outlay validate` reads.

    python scripts/measure_server.py http://localhost:8000 --model NAME --tokenizer FOLDER \\
        --loops 1024:128:16 1024:128:64 --rates 1024:128:5 > runs.csv

runs beside the server, in its environment (aiohttp and transformers are there). Prompts are tokens drawn at random; answers
are as long as was asked (`ignore_eos`). A loop keeps requests open, a new one for each that is answered; a rate sends them
at random times. The rows in `validation/serving/outlay_h200.csv` were measured by such a client; their servers ran with
`--load-format dummy` and without prefix caches.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import random
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

COLUMNS = (
    "id", "model", "engine", "accelerator", "gpus", "input_len", "output_len", "batch_or_concurrency", "request_rate",
    "ttft_ms", "tpot_ms", "e2e_latency_ms", "output_tokens_per_s", "notes",
)  # fmt: skip
FEWEST = 64
"""Tokens of an answer from which on the time between them is told: of few, the first one's way through the engine is a part."""


@dataclass(frozen=True)
class Point:
    """One load: tokens in and out, and requests kept open or sent a second."""

    input: int
    output: int
    loop: int | None = None
    rate: float | None = None

    @property
    def count(self) -> int:
        """Requests that are sent."""
        return (
            max(6, (6 if (self.loop or 0) < 32 else 4) * self.loop)
            if self.loop
            else max(int(16 * (self.rate or 1.0)), 60)
        )


@dataclass(frozen=True)
class Seen:
    """What one request waited, in seconds, and its tokens as the server counts them."""

    first: float
    whole: float
    prompt: int
    answer: int


def points(loops: Iterable[str], rates: Iterable[str]) -> list[Point]:
    """
    >>> points(["1024:128:16"], ["1024:128:2.5"])
    [Point(input=1024, output=128, loop=16, rate=None), Point(input=1024, output=128, loop=None, rate=2.5)]
    """

    def sizes(text: str) -> tuple[int, int, float]:
        prompt, answer, load = text.split(":")
        return int(prompt), int(answer), float(load)

    found = [Point(prompt, answer, loop=int(load)) for prompt, answer, load in map(sizes, loops)]
    return found + [Point(prompt, answer, rate=load) for prompt, answer, load in map(sizes, rates)]


def prompts(tokenizer: Any, length: int, count: int, rng: random.Random) -> list[str]:
    """Texts of `length` tokens: drawn, written out, and mended where the text is tokenized otherwise."""
    found = []
    for _ in range(count):
        tokens = [rng.randrange(1000, len(tokenizer) - 1000) for _ in range(length)]
        for _ in range(4):
            text = tokenizer.decode(tokens)
            again = tokenizer(text)["input_ids"]
            if len(again) == length:
                break
            tokens = (again + [rng.randrange(1000, len(tokenizer) - 1000) for _ in range(length)])[:length]
        found.append(text)
    return found


async def ask(session: Any, url: str, model: str, prompt: str, answer: int) -> Seen:
    body = {
        "model": model, "prompt": prompt, "max_tokens": answer, "temperature": 0.0, "ignore_eos": True, "stream": True,
        "stream_options": {"include_usage": True},
    }  # fmt: skip
    sent, first, last, usage = time.perf_counter(), 0.0, 0.0, dict[str, int]()
    async with session.post(f"{url}/v1/completions", json=body) as response:
        response.raise_for_status()
        async for line in response.content:
            if not line.startswith(b"data: {"):
                continue
            said = json.loads(line[6:])
            if said.get("choices"):
                last = time.perf_counter()
                first = first or last
            usage = said.get("usage") or usage
    return Seen(first - sent, last - sent, usage["prompt_tokens"], usage["completion_tokens"])


async def measure(session: Any, url: str, model: str, tokenizer: Any, point: Point) -> tuple[list[Seen], float]:
    """What each request waited, and the seconds of the whole run."""
    rng = random.Random(1)
    texts, seen = prompts(tokenizer, point.input, point.count, rng), list[Seen]()
    begun = time.perf_counter()
    if point.loop is not None:
        queue = iter(texts)

        async def client() -> None:
            for text in queue:
                seen.append(await ask(session, url, model, text, point.output))

        await asyncio.gather(*(client() for _ in range(point.loop)))
    else:

        async def later(wait: float, text: str) -> None:
            await asyncio.sleep(wait)
            seen.append(await ask(session, url, model, text, point.output))

        at, tasks = 0.0, []
        for text in texts:
            tasks.append(later(at, text))
            at += rng.expovariate(point.rate or 1.0)
        await asyncio.gather(*tasks)
    return seen, time.perf_counter() - begun


def row(name: str, told: argparse.Namespace, point: Point, seen: Sequence[Seen], seconds: float) -> dict[str, object]:
    """Means, as `outlay validate` reads them."""
    between = [(one.whole - one.first) / (one.answer - 1) for one in seen if one.answer >= FEWEST]
    how = (
        f"closed-loop client, {point.count} requests at concurrency {point.loop}"
        if point.loop
        else f"{point.count} requests, Poisson arrivals"
    )
    return {
        "id": name, "model": told.model, "engine": told.engine, "accelerator": told.accelerator, "gpus": told.gpus,
        "input_len": round(statistics.mean(one.prompt for one in seen)),
        "output_len": round(statistics.mean(one.answer for one in seen)),
        "batch_or_concurrency": point.loop or "", "request_rate": point.rate or "",
        "ttft_ms": f"{1e3 * statistics.mean(one.first for one in seen):.4g}",
        "tpot_ms": f"{1e3 * statistics.mean(between):.4g}" if between else "",
        "e2e_latency_ms": f"{1e3 * statistics.mean(one.whole for one in seen):.4g}",
        "output_tokens_per_s": f"{sum(one.answer for one in seen) / seconds:.4g}" if point.loop else "",
        "notes": f"{how}; all lengths alike; tokens of prompts random",
    }  # fmt: skip


async def main(told: argparse.Namespace) -> None:
    import aiohttp
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(told.tokenizer)
    writer = csv.DictWriter(sys.stdout, COLUMNS)
    writer.writeheader()
    connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, read_bufsize=2**20) as session:
        await measure(session, told.url, told.model, tokenizer, Point(1000, 20, loop=8))  # kernels load on use
        for place, point in enumerate(points(told.loops, told.rates), 1):
            seen, seconds = await measure(session, told.url, told.model, tokenizer, point)
            writer.writerow(row(f"ours-{place:03}", told, point, seen, seconds))
            sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--model", required=True, help="the name under which the server serves it")
    parser.add_argument("--tokenizer", required=True, help="a folder or a name that transformers knows")
    parser.add_argument("--loops", nargs="*", default=["1024:128:1", "1024:128:16"], metavar="IN:OUT:OPEN")
    parser.add_argument("--rates", nargs="*", default=[], metavar="IN:OUT:RATE")
    parser.add_argument("--engine", default="vLLM", help="as `outlay validate` is to know it, with its version")
    parser.add_argument("--accelerator", default="", help="one of `outlay show accelerators`")
    parser.add_argument("--gpus", type=int, default=1)
    asyncio.run(main(parser.parse_args()))
