"""Seed tasks, entities and a prompt template, through a teacher, to examples.

Calls are made as fast as the teacher bears them; their answers are on disk, in the journal, before
anything looks at them, and are read in the order of the calls. So the result depends on the answers
and not on when they came, and everything after a paid answer can be done again for free.
"""

from __future__ import annotations

from instil.stages.base import Stage
from instil.stages.generate.config import GenerateConfig
from instil.stages.generate.estimate import estimate
from instil.stages.generate.run import build_requests, run

__all__ = ["GENERATE", "GenerateConfig", "build_requests"]


def _preflight(config: GenerateConfig) -> None:
    config.teacher.preflight()
    for each in config.filters:
        # Finds a missing package and a list that cannot be used before anything is asked.
        each.build()
    config.mode.preflight()


GENERATE = Stage[GenerateConfig](
    name="generate",
    version=2,
    reads=(("seeds",),),
    run=run,
    preflight=_preflight,
    estimate=estimate,
)
