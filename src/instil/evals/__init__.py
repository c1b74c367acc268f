"""Benchmarks, one file each.

To add one, write its file and put its configuration into `BenchmarkConfig`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from instil.evals.answers import AnswersConfig
from instil.evals.loss import LossConfig

BenchmarkConfig = Annotated[AnswersConfig | LossConfig, Field(discriminator="kind")]
