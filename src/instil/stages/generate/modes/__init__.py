"""The ways to generate: which calls are made, and how their answers are read.

To add one, write its file and put its configuration into `ModeConfig`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from instil.stages.generate.modes.answer import AnswerMode
from instil.stages.generate.modes.base import Draft, Mode, Setting, Step
from instil.stages.generate.modes.document import DocumentMode
from instil.stages.generate.modes.evolve import EvolveMode
from instil.stages.generate.modes.series import BootstrapMode, DialogueMode, SeedMode

__all__ = ["Draft", "Mode", "ModeConfig", "SeedMode", "Setting", "Step"]


def _by_name(value: object) -> object:
    """Let a mode without options be written as its name."""
    return {"kind": str(value)} if isinstance(value, str) else value


ModeConfig = Annotated[
    Annotated[
        SeedMode | BootstrapMode | DialogueMode | AnswerMode | EvolveMode | DocumentMode,
        Field(discriminator="kind"),
    ],
    BeforeValidator(_by_name),
]
