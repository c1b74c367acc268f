"""A workspace of a packaged scenario, and the installed command in it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from instil.pipeline import STAGES
from instil.store.lineage import lineage

ROOT = Path(__file__).parents[1]
SCENARIOS = ROOT / "src" / "instil" / "scenarios"
INSTIL = Path(sys.executable).with_name("instil")

# The smoke recipe with its scenario beside it, so that runs land in a temporary directory.
SMOKE_BASE = "base: ../src/instil/scenarios/clinic-en/recipe.yaml"


def smoke_workspace(directory: Path) -> Path:
    """Return recipes/smoke.yaml in a directory of its own, based on a copy of the scenario."""
    directory.mkdir(parents=True, exist_ok=True)
    shutil.copytree(SCENARIOS / "clinic-en", directory / "clinic-en")
    text = (ROOT / "recipes" / "smoke.yaml").read_text(encoding="utf-8")
    text = text.replace("../src/instil/scenarios/", "")
    recipe = directory / "smoke.yaml"
    recipe.write_text(text, encoding="utf-8")
    return recipe


def instil(
    *arguments: str | Path, cwd: Path, stdin: str = "", timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run the installed command and return what it printed."""
    return subprocess.run(
        [str(INSTIL), *map(str, arguments)],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )


def start(*arguments: str | Path, cwd: Path) -> subprocess.Popen[bytes]:
    """Start the installed command in a process group of its own, where Ctrl-C means what it means to a user.

    A shell's background jobs, and what they start, ignore SIGINT until somebody sets it back.
    """
    return subprocess.Popen(
        [str(INSTIL), *map(str, arguments)],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def stop(process: subprocess.Popen[bytes]) -> None:
    """Kill what `start` started, with all that it started itself."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def digests(run: Path) -> dict[str, str]:
    """Return what came out of every finished stage, by stage."""
    return {
        link.manifest.stage: link.manifest.digest for link in lineage(run, [stage.name for stage in STAGES])
    }
