"""Text, Markdown and reStructuredText: encodings are told, lines and structure are kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.corpora.documents.document import Parsed, Unreadable
from instil.corpora.documents.encoding import decode
from instil.corpora.documents.markdown import read_markdown
from instil.corpora.documents.plain import read_plain

ZH = "糖尿病患者应当控制饮食，定期检查血糖。每天步行三十分钟有好处。"


def shown(parsed: Parsed) -> list[tuple[int, str, tuple[int, int] | None]]:
    return [(block.level, block.text, block.lines) for block in parsed.blocks]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (ZH, "gb18030"),
        ("感冒了怎么办", "gb18030"),
        ("糖尿病患者應當控制飲食，定期檢查血糖。", "big5"),
        ("糖尿病の患者は食事を管理し、血糖値を検査する必要があります。", "cp932"),
        ("糖尿病の患者は食事を管理し、血糖値を検査する必要があります。", "euc_jp"),
        ("당뇨병 환자는 식이 요법을 조절하고 혈당을 검사해야 합니다.", "cp949"),
        ("Les élèves français étudient à l’école où ça se passe bien.", "cp1252"),
        ("Chorzy na cukrzycę powinni przestrzegać diety i badać poziom cukru.", "cp1250"),
        ("Больным диабетом следует соблюдать диету.", "cp1251"),
        ("ผู้ป่วยเบาหวานควรควบคุมอาหารและตรวจน้ำตาลในเลือด", "cp874"),
    ],
)
def test_an_encoding_that_nobody_declares_is_told_from_the_bytes_and_said(text: str, encoding: str) -> None:
    found, name, guessed = decode(text.encode(encoding))
    assert found == text
    assert text.encode(name) == text.encode(encoding)
    assert guessed


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_is_known_by_its_mark_or_its_form(encoding: str) -> None:
    assert decode(ZH.encode(encoding)) == (ZH, encoding.removesuffix("-sig"), False)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_utf8_is_never_taken_for_anything_else(text: str) -> None:
    assert decode(text.encode(), "latin-1")[0] == text.removeprefix("\ufeff")


@pytest.mark.parametrize("data", [b"\x7fELF\x01\x00\x00\x02" * 40, b"\xff\xfe\x00", b"\x00\x01\x02" * 50])
def test_what_is_no_text_is_refused_and_never_shown_as_some(data: bytes) -> None:
    with pytest.raises(Unreadable, match="save it as UTF-8"):
        decode(data)


def test_line_ends_of_all_systems_become_newlines() -> None:
    assert decode(b"a\r\nb\rc\n")[0] == "a\nb\nc\n"


def test_a_text_has_paragraphs_underlined_titles_and_chapters() -> None:
    text = """Diabetes
========

First line
 second line.\x20\x20

Use
---
With food.

Chapter 2: Storage

第一章　总则
　　第一条 本法如下。

===
Top
===
a - b
-- no title"""
    assert shown(read_plain(text.encode())) == [
        (1, "Diabetes", (1, 1)),
        (0, "First line\n second line.", (4, 5)),
        (2, "Use", (7, 7)),
        (0, "With food.", (9, 9)),
        (2, "Chapter 2: Storage", (11, 11)),
        (2, "第一章　总则", (13, 13)),
        (0, "　　第一条 本法如下。", (14, 14)),
        (3, "Top", (17, 17)),
        (0, "a - b\n-- no title", (19, 20)),
    ]


def test_a_sentence_that_speaks_of_a_chapter_is_no_heading() -> None:
    parsed = read_plain("Chapter 3 of the book\nspeaks of it.\n\n第三章节的内容很多。".encode())
    assert [block.level for block in parsed.blocks] == [0, 0]


def test_markdown_keeps_its_source_and_its_lines() -> None:
    text = """---
title: "A leaflet"
---
# *Met*formin `500`

Take it\nwith food. [more][1]

Use
---

- one

  more
- two

```python
# no heading

x
```

| a | b |
|---|---|
| 1 | 2 |

<!-- hidden -->

[1]: https://example.org
"""
    parsed = read_markdown(text.encode())
    assert shown(parsed) == [
        (1, "Metformin 500", (4, 4)),
        (0, "Take it\nwith food. [more][1]", (6, 7)),
        (2, "Use", (9, 10)),
        (0, "- one\n\n  more\n- two", (12, 15)),
        (0, "```python\n# no heading\n\nx\n```", (17, 21)),
        (0, "| a | b |\n|---|---|\n| 1 | 2 |", (23, 25)),
    ]
    assert parsed.title == "A leaflet"
    assert dict(parsed.dropped) == {"front matter": 1, "comment": 1, "link definition": 1}


_LINES = st.lists(
    st.sampled_from(
        [
            "",
            "# A",
            "Use",
            "---",
            "===",
            "text here",
            "- item",
            "    code",
            "第一章 总则",
            "> q",
            "```",
            "| a |",
        ]
    ),
    max_size=12,
)


@given(_LINES)
def test_no_line_of_a_plain_text_is_lost_but_rules_under_titles(lines: list[str]) -> None:
    kept = [line for block in read_plain("\n".join(lines).encode()).blocks for line in block.text.split("\n")]
    rules = ("---", "===")
    assert [line.strip() for line in kept if line not in rules] == [
        line.strip() for line in lines if line and line not in rules
    ]
    assert sum(line in rules for line in kept) <= sum(line in rules for line in lines)


@given(_LINES)
def test_the_lines_of_a_block_are_where_it_stands(lines: list[str]) -> None:
    for read in (read_plain, read_markdown):
        for block in read("\n".join(lines).encode()).blocks:
            assert block.lines is not None
            first, last = block.lines
            source = "\n".join(lines[first - 1 : last])
            assert block.text.strip() in source or block.level
            assert block.text.strip()
