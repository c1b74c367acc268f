"""What a program takes with all that it starts: wall and CPU time, and memory counted once.

Memory is the sum of the proportional set sizes (PSS) of all processes of the program's session, read from
/proc/PID/smaps_rollup ten times a second: a page that two of them share counts half for each. Pages of mapped
files count too, though the kernel may drop them; `anonymous_mb` is without them. Linux only.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import Run

_EVERY_S = 0.1
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class TreeRun(Run):
    """One command that has ended; `peak_mb` is the most PSS of all its processes together."""

    anonymous_mb: float = 0.0
    """The most of it that was no page of a file, in 10^6 bytes."""


class _Watch(threading.Thread):
    """Looks at the processes of a session until it is told to stop."""

    def __init__(self, session: int) -> None:
        super().__init__(daemon=True)
        self._session, self._ended = session, threading.Event()
        self._cpu: dict[str, float] = {}
        self._others: set[str] = set()
        """Processes of other sessions; looking at them again would take longer than what is measured."""
        self.peak = self.anonymous = 0

    @property
    def cpu_s(self) -> float:
        """Time of all processes, as it was when each was last seen."""
        return sum(self._cpu.values())

    def run(self) -> None:
        while not self._ended.is_set():
            started = time.perf_counter()
            self._look()
            # Looking at gigabytes of pages takes a while itself.
            self._ended.wait(max(_EVERY_S, 4 * (time.perf_counter() - started)))

    def stop(self) -> None:
        self._ended.set()
        self.join()

    def _look(self) -> None:
        whole = anonymous = 0
        for entry in os.scandir("/proc"):
            if entry.name in self._others or not entry.name.isdigit():
                continue
            try:
                # The name of the program stands in parentheses and may hold anything.
                fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) != self._session:
                    self._others.add(entry.name)
                    continue
                self._cpu[entry.name] = (int(fields[11]) + int(fields[12])) / _TICKS
                rollup = Path(entry.path, "smaps_rollup").read_text()
            except OSError:
                continue  # it has just ended
            sizes = dict(line.split(":", 1) for line in rollup.splitlines()[1:])
            whole += int(sizes["Pss"].split()[0])
            anonymous += int(sizes["Pss_Anon"].split()[0])
        self.peak, self.anonymous = max(self.peak, whole), max(self.anonymous, anonymous)


def measured(
    command: Sequence[str | Path], cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> TreeRun:
    """Run a command to its end and return what it took with all that it started.

    Raises:
        CalledProcessError: it failed; its output is the end of what it printed.
    """
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        watch = _Watch(process.pid)
        watch.start()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        watch.stop()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(max(0, output.tell() - 4_000))
            print(output.read().decode(errors="replace"), file=sys.stderr)
            raise subprocess.CalledProcessError(process.returncode, process.args)
    # A process that outlives the one that started it is in no sum of wait4; one that lived shorter than
    # the time between two looks is in no sum of ours.
    cpu = max(used.ru_utime + used.ru_stime, watch.cpu_s)
    return TreeRun(wall, cpu, watch.peak * 1024 / 1e6, watch.anonymous * 1024 / 1e6)
