"""What identifies a person, with check digits right and wrong, and numbers that only look like it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from instil.filters.pii import PiiConfig
from tests.filters.rows import dialogue, reason

RULES = PiiConfig(kind="pii").build()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Write to emma.watson@gmail.com please.", "email"),
        ("我的邮箱是zhangsan@qq.com，请联系。", "email"),
        ("a+b@mail.uni-bonn.de", "email"),
        ("电话13912345879", "phone"),
        ("手机：+86 139 8256 0413。", "phone"),
        ("打 021-64370045 预约", "phone"),
        ("Call (732)830-9763 now", "phone"),
        ("call 502-294-8258", "phone"),
        ("+49 30 901820 is the number", "phone"),
        ("+44 20 7946 0018", "phone"),
        ("身份证号11010119900307803X", "resident id"),
        ("id 110101199003074514,", "resident id"),
        ("Card 4539 1488 0343 6467", "bank card"),
        ("卡号6212262502009182455", "bank card"),
        ("3714 496353 98431", "bank card"),
        ("Pay to DE89 3704 0044 0532 0130 00.", "iban"),
        ("GB82WEST12345698765432", "iban"),
        ("from 59.187.84.127 came", "ip address"),
        ("2606:4700:4700:0:0:0:0:64", "ip address"),
        ("SSN 536-90-4399", "us ssn"),
    ],
)
def test_what_identifies_a_person_is_rejected_in_question_and_answer(text: str, kind: str) -> None:
    assert reason(RULES, text) == kind
    assert reason(RULES, "What is it?", text) == kind


@pytest.mark.parametrize(
    "text",
    [
        "Write to john@example.com or jane.doe@mail.example.org.",
        "user123@gmail.com, name@yourcompany.com, info@klinik.de, me@host.invalid",
        "@home and a@b and x @ y.com",
        "Call 123-456-7890, (555) 123-4567, (415) 555-1234 or 111-111-1111.",
        "The hotline is 800-273-8255; 拨打120或400-810-1234、13800138000。",
        "手机号：12345678901",
        "The ISBN is 9780743273565, the DOI 10.1037/rep0000323.",
        "4, 8, 12, 16, 20, 24, 28, 32, 36, 40",
        "6 12 18 24 30 36 42 48 54 60",
        "Binary: 01110101 01100001",
        "Order 1597454021291-2039, invoice 2023-10-15",
        "身份证号110101199003074515",
        "Card 4539 1488 0343 6468",
        "Test card 4242 4242 4242 4242",
        "DE88 3704 0044 0532 0130 00",
        "192.168.1.1, 10.0.0.1, 127.0.0.1, 255.255.255.0, 8.8.8.8, 203.0.113.9",
        "version 12.4.1.7, v1.2.3.4, section 1.2.3.4.5, 300.1.2.3",
        "It is 12:30:45 now.",
        "SSN 123-45-6789, 000-12-3456",
        "Blood pressure 120-80-120, dose 5-10-2000 mg",
        "血红蛋白120g/L，白细胞5.6×10^9/L，随访2023年10月15日。",
        "Pi is 3.14159265358979323846.",
    ],
)
def test_invented_data_services_and_other_numbers_are_kept(text: str) -> None:
    assert reason(RULES, text) is None


def test_every_message_counts_and_what_was_found_is_named() -> None:
    found = RULES.check(dialogue("Hello.", "Hello.", "I am emma.watson@gmail.com.", "Thanks."))
    assert found
    assert (found.reason, found.nearest) == ("email", "emma.watson@gmail.com")


def test_only_chosen_kinds_count_and_what_the_recipe_allows_is_let_pass() -> None:
    only = PiiConfig(kind="pii", kinds=("phone",)).build()
    assert reason(only, "emma.watson@gmail.com") is None
    assert reason(only, "021-64370045") == "phone"
    own = PiiConfig(kind="pii", allow=(r"021-6437\d+",)).build()
    assert reason(own, "021-64370045") is None
    assert reason(own, "021-64370045 或 021-58870045") == "phone"


def test_a_kind_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValidationError, match="resident_id"):
        PiiConfig.model_validate({"kind": "pii", "kinds": ["names"]})
