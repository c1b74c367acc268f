"""Jobs for the tests of who runs them; run as a program, a small piece of work of two steps."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from instil.errors import MissingPackage, RecipeError, StoreError, TeacherUnavailable
from instil.mixing.exchange import PartitionWriter, read_partition
from instil.mixing.work import Job, Result, Workers
from instil.store.atomic import atomic_write

_PARTS, _PARTITIONS = 6, 4


def note(log: Path, number: int) -> Result:
    """Write down that a job ran, and in which process."""
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{number} {os.getpid()}\n")
    return {"number": number, "text": "中"}


def note_late(log: Path, number: int) -> Result:
    """The same; the first jobs take longest."""
    time.sleep(0.3 / (number + 1))
    return note(log, number)


def fail(kind: str) -> Result:
    """Raise one of our errors, or one that is a bug."""
    errors: dict[str, Exception] = {
        "store": StoreError("no room", hint="make some"),
        "recipe": RecipeError(["line 1: wrong", "line 2: wrong too"], hint="mend both"),
        "package": MissingPackage("counting tokens", "tokenizers", "train"),
        "teacher": TeacherUnavailable("busy", retry_after=2.5, congested=True, hint="wait"),
        "bug": ZeroDivisionError("a bug"),
    }
    raise errors[kind]


def fail_late(kind: str) -> Result:
    """The same, after others have finished."""
    time.sleep(0.5)
    return fail(kind)


def die() -> Result:
    """End as a process does that the system kills because memory ran out."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def spread(output: Path, number: int, pause: float) -> Result:
    """Write rows by partition, slowly."""
    random = np.random.default_rng(number)
    schema = pa.schema([pa.field("value", pa.uint64())])
    with PartitionWriter(output, schema, _PARTITIONS) as writer:
        for _ in range(3):
            values = random.integers(0, 2**63, 200, dtype=np.uint64)
            writer.add(pa.table([values], schema=schema), values.astype(np.int64) % _PARTITIONS)
            time.sleep(pause)
    return {"rows": 600}


def gather(inputs: tuple[Path, ...], output: Path, number: int, pause: float) -> Result:
    """Write one partition of all files, in order."""
    batches = read_partition(inputs, number, _PARTITIONS)
    values = np.sort(pa.Table.from_batches(batches).column("value").to_numpy())
    time.sleep(pause)
    with atomic_write(output) as file:
        file.write(values.tobytes())
    return {"rows": len(values)}


def two_steps(directory: Path, workers: int, pause: float) -> list[Result]:
    """Spread and gather, by some workers."""
    spreading = [directory / f"spread-{number}.arrow" for number in range(_PARTS)]
    jobs = [
        Job(directory / f"spread-{number}.json", spread, (path, number, pause))
        for number, path in enumerate(spreading)
    ]
    Workers(workers).run(jobs)
    outputs = [directory / f"gathered-{number}.bin" for number in range(_PARTITIONS)]
    jobs = [
        Job(directory / f"gathered-{number}.json", gather, (tuple(spreading), path, number, pause))
        for number, path in enumerate(outputs)
    ]
    return Workers(workers).run(jobs)


if __name__ == "__main__":
    import tests.mixing.jobs as importable  # jobs are found by name in the workers

    importable.two_steps(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
