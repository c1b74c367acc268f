"""The recipe reader: YAML 1.2 scalars, every place kept, and nothing clever."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from instil.config.base import PlacedText
from instil.config.yaml import dump_yaml, plain_scalar, read_yaml
from instil.errors import RecipeError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
# Text that some version of YAML takes for something else.
WORDS = "~ null no On true 012 08 0o17 0x1F 1e5 1e-4 .5e3 1. +.5 .inf -.INF .nan 1_000 1:30 2024-01-01 = <<"
SIGNS = "- --- & &x * *x ! !x % %x @x `x ' \" # : ? [ { , | > \ufeff \x85 \u2028 \x00 \x7f \\ \\n"
SPACED = [
    "",
    " ",
    " x ",
    "a: b",
    "- x",
    "x #y",
    "\n",
    "\n\n x\n",
    "a\n b\n",
    "\t",
    "a  b \n" * 40,
    "a b" * 99,
]
LOOK_ALIKES = st.sampled_from([*WORDS.split(" "), *SIGNS.split(" "), *SPACED])


def read(text: str) -> Any:
    return read_yaml(text, "r.yaml", Path("/recipes")).data


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(RecipeError) as caught:
        read(text)
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("2E5", 200000.0),
        ("1.5e+3", 1500.0),
        (".5", 0.5),
        ("-0.0", -0.0),
        ("5.", 5.0),
        ("012", 12),
        ("08", 8),
        ("-7", -7),
        ("+7", 7),
        ("0o17", 15),
        ("0x1F", 31),
        ("9223372036854775807", 2**63 - 1),
        ("", None),
        ("~", None),
        ("null", None),
        ("True", True),
        ("false", False),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
        ("no", "no"),
        ("yes", "yes"),
        ("On", "On"),
        ("tRue", "tRue"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("1e", "1e"),
        ("e5", "e5"),
        ("--1", "--1"),
        ("١٢", "١٢"),
        ("inf", "inf"),
    ],
)
def test_a_plain_scalar_is_what_yaml_1_2_says(text: str, value: object) -> None:
    found = read(f"key: {text}\n")["key"]
    assert found == value
    assert isinstance(found, str if isinstance(value, str) else type(value))
    assert str(found) == str(value)  # tells -0.0 from 0.0


def test_not_a_number_is_not_a_number() -> None:
    assert [math.isnan(value) for value in read("[.nan, .NaN, .NAN]")] == [True, True, True]


@pytest.mark.parametrize("text", ["'012'", '"012"', "|-\n  012", ">-\n  012"])
def test_quoted_and_block_scalars_are_text(text: str) -> None:
    assert read(f"key: {text}\n") == {"key": "012"}


@given(value=st.floats())
@example(value=-0.0)
@example(value=5e-324)
@example(value=1e22)
def test_every_float_survives_however_python_writes_it(value: float) -> None:
    written = [
        repr(value).replace("inf", ".inf").replace("nan", ".nan"),
        yaml.safe_dump(value),
        dump_yaml(value),
    ]
    for text in written:
        found = read(text)
        assert isinstance(found, float)
        assert repr(found) == repr(value)


@given(text=TEXT | LOOK_ALIKES)
@example(text="08")
@example(text="1e5")
@example(text="\x85")
@example(text="\u2028")
def test_every_string_survives_writing_and_reading(text: str) -> None:
    assert read(dump_yaml({"key": text, text: [text]})) == {"key": text, text: [text]}


@given(text=TEXT | LOOK_ALIKES)
def test_every_string_survives_a_quoted_dump_of_pyyaml(text: str) -> None:
    found = read(yaml.safe_dump({"key": text}, default_style='"'))
    assert found == {"key": text}
    assert isinstance(found["key"], PlacedText)


@given(text=st.text("0123456789.+-eExXoOinfanNATrue_~", max_size=6))
def test_what_is_not_text_when_plain_is_quoted_when_written(text: str) -> None:
    assert isinstance(plain_scalar(dump_yaml([text])[2:-1]), str)


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    )
)
def test_every_tree_of_plain_values_survives(value: Any) -> None:
    found = read(dump_yaml(value))
    assert found == value
    assert repr(found) == repr(value)


def test_text_knows_the_directory_of_its_file() -> None:
    found = read("path: data/x\nlist: ['y']")
    assert found["path"].directory == Path("/recipes")
    assert found["list"][0].directory == Path("/recipes")


def test_every_value_has_its_line_and_column() -> None:
    document = read_yaml(
        "name: x\nmix:\n  corpora:\n    - kind: files\n    - {a: 1, 头: 'b'}\n", "r.yaml", Path()
    )
    assert document.places == {
        (): "r.yaml:1:1",
        ("name",): "r.yaml:1:1",
        ("mix",): "r.yaml:2:1",
        ("mix", "corpora"): "r.yaml:3:3",
        ("mix", "corpora", 0): "r.yaml:4:7",
        ("mix", "corpora", 0, "kind"): "r.yaml:4:7",
        ("mix", "corpora", 1): "r.yaml:5:7",
        ("mix", "corpora", 1, "a"): "r.yaml:5:8",
        ("mix", "corpora", 1, "头"): "r.yaml:5:14",
    }


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "~"])
def test_an_empty_document_is_nothing_and_has_a_place(text: str) -> None:
    document = read_yaml(text, "r.yaml", Path())
    assert document.data is None
    assert document.places[()].startswith("r.yaml:")


def test_equal_keys_are_refused_with_both_lines() -> None:
    assert problems("a: 1\nb:\n  c: 1\n  c: 2\n'a': 3\n") == (
        "r.yaml:4:3: the key 'c' stands twice; the first is at line 3",
        "r.yaml:5:1: the key 'a' stands twice; the first is at line 1",
    )


def test_keys_are_text_and_not_what_they_look_like() -> None:
    assert read("1: a\n01: b\nno: c\n~: d\n") == {"1": "a", "01": "b", "no": "c", "~": "d"}


ANCHORED = "anchors and aliases are not supported; write the value out, or use `base:`"


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("a: &x 1\n", ["1:4"]),
        ("a: &x 1\nb: *x\n", ["1:4", "2:4"]),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", ["1:4", "3:7"]),
        ("k: &a x\n*a : 3\n", ["1:4", "2:1"]),
        ("&a k: x\n", ["1:1"]),
        ("a: &a [*a]\n", ["1:4", "1:8"]),
    ],
)
def test_anchors_and_aliases_are_refused_wherever_they_stand(text: str, places: list[str]) -> None:
    assert problems(text) == tuple(f"r.yaml:{place}: {ANCHORED}" for place in places)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: !!str 5", "1:4: the tag '!!str' is not supported"),
        ("a: !!python/object:os.system x", "1:4: the tag '!!python/object:os.system' is not supported"),
        ("a: !mine {b: 1}", "1:4: the tag '!mine' is not supported"),
        ("a: !mine [1]", "1:4: the tag '!mine' is not supported"),
        ("!!set {a, b}", "1:1: the tag '!!set' is not supported"),
        ("!!str a: 1", "1:1: the tag '!!str' is not supported"),
        ("a: ! 5", "1:4: the tag '!' is not supported"),
    ],
)
def test_a_tag_is_refused_on_any_node(text: str, problem: str) -> None:
    assert problems(text) == (f"r.yaml:{problem}",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('a: "x', "r.yaml:1:6: not valid YAML: found unexpected end of stream"),
        ("a: 1\n---\nb: 2\n", "r.yaml:2:1: not valid YAML: but found another document"),
        ("a:\n\t- b\n", "r.yaml:2:1: not valid YAML: found character that cannot start any token"),
        ("a: 1\n  b: 2\n", "r.yaml:2:4: not valid YAML: mapping values are not allowed in this context"),
        ('a: "\\ud800"', "r.yaml:1:7: not valid YAML: found invalid Unicode character escape code"),
        ("? [a]\n: b\n", "r.yaml:1:3: a key must be a plain word"),
        ("a: \udcff", "r.yaml: not UTF-8 text"),
        ("a: 9223372036854775808", "r.yaml:1:4: a whole number of more than 64 bits is not supported"),
        ("[" * 60 + "]" * 60, "r.yaml:1:51: nested more than 50 deep"),
        ("[" * 50_000, "r.yaml:1:51: nested more than 50 deep"),
    ],
)
def test_what_cannot_be_read_is_refused_at_its_place(text: str, problem: str) -> None:
    assert problems(text) == (problem,)


def test_a_control_character_is_refused_in_one_line() -> None:
    (problem,) = problems("a: \x07")
    assert problem.startswith("r.yaml: not valid YAML: unacceptable character #x0007")
    assert "\n" not in problem


def test_a_number_of_a_thousand_digits_does_not_stop_the_reader() -> None:
    assert read("a: " + "9" * 5_000) == {"a": math.inf}


def test_all_problems_of_a_file_are_told_at_once() -> None:
    assert problems("a: &x 1\nb: !!int 2\nb: 3\n? {}\n: 4\n") == (
        f"r.yaml:1:4: {ANCHORED}",
        "r.yaml:2:4: the tag '!!int' is not supported",
        "r.yaml:3:1: the key 'b' stands twice; the first is at line 2",
        "r.yaml:4:3: a key must be a plain word",
    )


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_kind_of_newline_ends_a_line(newline: str) -> None:
    document = read_yaml(newline.join(["a: 1", "b: |", "  x", "  y", "c: no", ""]), "r.yaml", Path())
    assert document.data == {"a": 1, "b": "x\ny\n", "c": "no"}
    assert document.places[("c",)] == "r.yaml:5:1"
