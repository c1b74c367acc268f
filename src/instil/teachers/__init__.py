"""Ask a model for text: the kinds of teacher, and the layers around each.

To add a kind, write its file and put its configuration into `TeacherConfig`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Annotated, Any

from pydantic import Field

from instil.teachers.base import SAMPLING_FIELDS, Teacher, TeacherConfigBase
from instil.teachers.budgeted import BudgetedTeacher, Ledger
from instil.teachers.journaling import Journal, JournalingTeacher
from instil.teachers.openai_compatible import OpenAICompatibleConfig
from instil.teachers.recorded import RecordedConfig
from instil.teachers.retrying import RetryingTeacher

TeacherConfig = Annotated[OpenAICompatibleConfig | RecordedConfig, Field(discriminator="kind")]


def teacher_identity(config: TeacherConfigBase) -> dict[str, Any]:
    """Return what of a teacher decides its answers besides the request: its kind, address and model."""
    return {key: value for key, value in config.identity().items() if key not in SAMPLING_FIELDS}


@asynccontextmanager
async def open_teacher(
    config: TeacherConfigBase, home: Path, journal: Journal, ledger: Ledger, jitter: Random
) -> AsyncIterator[Teacher]:
    """Open a teacher with its layers.

    The order matters: a journaled answer spends no budget, and a budget reserves once for all the
    attempts of one call.
    """
    async with config.open(home) as teacher:
        patient = RetryingTeacher(teacher, attempts=config.max_attempts, jitter=jitter)
        yield JournalingTeacher(BudgetedTeacher(patient, ledger), journal)
