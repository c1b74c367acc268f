"""Labelled tables as instructions: a record with its label becomes a question and an answer.

A format, or the `task` of a source, makes a task of each record; a template puts it into words. Which
template that is depends on the seed and on the record's content, so that it is the same wherever the record
stands. To add a kind of task, write its file and its templates and put its configuration into `TaskConfig`;
to add a wording, write it into a file of `templates`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from instil.corpora.tasks.base import Labelled, Surface
from instil.corpora.tasks.classification import Classification, ClassificationConfig
from instil.corpora.tasks.extraction import Extraction, ExtractionConfig
from instil.corpora.tasks.matching import Matching, MatchingConfig
from instil.corpora.tasks.multiple_choice import MultipleChoice, MultipleChoiceConfig
from instil.corpora.tasks.reading_comprehension import ReadingComprehension, ReadingComprehensionConfig
from instil.corpora.tasks.summarization import Summarization, SummarizationConfig
from instil.corpora.tasks.translation import Translation, TranslationConfig

__all__ = [
    "Classification",
    "Extraction",
    "Labelled",
    "Matching",
    "MultipleChoice",
    "ReadingComprehension",
    "Summarization",
    "Surface",
    "TaskConfig",
    "Translation",
]

TaskConfig = Annotated[
    ClassificationConfig
    | MatchingConfig
    | ExtractionConfig
    | MultipleChoiceConfig
    | ReadingComprehensionConfig
    | SummarizationConfig
    | TranslationConfig,
    Field(discriminator="kind"),
]
