"""kill -9 at any moment and the same command again gives the same result as an undisturbed run."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.workspace import digests, instil, smoke_workspace, start, stop

_KILLS = 8


@pytest.mark.slow
def test_a_killed_run_continues_to_the_same_bytes(tmp_path: Path) -> None:
    undisturbed = smoke_workspace(tmp_path / "undisturbed")
    started = time.monotonic()
    assert instil("run", undisturbed.name, "--quiet", cwd=undisturbed.parent).returncode == 0
    whole = time.monotonic() - started
    killed = smoke_workspace(tmp_path / "killed")
    moments = random.Random(7)

    for _ in range(_KILLS):
        process = start("run", killed.name, "--quiet", cwd=killed.parent)
        try:
            process.wait(timeout=moments.uniform(0.3, whole))
        except subprocess.TimeoutExpired:
            stop(process)
        process.wait()
    done = instil("run", killed.name, "--quiet", cwd=killed.parent)

    assert done.returncode == 0, done.stderr
    expected = digests(undisturbed.parent / "runs" / "smoke")
    assert digests(killed.parent / "runs" / "smoke") == expected
    assert len(expected) == 6
    assert not list((killed.parent / "runs" / "smoke" / ".work").glob("*"))


def test_ctrl_c_stops_with_130_and_keeps_what_is_finished(tmp_path: Path) -> None:
    recipe = smoke_workspace(tmp_path)
    process = start("run", recipe.name, "--quiet", "train.num_epochs=500", cwd=tmp_path)
    mix = tmp_path / "runs" / "smoke" / "mix" / "manifest.json"
    try:
        deadline = time.monotonic() + 60
        while not mix.exists() and time.monotonic() < deadline:
            time.sleep(0.05)

        time.sleep(1.0)
        process.send_signal(signal.SIGINT)

        assert process.wait(timeout=30) == 130
        assert mix.exists()
    finally:
        stop(process)


def test_a_second_run_in_the_same_directory_is_refused(tmp_path: Path) -> None:
    recipe = smoke_workspace(tmp_path)
    first = start("run", recipe.name, "--quiet", "train.num_epochs=500", cwd=tmp_path)
    lock = tmp_path / "runs" / "smoke" / ".lock"
    try:
        deadline = time.monotonic() + 60
        while not (lock.exists() and lock.read_text().strip()) and time.monotonic() < deadline:
            time.sleep(0.05)

        second = instil("run", recipe.name, "--quiet", cwd=tmp_path)
    finally:
        stop(first)

    assert second.returncode == 2
    assert f"process {first.pid} is working in" in second.stderr
    assert "name=OTHER" in second.stderr


_STUCK = """
import threading, time
import instil.cli as cli

def stuck(**options):
    threading.Thread(target=time.sleep, args=(60,)).start()
    raise KeyboardInterrupt

cli.instil = stuck
cli.main()
"""


def test_ctrl_c_does_not_wait_for_a_thread_that_is_in_the_middle_of_something() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _STUCK], capture_output=True, text=True, timeout=30, check=False
    )

    assert done.returncode == 130
    assert done.stderr.startswith("stopped; finished work is kept")
