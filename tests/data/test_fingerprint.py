"""Equal fingerprints mean equal JSON, and nothing unstable gets one."""

from __future__ import annotations

import hashlib
import math
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from instil.data.fingerprint import canonical_json, differences, file_sha256, fingerprint

# Values that Python or a careless comparison takes for one another.
LOOK_ALIKES = st.sampled_from(
    [0, 0.0, -0.0, False, "", "0", None, "null", "nothing", 1, 1.0, True, "1", "true"]
)
TREES: st.SearchStrategy[Any] = st.recursive(
    LOOK_ALIKES,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.lists(inner, max_size=2).map(tuple)
        | st.dictionaries(st.sampled_from(["a", "b", "a.b", "", "0"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(old=TREES, new=TREES)
@example(old=[], new=())
@example(old=[], new={})
@example(old={"a": None}, new={})
@example(old={"a": {}}, new={"a": None})
@example(old=[0], new=[False])
@example(old={"a": [1]}, new={"a": [1.0]})
@example(old={"0": 1}, new=[1])
@example(old="\ud83d\ude00", new="\U0001f600")
def test_fingerprints_match_exactly_when_there_is_no_difference(old: Any, new: Any) -> None:
    assert (fingerprint(old) == fingerprint(new)) == (not list(differences(old, new)))


@given(tree=TREES)
def test_a_value_never_differs_from_its_copy(tree: Any) -> None:
    def copied(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: copied(item) for key, item in reversed(value.items())}
        return [copied(item) for item in value] if isinstance(value, list | tuple) else value

    assert fingerprint(copied(tree)) == fingerprint(tree)
    assert list(differences(tree, copied(tree))) == []


def test_look_alikes_have_fingerprints_of_their_own() -> None:
    values = [0, 0.0, -0.0, False, "", "0", None, "null", 1, True, "1", [], {}, [0], [[0]], {"0": 0}]
    assert len({fingerprint(value) for value in values}) == 16


def test_canonical_json_has_sorted_keys_no_spaces_and_unescaped_text() -> None:
    assert canonical_json({"b": True, "a": [1, 0.5, None, "é"]}) == '{"a":[1,0.5,null,"é"],"b":true}'


def test_a_fingerprint_is_the_start_of_the_sha_256_of_the_canonical_json() -> None:
    # printf '{"a":[1,0.5,null,"é"],"b":true}' | sha256sum
    assert fingerprint({"b": True, "a": (1, 0.5, None, "é")}) == "c6d19748431d2d25"


@pytest.mark.parametrize("value", [{1, 2}, object(), b"bytes", lambda: 1, Path("x"), {"a": [frozenset()]}])
def test_what_has_no_stable_text_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        fingerprint(value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_cannot_hold_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        fingerprint({"a": value})


def test_every_difference_is_told_with_its_place() -> None:
    old = {"same": 1, "gone": {"x": 1}, "list": [1, {"deep": "a"}], "long": [1], "kind": {"a": 1}}
    new = {"same": 1, "new": None, "list": [1, {"deep": "b"}], "long": [1, 2], "kind": [1]}
    assert list(differences(old, new)) == [
        'gone: {"x":1} -> nothing',
        'kind: {"a":1} -> [1]',
        'list.1.deep: "a" -> "b"',
        "long: [1] -> [1,2]",
        "new: nothing -> null",
    ]


def test_the_hash_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    # The one-block example of FIPS 180-2.
    assert (
        file_sha256(tmp_path / "file") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_a_large_file_is_read_again_only_when_it_was_written_again(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"a" * (1 << 22))
    first = file_sha256(path)
    assert first == hashlib.sha256(b"a" * (1 << 22)).hexdigest() == file_sha256(path)
    time.sleep(0.02)
    path.write_bytes(b"b" * (1 << 22))
    assert file_sha256(path) == hashlib.sha256(b"b" * (1 << 22)).hexdigest()
