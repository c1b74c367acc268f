"""HTML: what a reader of the page came for, as headings, paragraphs, lists, tables and code.

Scripts, forms and navigation are not text. Nothing that the page refers to is fetched.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from instil.corpora.documents.document import Block, Parsed
from instil.corpora.documents.encoding import decode
from instil.corpora.documents.joining import unwrap

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DECLARED = re.compile(rb"<(?:meta|\?xml)[^>]{0,200}?(?:charset|encoding)\s*=\s*[\"']?\s*([\w.:-]+)", re.I)
_NO_TEXT = "script, style, noscript, template, iframe, object, embed, canvas, svg, video, audio, head, map"
_CONTROLS = "button, select, textarea, input, datalist, dialog"
_ANCHORS = "a.headerlink, a.anchor, a.anchorjs-link, .mw-editsection"
_HIDDEN = "[hidden], [aria-hidden=true]:not(math *), [style*='display:none'], [style*='display: none']"
_FURNITURE = "nav, [role=navigation], [role=search], [role=banner], [role=contentinfo], [role=menu]"
_FURNITURE += ", [role=complementary], .skip-link"
_AROUND = ("header", "footer", "aside")  # belong to the page, unless they stand inside its text
_PARTS = _names("div section ul ol dl table form figure p")
_WORDS = re.compile(r"[a-z]+")
# Words of a class or id that name what stands around a text …
_NAMES = _names(
    """advert advertisement ads banner breadcrumb breadcrumbs byline comments consent cookie cookies
    footer gdpr header masthead menu nav navbar navigation newsletter pagination pager popup promo
    related share sharing sidebar social sponsor sponsored subscribe tags toolbar topbar widget"""
)
_MOSTLY_LINKS = 0.5  # … which is believed of a part whose text is for this share links,
_SHORT = 30  # or that has at most this many characters of other text.
_MAIN_SHARE = 0.4  # a `main` with less of the page's text is a frame without its picture


def read_html(data: bytes) -> Parsed:
    """Return the text of a page.

    Raises:
        ModuleNotFoundError: selectolax is not installed.
        Unreadable: its encoding cannot be told.
    """
    declared = _DECLARED.search(data[:4096])
    text, encoding, guessed = decode(data, declared[1].decode("ascii", "replace") if declared else None)
    parsed = parse_html(text)
    return parsed.model_copy(update={"encoding": encoding, "encoding_guessed": guessed})


def parse_html(html: str) -> Parsed:
    """Return the text of a page that is decoded already."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(html)
    title = tree.css_first("title")
    shown = unwrap(title.text()) if title else ""
    for node in _outermost(tree.css(", ".join((_NO_TEXT, _CONTROLS, _ANCHORS, _HIDDEN)))):
        node.decompose()
    dropped: Counter[str] = Counter()
    for node in _around(tree):
        dropped["navigation and the like"] += bool(node.text(strip=True))
        node.decompose()
    root = _main(tree)
    return Parsed(blocks=tuple(_Walk(root).blocks()) if root else (), title=shown, dropped=+dropped)


def _around(tree: LexborHTMLParser) -> list[LexborNode]:
    """Return the parts of a page that are not its text."""
    found = list(tree.css(_FURNITURE))
    found += [
        node
        for node in tree.css(", ".join(_AROUND))
        # The title of a page often stands in a header of its own.
        if not _inside(node, _is_text) and not (node.tag == "header" and node.css_first("h1"))
    ]
    found += [node for node in tree.css("[class], [id]") if _named(node) and _little_but_links(node)]
    return _outermost(found)


def _outermost(found: list[LexborNode]) -> list[LexborNode]:
    """Return each node once, without those inside another, which are gone when that one is taken out."""
    marked = {node.mem_id: node for node in found}
    return [node for node in marked.values() if not _inside(node, lambda above: above.mem_id in marked)]


def _named(node: LexborNode) -> bool:
    if node.tag not in _PARTS:
        return False
    names = f"{node.attributes.get('class') or ''} {node.attributes.get('id') or ''}".lower()
    return not _NAMES.isdisjoint(_WORDS.findall(names))


def _little_but_links(node: LexborNode) -> bool:
    links = sum(len(link.text(strip=True)) for link in node.css("a"))
    size = len(node.text(strip=True))
    return links > 0 and (size - links <= _SHORT or links >= _MOSTLY_LINKS * size)


def _inside(node: LexborNode, test: Callable[[LexborNode], bool]) -> bool:
    """Return whether one of the nodes above a node passes a test."""
    above = node.parent
    while above is not None and not test(above):
        above = above.parent
    return above is not None


def _is_text(node: LexborNode) -> bool:
    return node.tag in ("main", "article")


def _main(tree: LexborHTMLParser) -> LexborNode | None:
    body = tree.body
    if body is None:
        return None
    for selector in ("main, [role=main]", "article"):
        found = tree.css(selector)
        if len(found) == 1 and len(found[0].text(strip=True)) >= _MAIN_SHARE * len(body.text(strip=True)):
            return found[0]
    return body


_BREAKING = _names(
    """address article aside blockquote body br caption center dd details div dl dt fieldset
    figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main ol p pre
    section summary table tbody td tfoot th thead tr ul"""
)
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")


class _Walk:
    """Walks a tree once, without recursion, and gathers lines into blocks.

    A list or table of any depth is one block of many lines; an item begins with its mark, the cells
    of a row stand between bars.
    """

    def __init__(self, root: LexborNode) -> None:
        self._root = root
        self._blocks: list[Block] = []
        self._lines: list[str] = []
        self._inline: list[str] = []
        self._lists: list[int | None] = []
        self._tables: list[bool] = []
        self._rows: list[list[str]] = []
        self._pre = 0
        self._mark = ""

    def blocks(self) -> list[Block]:
        """Return the blocks below the root."""
        stack: list[tuple[LexborNode, bool]] = [(self._root, True)]
        while stack:
            node, entering = stack.pop()
            if node.is_text_node:
                self._inline.append(node.text_content or "")
            elif (node.tag or "") in _BREAKING:
                if entering:
                    self._enter(node, node.tag or "")
                    stack.append((node, False))
                else:
                    self._leave(node.tag or "")
            if entering:
                stack += [(child, True) for child in reversed(list(node.iter(include_text=True)))]
        self._end_block()
        return self._blocks

    @property
    def _inside(self) -> bool:
        """Whether a list or a table of data is open, which ends as one block."""
        return bool(self._lists) or any(self._tables)

    def _enter(self, node: LexborNode, tag: str) -> None:
        self._end_line()
        if not self._inside and tag != "br":
            self._end_block()
        if tag == "pre":
            self._pre += 1
        elif tag == "table":
            self._tables.append(_holds_data(node))
        elif tag == "tr" and any(self._tables):
            self._rows.append([])
        elif tag in ("ol", "ul", "dl"):
            self._lists.append(_first_number(node) if tag == "ol" else None)
        elif tag in ("li", "dt", "dd") and self._lists:
            self._mark = self._item(tag)

    def _item(self, tag: str) -> str:
        """Return what stands before the next item of the innermost list."""
        number, indent = self._lists[-1], "  " * (len(self._lists) - 1)
        if tag != "li":
            return indent + "  " * (tag == "dd")
        if number is None:
            return indent + "- "
        self._lists[-1] = number + 1
        return f"{indent}{number}. "

    def _leave(self, tag: str) -> None:
        if tag in _HEADINGS and not self._inside:
            self._heading(int(tag[1]))
            return
        if tag in ("td", "th") and self._rows:
            self._rows[-1].append(self._take())
            return
        self._end_line()
        if tag == "pre":
            self._pre -= 1
        elif tag == "tr" and self._rows:
            row = self._rows.pop()
            if any(row):
                self._add(" | ".join(row))
        elif tag == "table":
            self._tables.pop()
        elif tag in ("ol", "ul", "dl"):
            self._lists.pop()
        if not self._inside and tag != "br":
            self._end_block()

    def _heading(self, level: int) -> None:
        text = self._take().replace("\n", " ")
        self._end_block()
        if text:
            self._blocks.append(Block(text=text, level=level))

    def _take(self) -> str:
        text = unwrap("".join(self._inline))
        self._inline.clear()
        return text

    def _end_line(self) -> None:
        if self._rows:
            # Lines of a cell stay in the cell.
            self._inline.append(" ")
        elif self._pre:
            source = "".join(self._inline).strip("\n")
            self._inline.clear()
            self._lines += [source] if source.strip() else []
        elif text := self._take():
            self._lines.append(self._mark + text)
            self._mark = "  " * len(self._lists)

    def _add(self, line: str) -> None:
        if self._rows:
            self._inline.append(f"{line} ")
        else:
            self._lines.append(line)

    def _end_block(self) -> None:
        self._end_line()
        text = "\n".join(self._lines).strip("\n")
        self._lines.clear()
        self._mark = ""
        if text.strip():
            self._blocks.append(Block(text=text))


def _first_number(node: LexborNode) -> int:
    start = node.attributes.get("start") or ""
    return int(start) if re.fullmatch(r"\d{1,6}", start) else 1


def _holds_data(table: LexborNode) -> bool:
    """Return whether a table is one; others put a page into columns."""
    return len(table.css("table")) == 1 and table.css_first("h1, h2, h3, h4, h5, h6, pre") is None
