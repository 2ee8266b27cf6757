"""Prices of hosted APIs: read as their sellers name them, by day, hour, length of the prompt and batch."""

from __future__ import annotations

import datetime
import subprocess
import sys
from decimal import Decimal

import pytest
from genai_prices.data import providers

from outlay.catalog import hosted
from outlay.catalog.api_names import weights_of
from outlay.errors import AmbiguousName, UnknownName

DAY = datetime.date(2026, 11, 26)


def test_prices_are_those_of_the_package():
    entry = next(
        model
        for provider in providers
        if provider.id == "openai"
        for model in provider.models
        if model.id == "gpt-5-mini"
    )
    price = hosted.api_price("openai/gpt-5-mini", tokens=1000, day=DAY)
    assert Decimal(str(price.input)) == entry.prices.input_mtok
    assert Decimal(str(price.output)) == entry.prices.output_mtok
    assert Decimal(str(price.cached)) == entry.prices.cache_read_mtok
    assert price.batch_output == pytest.approx(price.output / 2)
    assert "genai-prices" in price.receipt.source and price.receipt.date and price.receipt.basis == "quoted"


def test_batches_cost_less_only_from_their_day_on():
    before = hosted.api_price("openai/gpt-5-mini", tokens=1000, day=datetime.date(2026, 10, 13))
    assert before.batch_output == before.output


def test_long_prompts_cost_what_their_tier_does():
    tiered = [
        price
        for seller in ("google", "anthropic", "x-ai")
        for price in hosted.listed(seller, tokens=1000, day=DAY)
        if price.tier_from
    ]
    assert tiered
    for price in tiered:
        past = hosted.api_price(price.name, tokens=price.tier_from + 1, day=DAY)
        assert past.input > price.input
        assert hosted.api_price(price.name, tokens=price.tier_from, day=DAY).input == price.input


def test_hours_that_differ_make_a_mean_between_them():
    swinging = [
        price
        for seller in hosted.sellers()
        for price in hosted.listed(seller, tokens=1000, day=DAY)
        if price.swing != (1.0, 1.0)
    ]
    for price in swinging:
        low, high = price.swing
        assert low < 1 < high


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo", "llama-3.1-8b"),
        ("meta.llama3-3-70b-instruct-v1:0", "llama-3.3-70b"),
        ("@cf/meta/llama-3.3-70b-instruct-fp8-fast", "llama-3.3-70b"),
        ("databricks-meta-llama-3-1-8b-instruct", "llama-3.1-8b"),
        ("Meta-Llama-3_3-70B-Instruct", "llama-3.3-70b"),
        ("mixtral-8x7b-32768", "mixtral-8x7b"),
        ("openai.gpt-oss-20b-1:0", "gpt-oss-20b"),
        ("deepseek/deepseek-r1-turbo", "deepseek-r1"),
        ("nvidia/llama-3.1-nemotron-70b-instruct", None),
        ("deepseek/deepseek-r1-distill-llama-70b", None),
        ("deepseek-v3-0324", None),
        ("cognitivecomputations/dolphin-mixtral-8x22b", None),
        ("llama-guard-3-8b", None),
        ("gpt-5-mini", None),
    ],
)
def test_names_of_the_same_weights(name, model):
    assert weights_of(name) == model


def test_any_host_is_no_router_and_gives_nothing_away():
    found = hosted.same_weights("llama-3.3-70b", tokens=1000, day=DAY)
    assert len({price.seller for price in found}) >= 5
    assert not any(hosted.is_router(price.seller) for price in found)
    assert all(price.output > 0 for price in found)


def test_a_model_alone_is_its_maker_s():
    assert hosted.api_price("gpt-5-mini", tokens=1000, day=DAY).seller == "openai"


def test_unknown_names_come_with_the_nearest():
    with pytest.raises(UnknownName) as error:
        hosted.api_price("grok", tokens=1000, day=DAY)
    assert "`groq`" in error.value.hint
    with pytest.raises(UnknownName) as error:
        hosted.api_price("openai/gpt-5-mni", tokens=1000, day=DAY)
    assert "`gpt-5-mini`" in error.value.hint
    with pytest.raises(AmbiguousName):
        hosted.api_price("llama-4-scout-17b-16e-instruct", tokens=1000, day=DAY)


def test_the_command_line_starts_without_the_prices():
    run = "import sys, outlay.cli.main, outlay.cli.compare, outlay.scenarios.buying.compare; print('genai_prices' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "False"


def test_a_maker_sells_nothing_at_a_router_s_price() -> None:
    """OpenAI published the weights of gpt-oss and answers with them nowhere; the list has a router's price under its name."""
    for model in ("gpt-oss-120b", "gpt-oss-20b"):
        hosts = {price.seller for price in hosted.same_weights(model, tokens=1000, day=datetime.date(2026, 11, 26))}
        assert "openai" not in hosts
        assert {"groq", "aws"} <= hosts
