"""An index is freed with its object, and without a kernel everything goes on."""

from __future__ import annotations

import os
import weakref
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from instil.cli import instil
from instil.kernels import NOVELTY
from instil.novelty import kernel
from instil.novelty.index import open_index
from instil.novelty.kernel import KernelIndex
from instil.novelty.plain import PlainIndex


@pytest.mark.skipif(kernel.problem() is not None, reason=f"no compiled kernel: {kernel.problem()}")
def test_an_index_is_freed_with_its_object() -> None:
    def resident_mb() -> float:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    if not Path("/proc/self/statm").exists():
        pytest.skip("this system does not say how much memory a process has")
    row = array("I", range(200_000))
    before = resident_mb()
    for _ in range(20):
        index = KernelIndex(0.7)
        index.add(row)
        gone = weakref.ref(index)
        del index
        assert gone() is None
    # Each takes about 20 MB while it lives.
    assert resident_mb() - before < 150


@pytest.fixture
def no_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installation whose kernel was never compiled."""
    monkeypatch.setattr(kernel, "KERNEL", NOVELTY._replace(library=tmp_path / "libnovelty.so"))
    kernel.problem.cache_clear()
    yield
    kernel.problem.cache_clear()


def test_without_a_kernel_everything_goes_on_and_the_user_is_told(no_kernel: None, tmp_path: Path) -> None:
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"text": "a b c"}\n{"text": "A b, c"}\n{"text": "d"}\n')

    done = CliRunner().invoke(instil, ["dedupe", str(source), "-o", str(output)])

    assert isinstance(open_index(0.7), PlainIndex)
    assert done.exit_code == 0
    assert "the novelty kernel is missing, this will take longer: it was not compiled" in done.stderr
    assert output.read_text() == '{"text": "a b c"}\n{"text": "d"}\n'
    told = CliRunner().invoke(instil, ["doctor"]).stdout
    assert "novelty     slower: no kernel, it was not compiled when instil was installed; install a C" in told


@pytest.mark.skipif(kernel.problem() is not None, reason=f"no compiled kernel: {kernel.problem()}")
def test_doctor_says_that_there_is_a_kernel() -> None:
    assert "novelty     compiled kernel\n" in CliRunner().invoke(instil, ["doctor"]).stdout
