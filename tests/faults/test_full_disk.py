"""A full disk stops the run with one clear sentence; with room again it ends as if nothing had been."""

from __future__ import annotations

import resource
import subprocess
from pathlib import Path

import pytest

from tests.workspace import INSTIL, digests, instil, smoke_workspace


def _with_file_limit(limit: int, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command where no file can grow beyond `limit` bytes: a write fails as on a full disk."""
    return subprocess.run(
        [str(INSTIL), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )


# The journal of the smoke recipe is larger than the first, its checkpoints are larger than the second.
@pytest.mark.parametrize(("limit", "fails_in"), [(20_000, "generate"), (150_000, "train")])
def test_a_full_disk_loses_nothing(tmp_path: Path, limit: int, fails_in: str) -> None:
    undisturbed = smoke_workspace(tmp_path / "undisturbed")
    assert instil("run", undisturbed.name, "-q", "--until", "train", cwd=undisturbed.parent).returncode == 0
    recipe = smoke_workspace(tmp_path / "full")

    full = _with_file_limit(limit, "run", recipe.name, "-q", "--until", "train", cwd=recipe.parent)

    assert full.returncode == 1
    assert full.stderr.startswith("error: cannot write ")
    assert "hint: " in full.stderr
    assert "Traceback" not in full.stderr
    assert fails_in not in digests(recipe.parent / "runs" / "smoke")

    done = instil("run", recipe.name, "-q", "--until", "train", cwd=recipe.parent)
    assert done.returncode == 0, done.stderr
    assert digests(recipe.parent / "runs" / "smoke") == digests(undisturbed.parent / "runs" / "smoke")
