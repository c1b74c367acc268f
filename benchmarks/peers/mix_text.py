"""Texts for the benchmark of mixing: recombined sentences, and what is done to copies of them.

No piece of a pool would be changed by cleaning, so that only what is soiled here on purpose is dirty.
"""

from __future__ import annotations

import html
import random
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import orjson

from instil.data.words import words

Language = Literal["en", "zh"]
Turns = list[str]
"""Question, answer, question, answer, …"""

_SENTENCE = {"en": re.compile(r"(?<=[.!?])\s+"), "zh": re.compile(r"(?<=[。！？；])\s*")}
_LENGTHS = {"en": (20, 300), "zh": (8, 120)}
_NOTE = {"en": "Note {}.", "zh": "记录{}。"}
_CASE = {"en": "(case {})", "zh": "（编号{}）"}
_GAP = {"en": " ", "zh": ""}
_SHINGLE = 5
_CONTROLS = "\x01\x02\x07\x08\x7f"
# A text that holds or is about markup may mean its entities; whether they are read is a matter of taste.
_UNSURE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff`<>&]|html|xml|css|entit|encod|escap|markup|javascript|转义|实体|网页",
    re.I,
)

# Sentences that only look right again when accents are composed, mojibake is undone, entities are read.
_CLEAN = {
    "en": (
        "The café on the corner serves crème brûlée and a naïve little soufflé.",
        "“It won’t take long,” she said — and it didn’t.",
        'Salt & pepper are enough when 3 < 5 holds and nobody says "no".',
        "São Paulo, Zürich and Málaga were the señor’s favourite cities.",
    ),
    "zh": (
        "医生写道：“Ménière 病与 Sjögren 综合征需要分开诊断。”",
        "血压 < 140 & 心率正常时可以继续服药。",
        "患者在 Zürich 的 Café 里突然晕倒。",
    ),
}


def decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def entities(text: str) -> str:
    return html.escape(text)


def mojibake(text: str) -> str:
    """Return UTF-8 read as Windows' Western code page, where that is possible; else decomposed."""
    try:
        return text.encode().decode("cp1252")
    except UnicodeDecodeError:
        return decomposed(text)


def _soiled(text: str) -> list[str]:
    spoilt = [decomposed(text), entities(text)]
    # Ideographs read as a Western page cannot always be told from text that means what it says.
    spoilt += [mojibake(text)] if all(ord(char) < 0x2E80 for char in text) else []
    return [each for each in spoilt if each != text]


SOILED = {
    language: tuple(each for text in texts for each in _soiled(text)) for language, texts in _CLEAN.items()
}


def soil(text: str, rng: random.Random) -> str:
    """Return a text that is the same again when it is cleaned: with a control character, or entities."""
    if "'" in text and rng.random() < 0.5:
        return text.replace("'", "&#39;")
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(_CONTROLS) + text[at:]


@dataclass
class Pool:
    """What the texts of one source are made of."""

    language: Language
    questions: list[str] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)

    @property
    def gap(self) -> str:
        return _GAP[self.language]

    def answer(self, rng: random.Random, mean: float) -> str:
        """Return at least four sentences, `mean` of them in the long run."""
        count = 4 + min(60, int(rng.expovariate(1 / (mean - 3.5))))
        return self.gap.join(rng.choices(self.sentences, k=count))

    def conversation(self, rng: random.Random, number: int, turns: int, mean: float) -> Turns:
        """Return questions and answers; the first question and the last answer hold the number."""
        questions = rng.choices(self.questions, k=turns)
        questions[0] += self.gap + _CASE[self.language].format(number)
        found = [text for question in questions for text in (question, self.answer(rng, mean / turns + 2))]
        found[-1] += self.gap + _NOTE[self.language].format(number)
        return found

    @property
    def sentence_bytes(self) -> float:
        some = self.sentences[:20_000]
        return sum(len(each.encode()) for each in some) / len(some) + len(self.gap)


def pool(language: Language, pairs: Iterable[tuple[str, str]]) -> Pool:
    """Return the questions and the different sentences of the answers, as cleaning leaves them."""
    found = Pool(language)
    seen: set[str] = set()
    shortest, longest = _LENGTHS[language]
    is_clean = _check()
    for question, answer in pairs:
        question = question.strip()[: 2 * longest]
        if question and is_clean(question):
            found.questions.append(question)
        for sentence in _SENTENCE[language].split(answer):
            sentence = sentence.strip()
            if shortest <= len(sentence) <= longest and sentence not in seen and is_clean(sentence):
                seen.add(sentence)
                found.sentences.append(sentence)
    return found


def _check() -> Callable[[str], bool]:
    import ftfy

    config = ftfy.TextFixerConfig(uncurl_quotes=False, fix_character_width=False, fix_latin_ligatures=False)

    def is_clean(text: str) -> bool:
        return not _UNSURE.search(text) and (text.isascii() or ftfy.fix_text(text, config) == text)

    return is_clean


def reworded(turns: Turns, language: Language, rng: random.Random) -> tuple[Turns, float] | None:
    """Return a conversation with one to three words of its last answer changed, and the Jaccard similarity.

    The similarity is exact, of the sets of 5-grams of words; None where it would be less than 0.9.
    """
    parts = turns[-1].split(" ") if language == "en" else list(turns[-1])
    # What follows the last sentence is the number.
    places = [at for at, part in enumerate(parts[: -2 if language == "en" else -12]) if part.isalpha()]
    if len(places) < 20:
        return None
    before = shingles(turns)
    others = [parts[at] for at in places]
    for count in (rng.randint(1, 3), 1):
        changed = parts.copy()
        for at in rng.sample(places, count):
            changed[at] = rng.choice(others)
        again = [*turns[:-1], _GAP[language].join(changed)]
        after = shingles(again)
        similarity = len(before & after) / len(before | after)
        if 0.9 <= similarity < 1.0:
            return again, similarity
    return None


def shingles(turns: Turns) -> set[tuple[str, ...]]:
    """Return the 5-grams of words; none crosses the end of a text."""
    found: set[tuple[str, ...]] = set()
    for text in turns:
        tokens = words(text)
        found.update(zip(*(tokens[start:] for start in range(_SHINGLE)), strict=False))
    return found


def records(path: Path) -> list[dict[str, Any]]:
    """Return the records of a JSON list or of JSON Lines; nothing of a list that is broken."""
    content = path.read_bytes()
    if content.lstrip().startswith(b"["):
        try:
            return list(orjson.loads(content))
        except orjson.JSONDecodeError:
            return []
    return [orjson.loads(line) for line in content.splitlines()]


def pairs(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the questions and answers of a record."""
    if "instruction" in record:
        yield f"{record['instruction']}\n{record.get('input') or ''}".strip(), record["output"]
        return
    turns = record.get("conversations") or record["messages"]
    texts = [turn.get("value") or turn.get("content") or "" for turn in turns]
    for at, (question, answer) in enumerate(pairwise(texts)):
        if at % 2 == 0:
            yield question, answer
