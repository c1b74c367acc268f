"""The kernel is compiled by whatever compiler there is, and a library that does not fit is not used."""

from __future__ import annotations

import os
import subprocess
import sys
import weakref
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from instil.cli import instil
from instil.novelty import kernel
from instil.novelty.build import SOURCE, CannotCompile, build, compiler
from instil.novelty.index import open_index
from instil.novelty.kernel import KernelIndex
from instil.novelty.plain import PlainIndex

needs_compiler = pytest.mark.skipif(compiler() is None, reason="there is no C compiler")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return tmp_path / "libnovelty.so"


def loaded(library: Path) -> str:
    """Load a library in a process of its own and return what is wrong with it."""
    code = (
        "import sys; from pathlib import Path; from instil.novelty import kernel\n"
        "try: kernel._load(Path(sys.argv[1]))\nexcept (OSError, AttributeError) as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code, library], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@needs_compiler
def test_it_is_compiled_without_a_warning_and_leaves_nothing_else(library: Path) -> None:
    command = compiler()
    assert command
    strict = ["-std=c11", "-O3", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", '-DSOURCE_DIGEST=""']
    subprocess.run([*command, *strict, SOURCE], check=True)

    build(SOURCE, library)

    assert loaded(library) == ""
    assert [path.name for path in library.parent.iterdir()] == [library.name]


@needs_compiler
def test_a_library_of_an_older_source_is_not_used(tmp_path: Path, library: Path) -> None:
    older = tmp_path / "kernel.c"
    older.write_bytes(SOURCE.read_bytes() + b"\n/* older */\n")
    build(older, library)

    assert loaded(library) == "it was compiled from an older source"


def test_what_is_no_library_is_not_used(library: Path) -> None:
    assert loaded(library) == "it was not compiled when instil was installed"
    library.write_bytes(b"not a library")
    assert "libnovelty.so" in loaded(library)


@needs_compiler
def test_a_source_that_does_not_compile_leaves_the_older_library(tmp_path: Path, library: Path) -> None:
    build(SOURCE, library)
    before = library.read_bytes()
    broken = tmp_path / "kernel.c"
    broken.write_text("int novelty_open(")

    with pytest.raises(CannotCompile, match="error"):
        build(broken, library)
    assert library.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kernel.c", "libnovelty.so"]


def test_a_chosen_compiler_that_fails_says_why(
    tmp_path: Path, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = tmp_path / "chosen-cc"
    chosen.write_text("#!/bin/sh\necho no licence >&2\nexit 3\n")
    chosen.chmod(0o755)
    monkeypatch.setenv("CC", f"{chosen} -m64")

    with pytest.raises(CannotCompile, match="chosen-cc: no licence"):
        build(SOURCE, library)
    assert not library.exists()


def test_a_machine_without_a_compiler_is_told_so(
    tmp_path: Path, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    if compiler() is not None:
        pytest.skip("the package ziglang is installed")

    with pytest.raises(CannotCompile, match="no C compiler"):
        build(SOURCE, library)


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
def no_kernel(library: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installation whose kernel was never compiled."""
    monkeypatch.setattr(kernel, "LIBRARY", library)
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
