"""Questions and answers that rest on the user's documents: the mode `document`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from heapq import nsmallest
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from instil.config.base import InputPath, Items
from instil.corpora.base import Failure
from instil.corpora.documents import Passage, passages, preflight, read_documents
from instil.data.examples import Example
from instil.data.messages import Message, ask
from instil.data.random import rank
from instil.errors import StageError
from instil.stages.generate.calls import Call, plan_calls, random_calls
from instil.stages.generate.modes.base import Mode, ModeConfigBase, Read, Setting, drafted
from instil.stages.generate.modes.schemas import GROUNDED_ITEMS, Schema
from instil.stages.generate.parse import Malformed, parse_items


class DocumentMode(ModeConfigBase):
    """Each call shows a passage of the user's documents, which is kept with every item as its evidence."""

    kind: Literal["document"]
    documents: Annotated[tuple[InputPath, ...], Items] = Field(min_length=1)
    """Files or directories: text, Markdown, HTML, PDF or DOCX."""
    max_words: int = Field(default=350, gt=0)
    """Most words of a passage; in scripts without spaces, characters."""
    overlap_words: int = Field(default=0, ge=0)
    """Words of the passage before that a passage repeats."""
    min_words: int = Field(default=20, ge=0)
    """A passage of fewer words than this is joined with its neighbour where it can be."""
    unreadable: Literal["stop", "skip"] = "stop"
    """What happens when a document cannot be read: nothing is asked, or it is left out and listed in the
    manifest."""

    @model_validator(mode="after")
    def _can_be_cut(self) -> DocumentMode:
        if 2 * self.overlap_words > self.max_words:
            raise ValueError("overlap_words is more than half of max_words")
        if self.min_words > self.max_words:
            raise ValueError("min_words is larger than max_words")
        return self

    @property
    def packaged_prompt(self) -> str:
        """The packaged prompt that is used where the recipe names none."""
        return "document"

    @property
    def template_values(self) -> frozenset[str]:
        """What a template can use in this mode besides seeds, entities, attributes and item_count."""
        return frozenset({"passage"})

    @property
    def unused(self) -> frozenset[str]:
        """Settings of `generate` that would change nothing in this mode."""
        return frozenset({"answers", "wave_calls"})

    def open(self, setting: Setting) -> Mode:
        """Return the mode, ready to make calls.

        Raises:
            StageError: a document cannot be read, or there is no text in any.
        """
        found: list[Passage] = []
        problems = []
        read = 0
        for each in read_documents(self.documents):
            if isinstance(each, Failure):
                problems.append(f"{each.place}: {each.reason}")
            else:
                read += 1
                found += passages(
                    each, max_words=self.max_words, overlap_words=self.overlap_words, min_words=self.min_words
                )
        if problems and self.unreadable == "stop":
            raise StageError(
                "\n       ".join(problems),
                hint="mend these documents, take them away, or set generate.mode.unreadable: skip",
            )
        if not found:
            raise StageError("generate.mode.documents: there is no text in them")
        return _Documents(setting, found, {"read": read, "passages": len(found), "left out": problems})

    def preflight(self) -> None:
        """Find a missing file or package before anything starts."""
        preflight(self.documents)


class _Documents:
    """Every passage comes equally often; what is missing is asked of those that gave least."""

    def __init__(self, setting: Setting, found: list[Passage], read: dict[str, Any]) -> None:
        self.details = {"documents": read}
        assert setting.prompt is not None
        self._setting, self._template, self._passages = setting, setting.prompt, found
        self._kept = [0] * len(found)
        self._series = plan_calls(setting.plan) if setting.evenly else random_calls(setting.plan)
        # Where not every passage gets its turn, they are taken from all over the documents.
        seed = setting.plan.random_for("passages").getrandbits(32)
        self._order = sorted(range(len(found)), key=lambda place: rank(seed, found[place].id, place))

    def waves(self) -> Iterator[Iterable[Call]]:
        """Yield one wave."""
        count, many = math.ceil(self._setting.num_examples / self._setting.plan.items), len(self._order)
        # A step aside when passages and cells begin together again, or each would meet the same ones.
        together = math.lcm(many, len(self._setting.plan.cells))
        yield (self._call(self._order[(n + n // together) % many]) for n in range(count))

    def more(self, missing: int) -> Iterable[Call]:
        """Return calls for the passages that gave least."""
        count = math.ceil(missing / self._setting.plan.items)
        return [self._call(place) for place in nsmallest(count, self._order, key=self._kept.__getitem__)]

    def messages(self, call: Call) -> tuple[Message, ...]:
        """Return the filled template."""
        return ask(self._template.render(call, {"passage": call.passage}), system=self._setting.system)

    def schema(self, call: Call) -> Schema:  # noqa: ARG002
        """Return the form of items with their evidence."""
        return GROUNDED_ITEMS

    def read(self, call: Call, text: str, *, cut_off: bool) -> Iterator[Read]:
        """Yield the items of an answer, each with the passage that it rests on."""
        assert call.passage is not None
        for item in parse_items(text, cut_off=cut_off):
            if isinstance(item, Malformed):
                yield item
            else:
                yield drafted(item, call.passage.evidence(item.evidence))

    def keep(self, call: Call, example: Example) -> None:  # noqa: ARG002
        """Count what the passage gave."""
        self._kept[call.place] += 1

    def _call(self, place: int) -> Call:
        return replace(next(self._series), passage=self._passages[place], place=place)
