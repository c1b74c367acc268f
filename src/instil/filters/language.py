"""Keep only examples in given languages.

The script of the words decides where it can: Han, kana, Hangul, Thai, Greek, Hebrew … Which of the
languages of a shared script it is (Latin, Cyrillic, Arabic, Devanagari) py3langid says, and only a
verdict that leaves hardly a doubt rejects: short instructions, lists of names and code look like any
language (docs/decisions/0009-language-identification.md).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from instil.config.base import Items
from instil.data.examples import Example, Rejection
from instil.errors import MissingPackage
from instil.filters.base import FilterConfigBase, Stateless, said_by
from instil.filters.scripts import LANGUAGES, count_scripts

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

_SCRIPT_OF = {language: script for script, languages in LANGUAGES.items() for language in languages}

# Languages that the model knows apart and a recipe does not.
_SAME = {"an": "es", "ext": "es", "pcm": "en", "nn": "no", "ary": "ar", "arz": "ar"}

# Languages that short texts hardly tell apart; who wants one of them keeps the others.
_NEAR = {
    "es": ("gl",),
    "pt": ("gl",),
    "gl": ("pt", "es"),
    "no": ("da",),
    "da": ("no",),
    "id": ("ms",),
    "ms": ("id",),
    "hr": ("bs", "sr"),
    "bs": ("hr", "sr"),
    "sr": ("hr", "bs"),
    "cs": ("sk",),
    "sk": ("cs",),
}

# Code, addresses, markup and what is quoted are in no language, or in one that the text is about.
_NO_PROSE = re.compile(
    r"(?s:```.*?(?:```|\Z))|`[^`\n]*`|https?://\S+|www\.\S+|[\w.+-]+@[\w-]+\.\S+"
    r"|</?[a-z][^<>\n]*>|&\w+;"
    r"|^[ \t]*(?:def|class|import|from|for|while|if|elif|else|return|print|public|private|function|var|let"
    r"|const|select|insert|update|create table|#include|using)\b.*[;:{}()\]='\"][ \t]*$"
    r"|^[\t -~]*(?:[;{}\]][ \t]*$|=>|==|\(\)|</)[\t -~]*$"
    r"|^[ \t]*(?:#include\b|from [\w.]+ import\b|import [\w.]+(?: as \w+)?[ \t]*$"
    r"|[a-z][a-z0-9_.\[\]]* ?[-+*/]?= ?\S).*$"
    r"|\"[^\"\n]*\"|“[^”\n]*”|「[^」\n]*」|『[^』\n]*』|《[^》\n]*》",
    re.IGNORECASE | re.MULTILINE,
)

# A question that speaks of a language or of code may be answered in it.
_MAY_DIFFER = re.compile(
    r"\b(?:translat|english|chinese|mandarin|french|german|spanish|italian|portuguese|russian|japanese|korean"
    r"|arabic|hindi|latin|greek|dutch|swedish|norwegian|danish|finnish|turkish|vietnamese|thai|polish|hebrew|indonesian"
    r"|swahili|languages?\b|cod(?:e|ing)\b|program|script\b|algorithm|function\b|regular expression)"
    r"|翻译|译成|译为|外语|语言|[英中法德日韩俄泰汉华梵]语|[英中法德日韩俄泰]文"
    r"|(?:西班牙|葡萄牙|意大利|阿拉伯|印地|拉丁|希腊|荷兰|瑞典|土耳其|越南|波兰|希伯来|印尼)[语文]"
    r"|代码|程序|编程|脚本|算法|函数|正则|网页|网站|数据库|查询|api|python|java|html|css|sql"
    # Chinese has no letters, no inflection and no affixes.
    r"|字母|单词|元音|辅音|前缀|后缀|动词|变位|拼写",
    re.IGNORECASE,
)

_LONGEST = 800  # characters that are looked at; a longer text does not change its language
_KANA = 0.1  # from this share of kana on, Han characters are Japanese
_QUOTED = 3  # from this many words of a script in the question on, the answer may be in that script
_CLEAR = 0.5  # probability that one language must have for a verdict


def _are_known(languages: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [language for language in languages if language not in _SCRIPT_OF]
    if unknown:
        known = ", ".join(sorted(_SCRIPT_OF))
        raise ValueError(f"{unknown[0]!r} is not a language that can be told; known: {known}")
    return languages


class LanguageConfig(FilterConfigBase):
    """Reject questions and answers that are clearly in another language than these.

    Code, links and quotations are left out; a question is judged by its first line, what stands below
    may be text to translate; and a question that speaks of a language or of code may be answered in it.
    """

    kind: Literal["language"]
    languages: Annotated[tuple[str, ...], Items, AfterValidator(_are_known)] = Field(min_length=1)
    """ISO 639-1 codes of the languages to keep, such as `zh` and `en`."""
    answers: bool = True
    """Whether answers are looked at too."""
    min_words: int = Field(default=4, gt=0)
    """Nothing is decided about a text with fewer words; in scripts without spaces characters count."""
    min_share: float = Field(default=0.3, gt=0, le=1)
    """A text that is mostly in another script is kept if this share of its words is in a wanted one."""
    certainty: float = Field(default=0.98, gt=0, lt=1)
    """Among languages of one script: how probable it must be that the text is in none of these."""

    def build(self) -> LanguageFilter:
        """Return the filter.

        Raises:
            MissingPackage: a wanted language shares its script with others, and py3langid is not installed.
        """
        shared = [each for each in self.languages if len(LANGUAGES[_SCRIPT_OF[each]]) > 1]
        if shared:
            _identifier()
        return LanguageFilter(self)


class LanguageFilter(Stateless):
    """Decides by script, then, within a script that several languages share, by py3langid."""

    def __init__(self, config: LanguageConfig) -> None:
        self._config = config
        self._scripts = {_SCRIPT_OF[language] for language in config.languages}
        self._accepted = {near for each in config.languages for near in (each, *_NEAR.get(each, ()))}

    def check(self, example: Example) -> Rejection | None:
        """Return a rejection that names the language or script, or None."""
        questions = list(said_by("user", example))
        for question in questions:
            other = self._other(self._first_line(question))
            if other:
                return _rejection(example, "question", *other)
        if self._config.answers and not any(map(_MAY_DIFFER.search, questions)):
            quoted = count_scripts("\n".join(questions))
            for answer in said_by("assistant", example):
                other = self._other(answer)
                if other and quoted[other[0]] < _QUOTED:
                    return _rejection(example, "answer", *other)
        return None

    def _first_line(self, question: str) -> str:
        """Return the first line, or the whole question if that line is too short to tell."""
        line = question.strip().partition("\n")[0]
        return line if count_scripts(line).total() >= self._config.min_words else question

    def _other(self, text: str) -> tuple[str, float] | None:
        """Return the language or script of a text that is in no wanted language, and how sure that is."""
        prose = _NO_PROSE.sub(" ", text[:_LONGEST])
        scripts = count_scripts(prose)
        if scripts["kana"] >= _KANA * (scripts["Han"] + scripts["kana"]):
            scripts["kana"] += scripts.pop("Han", 0)
        total = scripts.total()
        if total < self._config.min_words:
            return None
        main = max(scripts, key=lambda script: scripts[script])
        if main in self._scripts:
            return self._unwanted(prose) if len(LANGUAGES[main]) > 1 else None
        share = sum(scripts[script] for script in self._scripts) / total
        return (main, 1 - share) if share < self._config.min_share else None

    def _unwanted(self, prose: str) -> tuple[str, float] | None:
        probabilities: Counter[str] = Counter()
        for language, probability in _identifier().rank(prose):
            probabilities[_SAME.get(language, language)] += probability
        [(language, probability)] = probabilities.most_common(1)
        other = 1 - sum(probabilities[each] for each in self._accepted)
        sure = other >= self._config.certainty and probability >= _CLEAR
        # What it takes for a rare language is a list of names, a cipher or notes.
        return (language, other) if sure and language in _SCRIPT_OF else None


def most_probable(text: str, languages: Sequence[str]) -> str:
    """Return which of some languages a text most probably is in.

    Raises:
        MissingPackage: py3langid is not installed.
    """
    probabilities: Counter[str] = Counter()
    for found, probability in _identifier().rank(text):
        probabilities[_SAME.get(found, found)] += probability
    return max(languages, key=lambda each: (probabilities[each], each))


@cache
def _identifier() -> LanguageIdentifier:
    # Takes most of a second to load; only recipes that use it pay.
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ModuleNotFoundError as error:
        raise MissingPackage("the filter 'language'", "py3langid", "filters") from error
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _rejection(example: Example, part: str, language: str, sure: float) -> Rejection:
    reason = f"{part} in another language: {language}"
    return Rejection(filter="language", reason=reason, example=example, score=round(float(sure), 4))
