"""What tokens cost: the recipe's price, or the list price of a well-known model at its own provider.

The table `prices.yaml` holds list prices by provider and model, with the page and the day on which they
were looked up. A model counts by where it is asked: the same model costs something else at another
address, so that an address that is not in the table has no price.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import Field

from instil.config.base import Config
from instil.teachers.providers import PROVIDERS

if TYPE_CHECKING:
    from instil.teachers.base import TeacherConfigBase, Usage

_TABLE = Path(__file__).with_name("prices.yaml")
_DATED = re.compile(r"-(?:\d{4}-\d\d-\d\d|\d{8})$")


class Price(Config):
    """What a teacher charges, in US dollars per million tokens."""

    input_usd: float = Field(ge=0)
    """Per million input tokens."""
    output_usd: float = Field(ge=0)
    """Per million output tokens."""

    def of(self, usage: Usage) -> float:
        """Return the cost of `usage` in US dollars."""
        return (usage.input_tokens * self.input_usd + usage.output_tokens * self.output_usd) / 1e6


@dataclass(frozen=True)
class PriceFound:
    """A price, and how it is known."""

    price: Price
    source: str
    """For people: whose price it is, from where and of which day."""


def price_of(config: TeacherConfigBase) -> PriceFound | None:
    """Return what a teacher's tokens cost, or None if that is not known.

    The recipe's `price` wins; a teacher that is not paid costs nothing; else it is the list price of the
    model at the address that is asked.
    """
    if config.price:
        return PriceFound(config.price, "the recipe's price")
    if not config.paid:
        return PriceFound(Price(input_usd=0.0, output_usd=0.0), "costs nothing")
    model, hosts = str(getattr(config, "model", "")).lower(), _hosts(config)
    batch = getattr(config, "kind", None) == "batch"
    for provider in _table():
        if hosts and hosts <= set(provider["hosts"]):
            return _listed(provider, model, batch=batch)
    return None


def _hosts(config: TeacherConfigBase) -> set[str]:
    """Return the names of the servers that a teacher asks, by its addresses or its provider's."""
    addresses = getattr(config, "base_url", None) or ()
    if isinstance(addresses, str):
        addresses = (addresses,)
    named = getattr(config, "provider", None)
    if named and not addresses:
        addresses = (PROVIDERS[named].base_url,)
    return {urlsplit(address).hostname or "" for address in addresses}


def _listed(provider: dict[str, Any], model: str, *, batch: bool) -> PriceFound | None:
    models = provider["models"]
    usd = models.get(model) or models.get(_DATED.sub("", model))
    share = provider.get("batch") if batch else 1
    if usd is None or share is None:
        return None
    price = Price(input_usd=usd["input"] * share, output_usd=usd["output"] * share)
    rate = f"batch price, {share:.0%} of the list price" if batch else "list price"
    return PriceFound(price, f"{rate}, {provider['source']}, looked up on {usd['looked_up']}")


@cache
def _table() -> tuple[dict[str, Any], ...]:
    import yaml

    table: dict[str, dict[str, Any]] = yaml.safe_load(_TABLE.read_bytes())
    return tuple(table.values())
