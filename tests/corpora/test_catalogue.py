"""Every corpus of the catalogue is whole, readable and honest about what is not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from instil.corpora.catalogue import HubSource, catalogue, entry, read_catalogue
from instil.corpora.fetch.remote import choose
from instil.corpora.formats import FORMATS
from instil.errors import RecipeError, RequestError

ENTRIES = list(catalogue().values())
OPEN_TO_TRADE = ("Apache-2.0", "MIT", "CC-BY-4.0", "CC-BY-SA-3.0")

ENTRY = """
- name: rows
  title: Rows
  about: Some rows.
  languages: [en]
  tasks: [instructions]
  license: MIT
  allows: {commercial: "yes", redistribution: "yes"}
  source: {kind: hub, id: somebody/rows, files: ["*.jsonl"]}
  page: https://example.org/rows
"""


def test_every_entry_can_be_read_by_a_format_that_exists() -> None:
    assert {each.name: each.format for each in ENTRIES if each.format and each.format not in FORMATS} == {}


def test_an_entry_without_a_licence_claims_no_right_and_says_why() -> None:
    for each in ENTRIES:
        if each.license is None:
            assert "yes" not in (each.allows.commercial, each.allows.redistribution), each.name
            assert each.terms, each.name


def test_only_an_open_licence_and_no_model_of_openai_allow_commercial_use() -> None:
    for each in ENTRIES:
        if each.allows.commercial == "yes":
            assert each.license in OPEN_TO_TRADE, each.name
            assert not each.by_openai, each.name
        if "NC" in (each.license or ""):
            assert each.allows.commercial == "no", each.name


def test_the_files_that_entries_name_are_files_that_would_be_taken() -> None:
    for each in ENTRIES:
        source = each.source
        if isinstance(source, HubSource):
            named = [checksum.path for checksum in source.checksums]
            named += [pattern.replace("*", "x") for pattern in source.parts.values()]
            for path in named:
                assert choose([path], source.files, [], {}) == [path], each.name
        else:
            paths = sorted(address.path for address in source.files)
            assert choose(paths, ["*"], [], {}) == paths, each.name


def test_the_catalogue_has_what_the_origins_and_users_name() -> None:
    named = (
        "medmcqa medqa-usmle pubmedqa alpaca alpaca-zh belle-1m belle-0.5m belle-school-math belle-multiturn "
        "gpt4all oig moss-002 moss-003 huatuo-lite huatuo-llama-med hugnlp-en hugnlp-zh hugnlp-mixed oasst1 "
        "oasst2 dolly ultrachat-200k tulu-3 smoltalk coig coig-cqia infinity-instruct"
    )
    assert set(named.split()) <= catalogue().keys()


def test_entries_are_found_by_words_language_task_and_what_they_allow() -> None:
    chinese_medicine = {each.name for each in ENTRIES if each.matches(["medicine"], "zh", None)}
    assert {"huatuo-lite", "cmb"} <= chinese_medicine
    assert "medmcqa" not in chinese_medicine
    assert entry("aya").matches([], "zh", None), "a multilingual corpus has every language"
    assert entry("gsm8k").matches([], None, "math")
    assert entry("gsm8k").permits("commercial")
    assert not entry("alpaca").permits("commercial")


def test_a_wrong_name_is_answered_with_the_nearest_ones() -> None:
    with pytest.raises(RequestError, match="no corpus 'alpacca' in the catalogue; did you mean alpaca"):
        entry("alpacca")
    with pytest.raises(RequestError, match=r"did you mean .*huatuo-lite"):
        entry("Huatuo")


def test_every_mistake_of_a_catalogue_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.yaml"
    path.write_text(ENTRY.replace("license: MIT", "licence: MIT").replace("id: somebody/rows", "id: rows"))

    with pytest.raises(RecipeError) as error:
        read_catalogue(path)

    assert sorted(error.value.problems) == [
        "catalogue.yaml:2:3: 0.license: Field required",
        "catalogue.yaml:7:3: 0.licence: Extra inputs are not permitted",
        "catalogue.yaml:9:23: 0.source.hub.id: String should match pattern '^[\\w.-]+/[\\w.-]+$'",
    ]


def test_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.yaml"
    path.write_text(ENTRY + ENTRY)

    with pytest.raises(RecipeError, match="two entries are called 'rows'"):
        read_catalogue(path)
