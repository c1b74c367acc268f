"""Passages: nothing is lost, none is too long, and each says where it stands."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.corpora.documents import Block, Document, Passage, passages
from instil.corpora.documents.sentences import fitting, sentences
from instil.data.words import words


def document(*blocks: Block | str, title: str = "") -> Document:
    found = tuple(block if isinstance(block, Block) else Block(text=block) for block in blocks)
    return Document(name="a.md", sha256="0" * 64, format="markdown", blocks=found, title=title)


def heading(text: str, level: int = 1) -> Block:
    return Block(text=text, level=level)


def cut(found: Document, max_words: int, **more: int) -> list[Passage]:
    return list(passages(found, max_words=max_words, **more))


def bare(text: str) -> str:
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize(
    "parts",
    [
        ["头痛要休息。", "“多喝水！”", "好吗？！\n", "不好……", "走了"],
        ["Take 2.5 mg. ", 'He said "Stop." ', "Then (really!) ", "It ended."],
        ["Dr. Smith, e.g. in the U. S. army, has approx. 3 of them. ", "Is No. 5 it? ", "Yes."],
        ["He asked why? and went on. ", "Good."],
        ["Ask:\n", "- the dose\n", "- the price\n", "2) the date\nend"],
        ["One line\nand the next. ", "Two.\n\n", "Three"],
        ["　　第一段。\n", "　　第二段"],
        ["क्या हाल है? ", "ठीक है। ", "अच्छा।"],
        ["3. Wash it. ", "4. Dry it."],
    ],
)
def test_a_text_is_cut_after_its_sentences(parts: list[str]) -> None:
    assert list(sentences("".join(parts))) == parts


_TEXT = st.text(st.sampled_from("ab 。.！，,;\n-1A“”\u3000血糖x"), max_size=60)


@given(_TEXT, st.integers(1, 8))
def test_parts_are_the_text_and_none_is_too_long(text: str, max_words: int) -> None:
    parts = list(fitting(text, max_words))
    assert "".join(parts) == text
    assert all(len(words(part)) <= max_words for part in parts)
    assert sum(len(words(part)) for part in parts) == len(words(text))


def test_a_sentence_is_cut_only_if_it_alone_is_too_long() -> None:
    text = "One two three. Four five, six seven; eight nine ten eleven twelve"
    assert list(fitting(text, 4)) == [
        "One two three. ",
        "Four five, six seven; ",
        "eight nine ten eleven ",
        "twelve",
    ]
    assert list(fitting("糖尿病患者应当控制饮食，定期检查", 11)) == ["糖尿病患者应当控制饮食，", "定期检查"]
    assert list(fitting("a | 1\nb | 2\nc | 3", 4)) == ["a | 1\nb | 2\n", "c | 3"]


_BLOCKS = st.lists(
    st.builds(
        lambda text, level: Block(text=text, level=level),
        _TEXT.filter(lambda text: bool(text.strip())),
        st.sampled_from([0, 0, 0, 1, 2, 3]),
    ),
    max_size=8,
)


@given(_BLOCKS, st.integers(4, 30), st.integers(0, 4))
def test_the_passages_of_a_document_are_its_text(blocks: list[Block], max_words: int, min_words: int) -> None:
    whole = document(*blocks)
    found = cut(whole, max_words, min_words=min_words)
    assert bare("".join(passage.text for passage in found)) == bare(whole.text)
    assert all(len(words(passage.text)) <= max_words for passage in found)
    assert all(passage.text.strip() for passage in found)


@given(_BLOCKS, st.integers(8, 30), st.integers(0, 4), st.integers(0, 4))
def test_with_an_overlap_none_is_too_long_and_each_adds_what_follows(
    blocks: list[Block], max_words: int, min_words: int, overlap: int
) -> None:
    whole = document(*blocks)
    found = cut(whole, max_words, min_words=min_words, overlap_words=overlap)
    assert all(len(words(passage.text)) <= max_words for passage in found)
    said = ""
    for passage in found:
        text = bare(passage.text)
        # What it repeats is the end of what was said.
        begin = next(
            n
            for n in range(len(text), -1, -1)
            if said.endswith(text[:n]) and bare(whole.text).startswith(said + text[n:])
        )
        assert len(words(text[:begin])) <= max(overlap, 0) or not said
        said += text[begin:]
    assert said == bare(whole.text)


def test_a_document_is_cut_at_its_headings_and_says_where_a_passage_stands() -> None:
    found = cut(
        document(
            heading("Leaflet"), "About it all.", heading("Use", 2), "With food.", heading("Who", 3), "You."
        ),
        max_words=20,
    )
    assert [(passage.headings, passage.text, passage.place) for passage in found] == [
        ((), "Leaflet\n\nAbout it all.", "# Leaflet"),
        (("Leaflet",), "Use\n\nWith food.", "## Leaflet > Use"),
        (("Leaflet", "Use"), "Who\n\nYou.", "### Leaflet > Use > Who"),
    ]


def test_headings_without_a_text_of_their_own_go_with_what_follows() -> None:
    found = cut(document(heading("A"), heading("B", 2), "Text.", heading("C", 2)), max_words=20)
    assert [passage.text for passage in found] == ["A\n\nB\n\nText.", "C"]
    assert cut(document(heading("A"), heading("B", 2), "Text.", heading("C", 2)), 20, min_words=2)[
        0
    ].text.endswith("C")


def test_a_section_never_seems_to_stand_under_a_heading_of_another() -> None:
    whole = document(heading("A"), heading("B", 2), "Text.", heading("C", 2), "More.", heading("E"), "Five.")
    found = cut(whole, max_words=4, min_words=4)
    assert [(passage.headings, passage.text.split()) for passage in found] == [
        ((), ["A", "B", "Text."]),
        (("A",), ["C", "More."]),
        ((), ["E", "Five."]),
    ]
    empty = document(heading("A"), heading("B", 2), heading("C"), "One one. " * 8, heading("D", 2), "Four.")
    found = cut(empty, max_words=12, min_words=12)
    assert [(passage.headings, passage.text.split()[0]) for passage in found] == [((), "A"), (("C",), "One")]
    assert found[1].text.endswith("D\n\nFour.")


def test_short_sections_are_put_together_with_their_neighbours_if_they_fit() -> None:
    whole = document(
        heading("A"), "one two three four", heading("B", 2), "five", heading("C"), "six seven eight"
    )
    assert [passage.text.split()[0] for passage in cut(whole, 20, min_words=3)] == ["A", "C"]
    assert [passage.text.split()[0] for passage in cut(whole, 6, min_words=3)] == ["A", "B", "C"]


def test_a_long_section_is_cut_into_paragraphs_of_much_the_same_length() -> None:
    texts = [f"{letter} " * 9 + f"{letter}." for letter in "abcdef"]
    found = cut(document(heading("H"), *texts), max_words=50, min_words=15)
    assert [len(words(passage.text)) for passage in found] == [31, 30]
    assert found[1].headings == ("H",)


def test_a_paragraph_is_cut_where_whole_ones_would_leave_too_little() -> None:
    long = " ".join(f"Word{number} here now." for number in range(30))
    found = cut(document(long, "the end of it"), max_words=100, min_words=30)
    assert [len(words(passage.text)) >= 30 for passage in found] == [True]
    found = cut(document(long, "the end of it"), max_words=92, min_words=30)
    assert all(len(words(passage.text)) >= 30 for passage in found)
    assert len(found) == 2


def test_an_overlap_repeats_whole_sentences_of_the_same_section() -> None:
    whole = document(heading("A"), "One two. Three four. Five six. Seven eight.", heading("B"), "nine.")
    found = cut(whole, max_words=6, overlap_words=2)
    assert [passage.text for passage in found] == [
        "A\n\nOne two.",
        "One two. Three four. Five six.",
        "Five six. Seven eight.",
        "B\n\nnine.",
    ]


def test_the_place_is_the_page_or_the_lines_where_the_format_has_them() -> None:
    pages = document(Block(text="a b c.", pages=(2, 2)), Block(text="d e f.", pages=(2, 3)))
    assert [passage.place for passage in cut(pages, 3)] == ["page 2", "pages 2-3"]
    lines = document(Block(text="a b.\nc d.\ne f.", lines=(10, 12)))
    assert [passage.place for passage in cut(lines, 4)] == ["lines 10-11", "line 12"]
    assert [passage.place for passage in cut(document("a b.", "c d.", "e f."), 4)] == [
        "paragraphs 1-2",
        "paragraph 3",
    ]


def test_the_title_of_a_document_stands_above_every_passage_that_does_not_say_it() -> None:
    whole = document("About it.", heading("Use"), "With food.", title="Metformin leaflet")
    assert [passage.headings for passage in cut(whole, 10)] == [
        ("Metformin leaflet",),
        ("Metformin leaflet",),
    ]
    said = document(heading("Metformin"), "About it.", title="Metformin – Clinic")
    assert cut(said, 10)[0].headings == ()


def test_the_id_is_that_of_the_content_and_evidence_has_the_headings() -> None:
    passage = Passage(document="a.pdf", place="page 1", headings=("H", "I"), text="Text.")
    assert passage.id == passage.model_copy(update={"document": "b.pdf", "place": "page 9"}).id
    assert passage.id != passage.model_copy(update={"headings": ("HI",)}).id
    evidence = passage.evidence("Text")
    assert (evidence.document, evidence.place, evidence.quote) == ("a.pdf", "page 1", "Text")
    assert evidence.text == "H > I\n\nText."


@pytest.mark.parametrize(
    "bad", [{"max_words": 10, "overlap_words": 6}, {"max_words": 10, "min_words": 11}, {"max_words": 0}]
)
def test_numbers_that_leave_no_room_are_refused(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="max_words"):
        list(passages(document("a"), **bad))
