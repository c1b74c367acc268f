"""Every way to compute is as good: the wide instructions of a processor, the plain ones, and no kernel."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from instil.kernels import SHINGLES, build, compiler
from instil.shingles import Shingler, Texts, kernel
from instil.shingles.hashing import open_hashing
from instil.shingles.plain import PlainHashing

needs_kernel = pytest.mark.skipif(
    kernel.problem() is not None, reason=f"no compiled kernel: {kernel.problem()}"
)
TEXTS = Texts.of([[f"fever {number}", "and what helps against it " * number] for number in range(60)])


@pytest.fixture
def forgetful() -> Iterator[None]:
    """Nothing is remembered of a kernel that a test puts in place."""
    kernel.problem.cache_clear()
    yield
    kernel.problem.cache_clear()


@needs_kernel
@pytest.mark.skipif(compiler() is None, reason="there is no C compiler")
def test_a_processor_without_wide_instructions_gives_the_same_minima(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgetful: None
) -> None:
    wide = Shingler().signatures(TEXTS)
    text = SHINGLES.source.read_text()
    source = tmp_path / "kernel.c"
    source.write_text(text.replace("defined(__x86_64__)", "0"))
    assert source.read_text() != text
    narrow = SHINGLES._replace(source=source, library=tmp_path / "libshingles.so")
    build(narrow)
    monkeypatch.setattr(kernel, "KERNEL", narrow)
    assert kernel.problem() is None
    assert Shingler().signatures(TEXTS).tolist() == wide.tolist()


def test_without_a_kernel_everything_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgetful: None
) -> None:
    with_one, pickled = Shingler().bands(TEXTS, 9, 13), pickle.dumps(Shingler())
    monkeypatch.setattr(kernel, "KERNEL", SHINGLES._replace(library=tmp_path / "libshingles.so"))
    kernel.problem.cache_clear()
    assert kernel.problem() == "it was not compiled when instil was installed"
    assert isinstance(open_hashing(), PlainHashing)
    for shingler in (Shingler(), pickle.loads(pickled)):
        assert shingler.bands(TEXTS, 9, 13).tolist() == with_one.tolist()
