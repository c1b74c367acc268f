"""PDF: lines become headings and paragraphs with their pages; what has no text is refused with a way out."""

from __future__ import annotations

import pytest

from instil.corpora.documents import pdf
from instil.corpora.documents.document import Parsed, Unreadable
from instil.corpora.documents.pdf import read_pdf
from tests.corpora.documents.writing import Pdf, Say, lines

LONG = "Metformin lowers the sugar in the blood and is taken with a meal, most"


def shown(parsed: Parsed) -> list[tuple[int, str]]:
    return [(block.level, block.text) for block in parsed.blocks]


def read(*pages: list[Say], **more: object) -> Parsed:
    return read_pdf(Pdf(pages, **more).data())  # type: ignore[arg-type]


def test_lines_become_paragraphs_and_larger_ones_headings() -> None:
    parsed = read(
        [
            Say(740, "Diabetes", size=18),
            *lines(
                LONG,
                "often in the evening, as the doctor said. Some people get a stomach",
                "ache at first.",
                top=710,
            ),
            *lines(LONG.replace("Metformin", "Insulin"), "often by themselves.", top=660),
            Say(620, "Side effects", size=14),
            *lines("Nausea.", top=600),
        ]
    )
    assert shown(parsed) == [
        (1, "Diabetes"),
        (0, f"{LONG} often in the evening, as the doctor said. Some people get a stomach ache at first."),
        (0, f"{LONG.replace('Metformin', 'Insulin')} often by themselves."),
        (2, "Side effects"),
        (0, "Nausea."),
    ]
    assert {block.pages for block in parsed.blocks} == {(1, 1)}


def test_a_bold_line_on_its_own_is_a_heading_and_bold_words_in_a_text_are_not() -> None:
    parsed = read(
        [
            Say(740, "How to store it", bold=True),
            *lines(LONG, "often. Keep it in a dry place.", top=720),
            Say(680, "Never share it.", bold=True),
        ]
    )
    assert [level for level, _ in shown(parsed)] == [1, 0, 0]


def test_a_word_that_was_parted_at_the_end_of_a_line_is_whole_again_and_a_compound_keeps_its_hyphen() -> None:
    wide = "The doctor looks at the results of the exami-"
    parsed = read(
        lines(
            wide,
            "nation, and asks how known causes are kept well-",
            "known. Sleep well, they say, and learn self-",
            "Control of sugar at home and when on holiday.",
        )
    )
    (text,) = (text for _, text in shown(parsed))
    assert "examination, and asks" in text
    assert "kept well-known. Sleep" in text
    assert "self-Control" in text


def test_a_hyphen_stays_where_the_document_writes_the_word_with_it() -> None:
    parsed = read(
        lines(
            "It is a long-term disease that needs care over all the years, and the long-",
            "term results are good if the care is good in all of them.",
        ),
    )
    assert "the long-term results" in parsed.blocks[0].text


def test_chinese_lines_are_joined_without_a_space() -> None:
    parsed = read(
        lines(
            "糖尿病患者应当控制饮食，定期检查血糖，每天步行三十分钟有好处，并且要按时服",
            "药，不可自行停药，如有不适及时就医。",
        )
    )
    assert shown(parsed) == [
        (
            0,
            "糖尿病患者应当控制饮食，定期检查血糖，每天步行三十分钟有好处，并且要按时服药，不可自行停药，如有不适及时就医。",
        )
    ]


def test_a_paragraph_goes_on_over_the_end_of_a_page() -> None:
    first = lines(LONG, "of the people who take it for years do so because it", top=100)
    parsed = read(first, lines("costs little and works.", "", top=700))
    (block,) = parsed.blocks
    assert block.text.endswith("because it costs little and works.")
    assert block.pages == (1, 2)


def test_running_titles_and_page_numbers_are_left_out_and_counted() -> None:
    texts = ["Nausea is common.", "Take it with food.", "Never take more.", "Ask your doctor."]
    parsed = read(
        *(
            [
                Say(760, f"Chapter {1 + page // 2}: Use   {page + 5}"),
                *lines(text),
                Say(30, "Clinic of Example, 2024"),
            ]
            for page, text in enumerate(texts)
        )
    )
    assert [text for _, text in shown(parsed)] == texts
    assert dict(parsed.dropped) == {"line at the top or bottom of many pages": 8}


def test_two_pages_alike_are_not_taken_for_running_titles() -> None:
    parsed = read(lines("Ask your doctor."), lines("Ask your doctor."))
    assert [text for _, text in shown(parsed)] == ["Ask your doctor.", "Ask your doctor."]


def test_a_document_that_only_repeats_itself_keeps_its_text() -> None:
    parsed = read(*(lines("Ask your doctor.") for _ in range(4)))
    assert len(parsed.blocks) == 4


def test_a_table_of_contents_is_left_out_and_counted() -> None:
    parsed = read(lines("1 Use . . . . . . . . . . 3", "2 Storage ............. iv", "Use it well."))
    assert [text for _, text in shown(parsed)] == ["Use it well."]
    assert dict(parsed.dropped) == {"line of a table of contents": 2}


def test_bookmarks_say_what_a_heading_is() -> None:
    pages = [
        [Say(740, "1 Use"), *lines("LOUD BUT NO HEADING", LONG, top=700, step=30)],
        lines("2 Storage", LONG, step=30),
    ]
    parsed = read(*pages, bookmarks=[("Use", 1), ("2. Storage", 2)])
    assert [text for level, text in shown(parsed) if level] == ["1 Use", "2 Storage"]


def test_the_cells_of_a_row_stand_between_bars() -> None:
    rows = [("Dose", "Age", "Times"), ("5 ml", "2 to 4", "two"), ("10 ml", "5 to 9", "three")]
    page = [
        Say(700 - 12 * number, cell, x=72 + 120 * column)
        for number, row in enumerate(rows)
        for column, cell in enumerate(row)
    ]
    assert shown(read(page)) == [(0, "Dose | Age | Times\n5 ml | 2 to 4 | two\n10 ml | 5 to 9 | three")]


def test_the_items_of_a_list_stay_on_their_lines() -> None:
    parsed = read(
        lines(
            "Ask about these:",
            "- the dose, and whether it is right for a child",
            "- the price",
            "1. the date",
        )
    )
    assert parsed.blocks[0].text.split("\n") == [
        "Ask about these:",
        "- the dose, and whether it is right for a child",
        "- the price",
        "1. the date",
    ]


@pytest.mark.parametrize(
    ("title", "expected"),
    [("A leaflet", "A leaflet"), ("", ""), ("Microsoft Word - leaflet.doc", ""), ("leaflet.indd", "")],
)
def test_the_title_is_taken_from_the_properties_unless_a_program_wrote_it(title: str, expected: str) -> None:
    assert read(lines(LONG), title=title).title == expected


def test_the_largest_letters_of_the_first_page_are_the_title_where_the_properties_have_none() -> None:
    assert read([Say(740, "About insulin", size=24), *lines(LONG, LONG)]).title == "About insulin"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (Pdf([lines("Secret")], encrypted=True).data(), "it is encrypted; save a copy without a password"),
        (Pdf([[], []]).data(), "there is no text in its 2 pages, as in a scan; .*ocrmypdf"),
        (b"%PDF-1.7\nnothing", "it is damaged; open it in a viewer"),
        (Pdf([lines("\ue001\ue002\ue003 \ue004")]).data(), "its fonts do not say which characters"),
    ],
)
def test_what_gives_no_text_is_refused_with_a_way_out(data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read_pdf(data)


def test_a_page_without_text_among_others_is_counted() -> None:
    parsed = read(lines("One."), [], lines("Three."))
    assert [block.pages for block in parsed.blocks] == [(1, 1), (3, 3)]
    assert dict(parsed.dropped) == {"page without text": 1}


def test_a_document_of_too_many_pages_is_refused_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "MAX_PAGES", 2)
    with pytest.raises(Unreadable, match="it has 3 pages; split it into parts of at most 2"):
        read(*(lines(text) for text in "abc"))


def test_radicals_and_ligatures_become_the_characters_that_they_stand_for() -> None:
    assert read(lines("⽤药须知，ﬁrst，⼀⽇三次")).blocks[0].text == "用药须知，first，一日三次"


def test_a_damaged_page_among_others_is_counted() -> None:
    data = Pdf([lines("One."), lines("Two."), lines("Three.")]).data()
    # The second page is no page any more.
    parts = data.split(b"/Type /Page /Parent")
    assert len(parts) == 4
    parsed = read_pdf(
        b"/Type /Page /Parent".join(parts[:2])
        + b"/Type /Pfui /Parent"
        + parts[2]
        + b"/Type /Page /Parent"
        + parts[3]
    )
    assert [block.text for block in parsed.blocks] == ["One.", "Three."]
    assert dict(parsed.dropped) == {"page that is damaged": 1}
