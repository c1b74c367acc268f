"""What teachers log reaches whoever shows the progress, and nobody after that."""

from __future__ import annotations

import logging

from instil.teachers.telling import telling

LOG = logging.getLogger("instil.teachers.batch_carrier")


def test_lines_are_told_while_the_block_runs_and_no_longer() -> None:
    told: list[str] = []
    level = logging.getLogger("instil.teachers").level

    LOG.info("before")
    with telling(told.append):
        LOG.info("batch %s: %d of %d done", "b-1", 3, 10)
        LOG.debug("too much")
        LOG.warning("trying again")
        logging.getLogger("instil.other").warning("not a teacher")
    LOG.info("after")

    assert told == ["batch b-1: 3 of 10 done", "trying again"]
    assert logging.getLogger("instil.teachers").level == level
    assert not logging.getLogger("instil.teachers").handlers


def test_a_finer_level_that_somebody_has_set_is_kept() -> None:
    logger = logging.getLogger("instil.teachers")
    logger.setLevel(logging.DEBUG)
    try:
        with telling(lambda _line: None):
            assert logger.level == logging.DEBUG
        assert logger.level == logging.DEBUG
    finally:
        logger.setLevel(logging.NOTSET)
