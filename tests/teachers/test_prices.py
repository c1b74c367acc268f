"""Prices: the recipe's, the table's, or none; never a guess."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from instil.teachers.anthropic import AnthropicConfig
from instil.teachers.base import Budget, Usage
from instil.teachers.batch import BatchConfig
from instil.teachers.openai_compatible import OpenAICompatibleConfig
from instil.teachers.prices import Price, _table, price_of
from instil.teachers.providers import PROVIDERS
from instil.teachers.recorded import RecordedConfig

OPENAI = "https://api.openai.com/v1"


def config(model: str, *addresses: str, **options: Any) -> OpenAICompatibleConfig:
    return OpenAICompatibleConfig(kind="openai_compatible", model=model, base_url=addresses, **options)


def usd(found: Any) -> tuple[float, float]:
    return found.price.input_usd, found.price.output_usd


def test_a_price_is_for_a_million_tokens() -> None:
    price = Price(input_usd=0.5, output_usd=2.0)

    assert price.of(Usage(input_tokens=2_000_000, output_tokens=500_000)) == 2.0


def test_the_recipes_price_wins() -> None:
    found = price_of(config("gpt-4o-mini", OPENAI, price=Price(input_usd=7.0, output_usd=8.0)))

    assert usd(found) == (7.0, 8.0)


def test_a_well_known_model_at_its_providers_address_has_its_list_price_with_source_and_day() -> None:
    found = price_of(config("gpt-4o-mini", OPENAI))

    assert found is not None
    assert usd(found) == (0.15, 0.6)
    assert found.source == (
        "list price, https://developers.openai.com/api/docs/pricing, looked up on 2026-09-26"
    )


def test_a_provider_by_name_is_its_address() -> None:
    assert usd(price_of(config("gpt-4o-mini", provider="openai"))) == (0.15, 0.6)
    assert usd(price_of(config("deepseek-flash", provider="deepseek"))) == (0.3, 1.2)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-4.1-2025-04-14", (2, 8)),
        ("GPT-4.1", (2, 8)),
        ("gpt-4o-2024-08-06", (2.5, 10)),
        ("gpt-4o-2024-05-13", (5, 15)),  # a line of its own
    ],
)
def test_a_dated_version_costs_what_its_name_does(model: str, expected: tuple[float, float]) -> None:
    assert usd(price_of(config(model, OPENAI))) == expected


@pytest.mark.parametrize(
    "unknown",
    [
        config("gpt-4o-mini", "https://proxy.example.com/v1"),
        config("gpt-4o-mini", "http://127.0.0.1:8000/v1"),
        config("gpt-4o-mini", OPENAI, "https://proxy.example.com/v1"),
        config("gpt-4o-mini", "https://api.openai.com.example.com/v1"),
        config("gpt-4o-mini-turbo", OPENAI),
        config("gpt-4o-mini-ft", OPENAI),
        config("claude-haiku-4-5", OPENAI),
        config("qwen3", provider="vllm"),
        config("kimi-k3", provider="moonshot"),  # its address in China bills in yuan
    ],
    ids=lambda config: f"{config.model} at {config.base_url or config.provider}",
)
def test_a_model_that_is_not_in_the_table_at_that_address_has_no_price(
    unknown: OpenAICompatibleConfig,
) -> None:
    assert price_of(unknown) is None


def test_a_budget_in_money_for_a_model_without_a_price_says_to_give_one() -> None:
    with pytest.raises(ValidationError, match=r"needs `price` \(input_usd, output_usd\)"):
        config("m", "http://127.0.0.1:8000/v1", budget=Budget(max_cost_usd=1.0))

    config("m", "http://127.0.0.1:8000/v1", budget=Budget(max_tokens=1000))
    config("gpt-4o-mini", OPENAI, budget=Budget(max_cost_usd=1.0))


def test_what_is_not_paid_costs_nothing(tmp_path: Path) -> None:
    recording = tmp_path / "answers.jsonl"
    recording.touch()

    assert usd(price_of(RecordedConfig(kind="recorded", path=recording))) == (0, 0)


def test_other_kinds_have_their_providers_prices() -> None:
    claude = AnthropicConfig(kind="anthropic", model="claude-sonnet-4-5-20250929")
    batch = BatchConfig(kind="batch", provider="openai", model="gpt-4o-mini")
    deepseek = BatchConfig(kind="batch", base_url="https://api.deepseek.com", model="deepseek-flash")

    assert usd(price_of(claude)) == (3, 15)
    assert usd(price_of(batch)) == (0.075, 0.3)
    assert "50% of the list price" in getattr(price_of(batch), "source", "")
    assert price_of(deepseek) is None  # it has no batch price


def test_the_table_is_well_formed_and_its_hosts_are_told_apart() -> None:
    hosts = [host for provider in _table() for host in provider["hosts"]]

    assert len(hosts) == len(set(hosts))
    for provider in _table():
        assert set(provider) <= {"hosts", "source", "batch", "models"}
        assert provider["source"].startswith("https://")
        assert 0 < provider.get("batch", 1) <= 1
        for model, price in provider["models"].items():
            assert model == model.lower()
            assert set(price) == {"input", "output", "looked_up"}
            assert 0 < price["input"] <= price["output"] < 1000
            assert date(2025, 1, 1) < price["looked_up"]


def test_the_addresses_of_the_table_are_those_of_the_named_providers() -> None:
    known = " ".join(provider.base_url for provider in PROVIDERS.values())

    for name in ("api.openai.com", "api.deepseek.com", "generativelanguage.googleapis.com", "api.mistral.ai"):
        assert name in known
        assert any(name in provider["hosts"] for provider in _table())
