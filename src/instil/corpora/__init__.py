"""Where the rows of a mixture come from.

To add a kind of source, write its file and put its configuration into `CorpusConfig`; to add a
format, see `formats`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from instil.corpora.base import SourceConfigBase
from instil.corpora.files import FilesConfig
from instil.corpora.known import KnownConfig


class GeneratedConfig(SourceConfigBase):
    """The rows that this run generated, curated if the recipe has `curate`."""

    kind: Literal["generated"]
    name: str = Field(default="generated", min_length=1)
    """What the source is called in tables."""


CorpusConfig = Annotated[FilesConfig | KnownConfig | GeneratedConfig, Field(discriminator="kind")]
