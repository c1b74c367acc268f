"""HTML: the text of a page with its structure, without what stands around it."""

from __future__ import annotations

import pytest

from instil.corpora.documents.document import Unreadable
from instil.corpora.documents.html import parse_html, read_html


def shown(html: str) -> list[tuple[int, str]]:
    return [(block.level, block.text) for block in parse_html(html).blocks]


def test_headings_paragraphs_lists_tables_and_code_are_kept() -> None:
    html = """
    <title>Metformin – Clinic</title>
    <h1>Metformin<a class="headerlink" href="#x">¶</a></h1>
    <p>Take it <b>with</b> fo<i>od</i>.<br>Twice
       a day.</p>
    <h2>Who <code>not</code></h2>
    <ul><li>Children<li>People with <p>sick kidneys</p><ol start="3"><li>third</ol><li>Others</ul>
    loose text
    <table><tr><th>Dose<th>Age<tr><td>500<br>mg<td><p>adults</p><p>only</p></table>
    <pre>
  if sick:
      stop()
</pre>
    <dl><dt>mg<dd>a weight</dl>"""
    assert shown(html) == [
        (1, "Metformin"),
        (0, "Take it with food.\nTwice a day."),
        (2, "Who not"),
        (0, "- Children\n- People with\n  sick kidneys\n  3. third\n- Others"),
        (0, "loose text"),
        (0, "Dose | Age\n500 mg | adults only"),
        (0, "  if sick:\n      stop()"),
        (0, "mg\n  a weight"),
    ]
    assert parse_html(html).title == "Metformin – Clinic"


def test_scripts_forms_and_hidden_parts_are_no_text() -> None:
    html = """<p>Text.<script>alert(1)</script><style>p{}</style></p><noscript>Switch it on.</noscript>
    <p hidden>a</p><p style="color:red; display: none">b</p><div aria-hidden="true">c</div>
    <form><input value="d"><select><option>e</select><button>f</button></form><svg><text>g</text></svg>
    <template>h</template><iframe>i</iframe>
    <div hidden>j<svg><style>k</style><g aria-hidden="true">l</g></svg><button hidden>m</button></div>"""
    assert shown(html) == [(0, "Text.")]


def test_navigation_and_the_like_is_left_out_and_counted() -> None:
    html = """<header>Clinic of Example <nav><a href="/">Home</a></nav></header>
    <div class="breadcrumbs"><a>Home</a> > <a>Leaflets</a></div>
    <article><header><h1>Metformin</h1></header>
    <p>Take it with food.</p><aside>Not with juice.</aside></article>
    <div id="cookie-banner">We use cookies. <a>More about them, and how to say no to them</a></div>
    <ul class="related"><li><a>Insulin</a></ul><footer>© Clinic</footer>"""
    assert shown(html) == [(1, "Metformin"), (0, "Take it with food."), (0, "Not with juice.")]
    assert dict(parse_html(html).dropped) == {"navigation and the like": 5}


def test_a_part_with_a_suspicious_name_but_much_text_is_kept() -> None:
    text = "How banners are hung, and why the menu of a clinic matters to people who stay there for long."
    assert shown(f'<div class="menu">{text}</div>') == [(0, text)]
    assert shown('<div class="menu">Soup $5</div>') == [(0, "Soup $5")]
    assert shown(f'<h2 class="header"><a class="header">Banners</a></h2><p>{text}') == [
        (2, "Banners"),
        (0, text),
    ]


def test_the_title_in_the_header_of_a_page_is_kept() -> None:
    assert shown("<header><h1>Metformin</h1><nav><a>x</a></nav></header><p>Text.") == [
        (1, "Metformin"),
        (0, "Text."),
    ]


def test_a_main_part_is_the_page_if_it_has_most_of_the_text() -> None:
    assert shown("<div>Around it.</div><main><p>This is what the page is about.</main>") == [
        (0, "This is what the page is about.")
    ]
    assert len(shown("<div>This is what the page is about, and more.</div><main><p>No.</main>")) == 2


def test_a_table_that_puts_a_page_into_columns_holds_no_data() -> None:
    html = "<table><tr><td><h2>Use</h2><p>With food.</p><td><table><tr><td>1<td>2</table></table>"
    assert shown(html) == [(2, "Use"), (0, "With food."), (0, "1 | 2")]


def test_broken_markup_of_any_depth_gives_its_text() -> None:
    assert shown("<p>One<div>Two</p></div></span>Three <b>four") == [
        (0, "One"),
        (0, "Two"),
        (0, "Three four"),
    ]
    assert shown("<div>" * 5000 + "deep") == [(0, "deep")]


def test_chinese_lines_are_joined_without_a_space() -> None:
    assert shown("<p>糖尿病患者\n   应当控制饮食，\n每天 walk\n三十分钟。") == [
        (0, "糖尿病患者应当控制饮食，每天 walk 三十分钟。")
    ]


@pytest.mark.parametrize(
    ("head", "written_in", "read_as"),
    [
        ('<meta charset="gb2312">', "gb18030", "gb18030"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=Shift_JIS">', "cp932", "cp932"),
        ('<?xml version="1.0" encoding="big5"?>', "big5", "big5hkscs"),
        ('<meta charset="iso-8859-1">', "utf-8", "utf-8"),  # a server's default, not what was written
        ("", "utf-16", "utf-16"),
    ],
)
def test_the_encoding_that_a_page_declares_is_used_where_it_fits(
    head: str, written_in: str, read_as: str
) -> None:
    text = "糖尿病" if written_in != "cp932" else "糖尿病の薬"
    parsed = read_html(f"<html><head>{head}</head><body><p>{text}</p>".encode(written_in))
    assert [block.text for block in parsed.blocks] == [text]
    assert (parsed.encoding, parsed.encoding_guessed) == (read_as, False)


def test_a_page_that_declares_nothing_says_that_its_encoding_was_told_from_the_bytes() -> None:
    parsed = read_html("<p>Les élèves français étudient à l’école.".encode("cp1252"))
    assert parsed.blocks[0].text == "Les élèves français étudient à l’école."
    assert (parsed.encoding, parsed.encoding_guessed) == ("cp1252", True)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(Unreadable, match="it is not text"):
        read_html(b"<html>" + bytes(range(256)) * 4)
