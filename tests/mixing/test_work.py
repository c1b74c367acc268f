"""Who runs jobs: each once, results in order, failures that say what happened, and what survives a kill."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from instil.errors import MissingPackage, RecipeError, StageError, StoreError, TeacherUnavailable
from instil.mixing.work import Job, Workers, default_workers
from instil.store.atomic import remove_leftovers
from tests.mixing.jobs import die, fail, fail_late, note, note_late, two_steps

ROOT = Path(__file__).parents[2]


def jobs_of(directory: Path, count: int, function: Any = note) -> list[Job]:
    return [
        Job(directory / f"{number}.json", function, (directory / "log", number)) for number in range(count)
    ]


def ran(directory: Path) -> list[int]:
    """Return the numbers of the jobs that ran, in that order."""
    log = directory / "log"
    return [int(line.split()[0]) for line in log.read_text().splitlines()] if log.exists() else []


@pytest.mark.parametrize("count", [1, 2])
def test_results_come_in_the_order_of_the_jobs(tmp_path: Path, count: int) -> None:
    finished = []
    results = Workers(count).run(jobs_of(tmp_path, 6, note_late), lambda: finished.append(1))
    assert results == [{"number": number, "text": "中"} for number in range(6)]
    assert sorted(ran(tmp_path)) == list(range(6))
    assert len(finished) == 6
    if count == 2:
        assert ran(tmp_path) != list(range(6))
        assert len({line.split()[1] for line in (tmp_path / "log").read_text().splitlines()}) == 2


@pytest.mark.parametrize("count", [1, 2])
def test_what_is_done_is_not_done_again(tmp_path: Path, count: int) -> None:
    first = Workers(count).run(jobs_of(tmp_path, 3))
    finished = []
    assert Workers(count).run(jobs_of(tmp_path, 5), lambda: finished.append(1))[:3] == first
    assert sorted(ran(tmp_path)) == [0, 1, 2, 3, 4]
    assert len(finished) == 5


def test_without_jobs_there_are_no_results() -> None:
    assert Workers(2).run([]) == []
    assert default_workers() >= 1


@pytest.mark.parametrize("count", [1, 2])
def test_a_job_that_fails_leaves_what_others_have_done(tmp_path: Path, count: int) -> None:
    work = [*jobs_of(tmp_path, 3), Job(tmp_path / "fails.json", fail_late, ("store",))]
    with pytest.raises(StoreError, match="no room"):
        Workers(count).run(work)
    assert [job.done.exists() for job in work] == [True, True, True, False]
    mended = [*work[:3], Job(tmp_path / "fails.json", note, (tmp_path / "log", 3))]
    assert len(Workers(count).run(mended)) == 4
    assert sorted(ran(tmp_path)) == [0, 1, 2, 3]


@pytest.mark.parametrize("count", [1, 2])
def test_our_errors_keep_their_kind_their_hint_and_what_else_they_say(tmp_path: Path, count: int) -> None:
    def raised(kind: str) -> Exception:
        work = [Job(tmp_path / f"{kind}-{number}.json", fail, (kind,)) for number in range(2)]
        with pytest.raises(Exception) as caught:  # noqa: PT011 (which one is what is asked)
            Workers(count).run(work)
        return caught.value

    store, recipe, package, teacher = (raised(kind) for kind in ("store", "recipe", "package", "teacher"))
    assert type(store) is StoreError
    assert (str(store), store.hint) == ("no room", "make some")
    assert type(recipe) is RecipeError
    assert recipe.problems == ("line 1: wrong", "line 2: wrong too")
    assert (recipe.hint, recipe.exit_code) == ("mend both", 2)
    assert type(package) is MissingPackage
    assert str(package) == "counting tokens needs the package 'tokenizers'"
    assert package.hint == "pip install 'instil[train]'"
    assert type(teacher) is TeacherUnavailable
    assert (teacher.retry_after, teacher.congested, teacher.hint) == (2.5, True, "wait")
    # A bug keeps its own kind.
    assert type(raised("bug")) is ZeroDivisionError


def test_a_worker_that_is_killed_is_a_clear_error_and_the_next_run_goes_on(tmp_path: Path) -> None:
    work = [*jobs_of(tmp_path, 2), Job(tmp_path / "dies.json", die, ())]
    with pytest.raises(StageError, match="a worker process was killed") as caught:
        Workers(2).run(work)
    assert "lower mix.workers" in (caught.value.hint or "")
    assert len(Workers(2).run(jobs_of(tmp_path, 4))) == 4


def test_a_damaged_result_is_a_clear_error(tmp_path: Path) -> None:
    (job,) = jobs_of(tmp_path, 1)
    job.done.write_bytes(b'{"number": ')
    with pytest.raises(StoreError, match=r"cannot read '.*0.json': ") as caught:
        Workers(1).run([job])
    assert caught.value.hint == "remove the stage's directory and run again"


def start(directory: Path, workers: int, pause: float) -> subprocess.Popen[bytes]:
    directory.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "tests.mixing.jobs", str(directory), str(workers), str(pause)],
        cwd=ROOT,
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )


def bytes_of(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def kill_after_a_job(process: subprocess.Popen[bytes], directory: Path, wait: float) -> None:
    """Kill a driver, and only it, some seconds after another of its jobs is done."""
    before, deadline = len(list(directory.glob("*.json"))), time.monotonic() + 30
    while len(list(directory.glob("*.json"))) == before and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(wait)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_work_whose_driver_is_killed_ends_with_the_same_bytes(tmp_path: Path) -> None:
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    undisturbed.mkdir()
    two_steps(undisturbed, 1, 0.0)
    for wait in (0.0, 0.15):
        kill_after_a_job(start(killed, 2, 0.1), killed, wait)
    assert len(list(killed.glob("*.json"))) < len(list(undisturbed.glob("*.json")))
    two_steps(killed, 2, 0.0)
    remove_leftovers(killed)
    assert bytes_of(killed) == bytes_of(undisturbed)


def alive(group: int) -> list[str]:
    """Return the processes of a group that still do something."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # ended meanwhile
            state, _, number = stat.read_text().rpartition(")")[2].split()[:3]
            if int(number) == group and state not in "ZX":
                found.append(stat.parent.name)
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")
def test_workers_end_with_their_driver_and_begin_nothing_more(tmp_path: Path) -> None:
    process = start(tmp_path / "killed", 2, 5.0)
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob("killed/.*.tmp")) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(alive(process.pid)) > 2
    process.send_signal(signal.SIGKILL)
    process.wait()
    # A job takes fifteen seconds, and several are waiting.
    deadline = time.monotonic() + 10
    while alive(process.pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert alive(process.pid) == []


class Stopped(Exception):
    """What a test raises."""


def stop() -> None:
    raise Stopped


def test_who_is_interrupted_is_not_told_how_many_calls_were_for_nothing(tmp_path: Path) -> None:
    # Warnings are errors here, also those of what is cleared away.
    with pytest.raises(Stopped):
        Workers(2).run(jobs_of(tmp_path, 8, note_late), stop)
    gc.collect()
    assert len(Workers(2).run(jobs_of(tmp_path, 8))) == 8


def test_after_a_failure_nothing_more_is_begun(tmp_path: Path) -> None:
    work = [Job(tmp_path / "fails.json", fail, ("store",)), *jobs_of(tmp_path, 20, note_late)]
    with pytest.raises(StoreError):
        Workers(2).run(work)
    # Two jobs for each worker were handed out, and a few followed before the failure was seen.
    assert len(ran(tmp_path)) <= 6
    assert all(work[number + 1].done.exists() for number in ran(tmp_path))
