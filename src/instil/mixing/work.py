"""Runs jobs, each of them once: here, in processes of this machine, or on a Ray cluster.

A job is a function from files to files. What it returns is written to its `done` file when all that it wrote
has its name; a job whose file is there is not done again, so that work that was cut off goes on where it
stopped.
Who runs the jobs is joblib's matter on one machine, and Ray's on a cluster.
"""

from __future__ import annotations

import gc
import os
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from instil.errors import InstilError, MissingPackage, StageError, StoreError
from instil.store.atomic import atomic_write

Result = dict[str, Any]
"""JSON values."""

_LOOK = 0.2  # seconds after which a worker looks again whether its driver lives


@dataclass(frozen=True)
class Job:
    """A call that writes files, and the file that says that it is done."""

    done: Path
    function: Callable[..., Result]
    arguments: tuple[Any, ...]


Waiting: TypeAlias = Sequence[tuple[int, Job]]
"""Jobs with their places among all."""


class Workers:
    """Runs jobs in any order and returns their results in the order of the jobs.

    Args:
        count: processes; 1 runs the jobs in this one.
        cluster: address of a Ray cluster, such as `ray://host:10001`, `auto` or `local`; None: this machine.
    """

    def __init__(self, count: int, cluster: str | None = None) -> None:
        self._count, self._cluster = count, cluster

    def run(self, jobs: Sequence[Job], advance: Callable[[], None] = lambda: None) -> list[Result]:
        """Do what is not done yet.

        Raises:
            InstilError: what the first job that failed raised; what others finished stays done.
            StageError: a worker died.
            StoreError: what a job had returned cannot be read.
        """
        found: dict[int, Result] = {}
        waiting: list[tuple[int, Job]] = []
        for index, job in enumerate(jobs):
            if job.done.exists():
                found[index] = _returned(job)
                advance()
            else:
                waiting.append((index, job))
        for index, result in self._results(waiting):
            found[index] = result
            advance()
        return [found[index] for index in range(len(jobs))]

    def _results(self, waiting: Waiting) -> Iterator[tuple[int, Result]]:
        if not waiting:
            return
        if self._cluster is not None:
            outcomes = _on_ray(waiting, self._cluster, self._count)
        elif self._count > 1 and len(waiting) > 1:
            outcomes = _in_processes(waiting, self._count)
        else:
            outcomes = (_finish(index, job) for index, job in waiting)
        with closing(outcomes):
            for outcome in outcomes:
                if isinstance(outcome, _Failed):
                    raise outcome.error()
                yield outcome


def default_workers() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _returned(job: Job) -> Result:
    try:
        result: Result = orjson.loads(job.done.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise StoreError(
            f"cannot read {str(job.done)!r}: {error}", hint="remove the stage's directory and run again"
        ) from error
    return result


def _finish(index: int, job: Job) -> tuple[int, Result]:
    # Millions of rows come and go without a cycle among them; looking for one takes a third of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        result = job.function(*job.arguments)
    finally:
        if collecting:
            gc.enable()
    with atomic_write(job.done) as file:
        file.write(orjson.dumps(result))
    return index, result


@dataclass(frozen=True)
class _Failed:
    """What a job raised: a pickled exception is made again of its message, and loses its hint."""

    kind: type[InstilError]
    arguments: tuple[Any, ...]
    attributes: dict[str, Any]

    def error(self) -> InstilError:
        error = self.kind.__new__(self.kind, *self.arguments)
        vars(error).update(self.attributes)
        return error


Outcomes: TypeAlias = Generator[tuple[int, Result] | _Failed, None, None]


def _attempt(index: int, job: Job) -> tuple[int, Result] | _Failed:
    try:
        return _finish(index, job)
    except InstilError as error:
        return _Failed(type(error), error.args, vars(error))


def _attempt_for(driver: int, index: int, job: Job) -> tuple[int, Result] | _Failed:
    _die_with(driver)
    return _attempt(index, job)


@cache
def _die_with(driver: int) -> None:
    """End this process soon after the one that gives it work is gone.

    A driver that is killed cannot tell its workers. They would begin what is still in their queue, beside the
    run that continues the work, and then wait for more.
    """

    def watch() -> None:
        while os.getppid() == driver:
            time.sleep(_LOOK)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _in_processes(waiting: Waiting, count: int) -> Outcomes:
    """Run jobs in processes of this machine; after a failure, only what has been handed out is finished."""
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    failed: list[_Failed] = []
    parallel = Parallel(count, return_as="generator_unordered", batch_size=1, pre_dispatch="2*n_jobs")
    calls = takewhile(lambda _: not failed, waiting)
    outcomes = parallel(delayed(_attempt_for)(os.getpid(), index, job) for index, job in calls)
    try:
        for outcome in outcomes:
            if isinstance(outcome, _Failed):
                failed.append(outcome)
            else:
                yield outcome
    except TerminatedWorkerError as error:
        raise StageError(
            "a worker process was killed, most likely because memory ran out",
            hint="lower mix.workers and run the same command again; finished shards are kept",
        ) from error
    finally:
        with warnings.catch_warnings():
            # Who is interrupted need not be told how many calls were for nothing.
            warnings.simplefilter("ignore")
            outcomes.close()
    yield from failed[:1]


def _on_ray(waiting: Waiting, address: str, count: int) -> Outcomes:
    """Run jobs as Ray tasks, which Ray starts again where a machine of the cluster is lost.

    Not joblib's Ray backend: its pool says nothing before all is done, and does not survive a machine.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingPackage("mix.cluster", "ray", "cluster") from error
    with _connected(ray, address, count):
        attempt = ray.remote(_attempt)
        try:
            left = [attempt.remote(index, job) for index, job in waiting]
            while left:
                (done,), left = ray.wait(left)
                yield ray.get(done)
        except ray.exceptions.RayError as error:
            raise StageError(
                f"the Ray cluster could not finish a job: {str(error).strip().splitlines()[-1]}",
                hint="every machine of the cluster needs instil and must see the run's directory and the "
                "corpora; run the same command again, finished shards are kept",
            ) from error


@contextmanager
def _connected(ray: Any, address: str, count: int) -> Iterator[None]:
    """Connect to a Ray cluster, or start one of this machine for `local`."""
    if ray.is_initialized():
        yield
        return
    processors = {"num_cpus": count} if address == "local" else {}
    try:
        ray.init(address, **processors, log_to_driver=False, logging_level="ERROR", include_dashboard=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise StageError(
            f"cannot reach the Ray cluster {address!r}: {str(error).splitlines()[0]}",
            hint="start one with `ray start --head`, or leave mix.cluster out",
        ) from error
    try:
        yield
    finally:
        ray.shutdown()
