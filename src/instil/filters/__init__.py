"""Which examples are kept, and why not.

To add a filter, write its file and put its configuration into `FilterConfig`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from instil.filters.contamination import ContaminationConfig
from instil.filters.grounded import GroundedConfig
from instil.filters.heuristics import HeuristicsConfig
from instil.filters.judged import JudgedConfig
from instil.filters.language import LanguageConfig
from instil.filters.leakage import LeakageConfig
from instil.filters.pii import PiiConfig
from instil.filters.refusal import RefusalConfig
from instil.filters.repetition import RepetitionConfig
from instil.filters.shape import LengthConfig
from instil.filters.similarity import RougeLConfig
from instil.filters.unsafe import UnsafeConfig

FilterConfig = Annotated[
    ContaminationConfig
    | GroundedConfig
    | HeuristicsConfig
    | JudgedConfig
    | LanguageConfig
    | LeakageConfig
    | LengthConfig
    | PiiConfig
    | RefusalConfig
    | RepetitionConfig
    | RougeLConfig
    | UnsafeConfig,
    Field(discriminator="kind"),
]
