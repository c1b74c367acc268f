"""Which examples are kept, and why not.

To add a filter, write its file and put its configuration into `FilterConfig`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from instil.filters.contamination import ContaminationConfig
from instil.filters.shape import LengthConfig
from instil.filters.similarity import RougeLConfig

FilterConfig = Annotated[ContaminationConfig | LengthConfig | RougeLConfig, Field(discriminator="kind")]
