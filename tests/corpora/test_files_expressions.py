"""Jinja over records: names, paths, conditions, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from instil.corpora.base import BadRecord
from instil.corpora.columns import optional, texts, values
from instil.corpora.expressions import as_list, check_condition, condition, names_in, text_of

JINJA = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)


@given(
    st.lists(
        st.sampled_from(["{{ a }}", "{{b}}", "{{ a }}\n", " plain ", "\n\n", "{{ '{{' }}", "{{ a|upper }}"])
    ),
    st.fixed_dictionaries({"a": st.text() | st.integers(), "b": st.text() | st.floats()}),
)
def test_a_template_gives_what_jinja_gives(parts: list[str], given_values: dict[str, Any]) -> None:
    source = "".join(parts)
    assert text_of(source)(given_values) == JINJA.from_string(source).render(given_values)


@pytest.mark.parametrize("source", ["{{ a }}", "{{ a }}{% if true %}{% endif %}"])
@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({}, "is (missing|undefined)"),
        ({"a": None}, "a value of the template is null"),
        ({"a": ["x"]}, "is a list, not text"),
        ({"a": {"x": 1}}, "is a dict, not text"),
    ],
)
def test_what_would_be_no_text_is_refused(source: str, record: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRecord, match=reason):
        text_of(source)(record)


@pytest.mark.parametrize(
    "source",
    [
        "{{ a.__class__.__mro__ }}",
        "{{ a.append(3) }}",
        "{{ range(1000000000) | list | length }}",
        "{{ a / 0 }}",
        "{{ a.b.c }}",
        "{{ 1 / 0 }}",
        "{{ missing | upper }}",
    ],
)
def test_a_template_that_fails_is_the_failure_of_a_record(source: str) -> None:
    with pytest.raises(BadRecord, match="the template fails"):
        text_of(source)({"a": [1, 2]})


def test_a_template_can_name_the_whole_record_and_what_jinja_has() -> None:
    record = {"chief complaint": "cough", "n": 2, "range": "own"}
    assert text_of('{{ record["chief complaint"] }}')(record) == "cough"
    assert text_of("{{ n * 2 }} {{ range }}")(record) == "4 own"
    assert text_of("{% for i in range(n) %}{{ i }}{% endfor %}")({"n": 3}) == "012"
    assert names_in("{{ a }} {% set b = 1 %}{{ b }}") == {"a"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('lang == "zh"', True),
        ("score >= 4 and tags", False),
        ("score > 3 and lang in ['zh', 'en']", True),
        ("other is defined and other > 3", False),
        ("(other | default(0)) < 1", True),
        ('record["a b"] == 1', True),
        ("text | length > 3", True),
        ("text is string and not tags", True),
        ("lang == 'zh' # no comment", None),
    ],
)
def test_a_condition_is_decided_for_a_record(source: str, expected: bool | None) -> None:
    record = {"lang": "zh", "score": 4, "tags": [], "a b": 1, "text": "long"}
    if expected is None:
        with pytest.raises(ValueError, match="is not a Jinja expression"):
            check_condition(source)
        return
    check_condition(source)
    holds = condition(source)
    assert [holds(record), holds(record)] == [expected, expected]


def test_one_record_says_nothing_about_the_next() -> None:
    holds = condition("holds")
    assert [holds({"holds": each}) for each in (True, False, True)] == [True, False, True]
    with pytest.raises(BadRecord, match="'holds' is undefined"):
        holds({})


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("missing", "where: 'missing' is undefined"),
        ("missing == 3", "where: 'missing' is undefined"),
        ("text > 3", "where: '>' not supported between instances of 'str' and 'int'"),
        ("text.__class__", "where: access to attribute '__class__'"),
        ("text.upper.x.y", "where: "),
    ],
)
def test_a_condition_that_cannot_be_decided_says_why(source: str, reason: str) -> None:
    with pytest.raises(BadRecord) as caught:
        condition(source)({"text": "long"})
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize("source", ["a ==", "a) == (b", "{{ a }}", "a %} {% set x = 1", "a b", "", "a\n)"])
def test_what_is_no_single_expression_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="is not a Jinja expression"):
        condition(source)


def test_a_column_is_a_name_a_path_or_a_template() -> None:
    record = {"a": {"b": ["x", {"c": "deep"}]}, "a.b": "flat", "n": 3, "f": 2.5}
    assert values("a.b")(record) == "flat"
    assert values("a.b")({"a": {"b": "nested"}}) == "nested"
    assert values("a.b.1.c")(record) == "deep"
    assert texts("n")(record) == "3"
    assert texts("f")(record) == "2.5"
    assert texts("{{ n }}+{{ f }}")(record) == "3+2.5"


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ("b", "'b' is missing"),
        ("null", "'null' is missing"),
        ("a.b.2", "'a.b.2' is missing"),
        ("a.b.-1", "'a.b.-1' is missing"),
        ("a.b.x", "'a.b.x' is missing"),
        ("a", "'a' is not text"),
        ("yes", "'yes' is not text"),
        ("empty", "'empty' is empty"),
        ("{{ empty }}", "the template's text is empty"),
        ("{{ b }}", "'b' is missing"),
    ],
)
def test_a_column_without_text_is_named(column: str, reason: str) -> None:
    record = {"a": {"b": ["x", "y"]}, "null": None, "yes": True, "empty": " "}
    with pytest.raises(BadRecord) as caught:
        texts(column)(record)
    assert str(caught.value) == reason


def test_a_column_that_may_be_missing_is_empty_then_but_never_something_else() -> None:
    assert optional("a")({}) == optional(None)({"a": "x"}) == optional("a")({"a": None}) == ""
    assert optional("a")({"a": "x"}) == "x"
    with pytest.raises(BadRecord, match="'a' is not text"):
        optional("a")({"a": ["x"]})
    with pytest.raises(BadRecord, match="'a' is missing"):
        optional("{{ a }}")({})


@pytest.mark.parametrize("value", ["['a', 'b']", '["a", "b"]', ["a", "b"], ("a", "b"), " ('a', 'b') "])
def test_a_list_written_as_text_is_a_list(value: Any) -> None:
    assert as_list(value) == ["a", "b"]
    assert text_of("{{ (a | as_list) | join('+') }}")({"a": value}) == "a+b"


@pytest.mark.parametrize(
    "value",
    ["a, b", "{'a': 1}", "__import__('os')", "3", None, "['a'", "[" * 9999, "'\\d'", r"['\ud83d']", "[b'a']"],
)
def test_what_is_no_list_is_refused(value: Any) -> None:
    with pytest.raises(BadRecord, match="is not a list"):
        as_list(value)
