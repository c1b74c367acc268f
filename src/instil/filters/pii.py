"""Reject examples that hold what identifies a person: addresses, numbers of phones, cards and papers.

A number counts when its check digits are right (python-stdnum knows them), so that a measurement, an
ISBN or a list of multiples does not. Invented data that everybody uses (example.com, 555-0100, a
card of a payment service's test mode) and the lines of services (hotlines, info@…) are let pass.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Annotated, Literal, get_args

from pydantic import Field

from instil.config.base import Items
from instil.data.examples import Example, Rejection
from instil.errors import MissingPackage
from instil.filters.base import FilterConfigBase, Stateless
from instil.filters.patterns import Patterns

Kind = Literal["email", "phone", "resident_id", "bank_card", "iban", "ip_address", "us_ssn"]
_Check = Callable[[str], bool]

_PATTERNS: dict[Kind, str] = {
    "email": r"(?<![\w.+-])[\w.+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,24}(?![\w@])",
    # A mobile number of China, any number with a country code, and those of North America and Chinese cities.
    "phone": r"(?<![\d.\w+-])(?:(?:\+?86[ -]?)?1[3-9]\d(?:\d{8}|[ -]\d{4}[ -]\d{4})"
    r"|\+[1-9]\d{0,2}(?:[ .-]?\(?\d{1,4}\)?){3,6}"
    r"|\(\d{3}\) ?\d{3}[-. ]\d{4}|\d{3}[-.]\d{3}[-.]\d{4}|0\d{2,3}-\d{7,8})(?![\d\w]|[-.]\d)",
    "resident_id": r"(?<![\da-z])\d{17}[\dx](?![\da-z])",
    "bank_card": r"(?<![\d.-])(?:\d{15,19}|\d{4}(?:[ -]\d{4}){3}(?:[ -]?\d{3})?|3[47]\d\d[ -]\d{6}[ -]\d{5})"
    r"(?![\d.-]\d|\d)",
    "iban": r"(?<![\da-z])[a-z]{2}\d{2}(?: ?[a-z0-9]{4}){3,7}(?: ?[a-z0-9]{1,3})?(?![\da-z])",
    "ip_address": r"(?<![\d.])(?<!version )(?<!v)(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*\d)"
    r"|(?<![\w:])(?:[0-9a-f]{1,4}:){5,7}[0-9a-f]{1,4}(?![\w:])",
    "us_ssn": r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])",
}

# First digits and lengths of Visa, Mastercard, American Express, UnionPay, Discover and JCB.
_CARD = re.compile(r"4\d{15}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|62\d{14,17}|6(?:011|5\d\d)\d{12}|35\d{14}")
_INVENTED_MAIL = re.compile(
    r"(?:example|user|username|name|yourname|your[._]?\w*|test|xx+|abc|john|jane|(?:john|jane)?[._]?(?:doe|smith)"
    r"|jdoe|jsmith|info|support|contact|help|service|sales|office|admin|no-?reply|alerts?|offers?|hello|careers?"
    r"|jobs|press|team)\d*@.*"
    r"|.*@(?:.*\.)?(?:(?:your|my|some|the|abc|xyz)?(?:example|email|mail|domain|company|test|website|business)s?"
    r"|xx+|abc|xyz)(?:\.[a-z]{2,4}){1,2}|.*\.(?:example|test|invalid|localhost)"
)
_SERVICE_LINE = re.compile(
    r"1?(?:800|888|877|866|855|844|833)\d{7}|(?:400|800)\d{7}|1?\d{3}555\d{4}|1?555\d{7}"
    r"|(1\d\d)00\1\d{3}"
)
_INVENTED_CARDS = {"4111111111111111", "4242424242424242", "5555555555554444", "378282246310005"}
_INVENTED_PAPERS = {"11010519491231002X", "123-45-6789", "987-65-4321", "078-05-1120", "219-09-9999"}
_PUBLIC_SERVERS = {"8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "114.114.114.114"}


class PiiConfig(FilterConfigBase):
    """Reject e-mail addresses, phone numbers, resident ids, bank cards, IBANs, IP addresses and SSNs.

    Names and street addresses are not found: that takes a model, not a pattern.
    """

    kind: Literal["pii"]
    kinds: Annotated[tuple[Kind, ...], Items] = Field(default=get_args(Kind), min_length=1)
    """What to look for."""
    allow: Patterns = ()
    """Regular expressions; what one of them matches from end to end is let pass (a hotline of your own)."""

    def build(self) -> PiiFilter:
        """Return the filter.

        Raises:
            MissingPackage: python-stdnum is not installed.
        """
        try:
            import stdnum  # noqa: F401
        except ModuleNotFoundError as error:
            raise MissingPackage("the filter 'pii'", "python-stdnum", "filters") from error
        return PiiFilter(self)


class PiiFilter(Stateless):
    """Looks for each kind in every message."""

    def __init__(self, config: PiiConfig) -> None:
        checks = _checks()
        self._kinds = [
            (kind, re.compile(_PATTERNS[kind], re.IGNORECASE | re.ASCII), checks[kind])
            for kind in config.kinds
        ]
        self._allow = [re.compile(pattern, re.IGNORECASE) for pattern in config.allow]

    def check(self, example: Example) -> Rejection | None:
        """Return a rejection that names the kind and what was found, or None."""
        for message in example.messages:
            for kind, found in self._find(message.content):
                reason = kind.replace("_", " ")
                return Rejection(filter="pii", reason=reason, example=example, nearest=found)
        return None

    def _find(self, text: str) -> Iterator[tuple[Kind, str]]:
        for kind, pattern, is_one in self._kinds:
            for match in pattern.finditer(text):
                if is_one(match[0]) and not any(each.fullmatch(match[0]) for each in self._allow):
                    yield kind, match[0]


def _checks() -> dict[Kind, _Check]:
    # Costs 30 ms to import; only recipes that use it pay.
    from stdnum import iban, luhn
    from stdnum.cn import ric
    from stdnum.us import ssn

    def is_card(text: str) -> bool:
        digits = re.sub(r"\D", "", text)
        return bool(_CARD.fullmatch(digits)) and luhn.is_valid(digits) and digits not in _INVENTED_CARDS

    return {
        "email": lambda text: not _INVENTED_MAIL.fullmatch(text.lower()),
        "phone": _is_phone,
        "resident_id": lambda text: ric.is_valid(text.upper()) and text.upper() not in _INVENTED_PAPERS,
        "bank_card": is_card,
        "iban": lambda text: bool(iban.is_valid(text)),
        "ip_address": _is_address,
        "us_ssn": lambda text: ssn.is_valid(text) and text not in _INVENTED_PAPERS,
    }


def _is_phone(text: str) -> bool:
    digits = re.sub(r"\D", "", text)
    if not 7 <= len(digits.removeprefix("0")) <= 15 or _SERVICE_LINE.fullmatch(digits.removeprefix("86")):
        return False
    # 123-456-7890, 098-765-4321, 111-111-1111, 13800138000: what people write when they mean none.
    steps = [(int(b) - int(a)) % 10 for a, b in pairwise(digits)]
    return max(steps.count(1), steps.count(9)) < len(digits) - 3 and len(set(digits[-8:])) > 3


def _is_address(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    # Private, loopback and documentation ranges name nobody.
    return address.is_global and text not in _PUBLIC_SERVERS
