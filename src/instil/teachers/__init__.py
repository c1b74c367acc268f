"""Ask a model for text: the kinds of teacher, and the layers around each.

To add a kind, write its file and put its configuration into `TeacherConfig`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Annotated

from pydantic import Field

from instil.teachers.anthropic import AnthropicConfig
from instil.teachers.base import Teacher, TeacherConfigBase, teacher_identity
from instil.teachers.batch import BatchConfig
from instil.teachers.budgeted import BudgetedTeacher, Ledger
from instil.teachers.ernie import ErnieConfig
from instil.teachers.journaling import Journal, JournalingTeacher
from instil.teachers.limited import LimitedTeacher
from instil.teachers.local import LocalConfig
from instil.teachers.openai_compatible import OpenAICompatibleConfig
from instil.teachers.rates import PacedTeacher
from instil.teachers.recorded import RecordedConfig
from instil.teachers.retrying import RetryingTeacher
from instil.teachers.traffic import Traffic

TALLIES = "spent"
"""Name of the directory of a run in which budgets remember what calls without an answer may have cost."""

__all__ = ["TeacherConfig", "open_teacher", "teacher_identity"]

TeacherConfig = Annotated[
    OpenAICompatibleConfig | ErnieConfig | AnthropicConfig | BatchConfig | LocalConfig | RecordedConfig,
    Field(discriminator="kind"),
]


@asynccontextmanager
async def open_teacher(
    config: TeacherConfigBase,
    home: Path,
    journal: Journal,
    ledger: Ledger,
    jitter: Random,
    traffic: Traffic | None = None,
) -> AsyncIterator[Teacher]:
    """Open a teacher with its layers.

    The order matters. A journaled answer spends nothing and waits for nothing. A budget reserves for
    each attempt, because one that broke off may be charged and the next is charged again. A call that
    waits to be tried again holds neither money nor a slot. What has a slot and its turn goes at once.

    Args:
        config: who is asked.
        home: a directory of the run that outlives a restart.
        journal: where answers are kept.
        ledger: what is spent and what may be.
        jitter: draws the waits before retries.
        traffic: counts what it took; to be read when the teacher is closed, or before.
    """
    traffic = traffic or Traffic()
    tally = None if config.finds_calls_again else home / TALLIES / f"{journal.mark}.json"
    async with config.open(home) as teacher:
        paced = PacedTeacher(
            teacher,
            requests_per_minute=config.requests_per_minute,
            tokens_per_minute=config.tokens_per_minute,
            traffic=traffic,
        )
        limited = LimitedTeacher(
            paced, most=config.max_concurrency, first=config.first_concurrency, traffic=traffic
        )
        patient = RetryingTeacher(
            BudgetedTeacher(limited, ledger),
            attempts=config.max_attempts,
            max_wait_s=config.max_wait_s,
            jitter=jitter,
            traffic=traffic,
        )
        with ledger.going_on(journal.spent, tally):
            yield JournalingTeacher(patient, journal)
