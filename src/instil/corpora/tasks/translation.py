"""Translation: a text in two languages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import field_validator

from instil.corpora.base import Record
from instil.corpora.columns import Column, texts
from instil.corpora.tasks.base import Labelled, Surface
from instil.corpora.tasks.config import TaskConfigBase
from instil.corpora.tasks.language import LANGUAGES, Language

_CODE_LENGTHS = (2, 3)

# ISO 639-1, as English and Chinese call them.
NAMES: dict[str, tuple[str, str]] = {
    "ar": ("Arabic", "阿拉伯语"),
    "bn": ("Bengali", "孟加拉语"),
    "cs": ("Czech", "捷克语"),
    "da": ("Danish", "丹麦语"),
    "de": ("German", "德语"),
    "el": ("Greek", "希腊语"),
    "en": ("English", "英语"),
    "es": ("Spanish", "西班牙语"),
    "fa": ("Persian", "波斯语"),
    "fi": ("Finnish", "芬兰语"),
    "fr": ("French", "法语"),
    "he": ("Hebrew", "希伯来语"),
    "hi": ("Hindi", "印地语"),
    "hu": ("Hungarian", "匈牙利语"),
    "id": ("Indonesian", "印尼语"),
    "it": ("Italian", "意大利语"),
    "ja": ("Japanese", "日语"),
    "km": ("Khmer", "高棉语"),
    "ko": ("Korean", "韩语"),
    "ms": ("Malay", "马来语"),
    "nl": ("Dutch", "荷兰语"),
    "no": ("Norwegian", "挪威语"),
    "pl": ("Polish", "波兰语"),
    "pt": ("Portuguese", "葡萄牙语"),
    "ro": ("Romanian", "罗马尼亚语"),
    "ru": ("Russian", "俄语"),
    "sv": ("Swedish", "瑞典语"),
    "sw": ("Swahili", "斯瓦希里语"),
    "ta": ("Tamil", "泰米尔语"),
    "th": ("Thai", "泰语"),
    "tr": ("Turkish", "土耳其语"),
    "uk": ("Ukrainian", "乌克兰语"),
    "ur": ("Urdu", "乌尔都语"),
    "vi": ("Vietnamese", "越南语"),
    "zh": ("Chinese", "中文"),
}


@dataclass(frozen=True, slots=True)
class Translation(Labelled):
    """A text and its translation."""

    kind: ClassVar[str] = "translation"
    names: ClassVar[frozenset[str]] = frozenset({"source", "source_language", "target_language"})

    source: str
    target: str
    source_language: str
    """A code of `NAMES`, or a language's name in words."""
    target_language: str

    def written(self) -> str:
        """Return the translation."""
        return self.target

    def content(self) -> tuple[str, ...]:
        """Return both texts."""
        return self.source, self.target

    def languages(self) -> tuple[Language, ...]:
        """Return Chinese, English or both, whichever the texts are in; English for two others."""
        texts_in = (self.source_language, self.target_language)
        return tuple(each for each in LANGUAGES if each in texts_in) or ("en",)

    def surface(self, form: str, language: Language) -> Surface:  # noqa: ARG002
        """Return the translation."""
        return Surface(self.target)

    def say(self, name: str, language: Language) -> str:
        """Return the text, or what a language is called in another."""
        said: str = getattr(self, name)
        if name == "source":
            return said
        return NAMES[said][LANGUAGES.index(language)] if said in NAMES else said


class TranslationConfig(TaskConfigBase):
    """A text in two languages. Templates can say `source`, `source_language` and `target_language`."""

    task = Translation

    kind: Literal["translation"]
    source: Column
    """The column of the text."""
    target: Column
    """The column of its translation."""
    source_language: str
    """The language of the text: a code such as `en`, or its name in words."""
    target_language: str
    """The language of the translation."""

    @field_validator("source_language", "target_language")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in NAMES and len(value) in _CODE_LENGTHS and value.isascii():
            raise ValueError(
                f"{value!r} is not one of {', '.join(NAMES)}; another language is named in words"
            )
        return value

    def labelled(self) -> Callable[[Record], Labelled]:
        """Return what makes a task of a record."""
        source, target = texts(self.source), texts(self.target)
        languages = self.source_language, self.target_language
        return lambda record: Translation(source(record), target(record), *languages)
