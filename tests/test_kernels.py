"""Kernels are compiled by whatever compiler there is, and a library that does not fit is not used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from instil.kernels import KERNELS, CannotCompile, Kernel, build, compiler, load

needs_compiler = pytest.mark.skipif(compiler() is None, reason="there is no C compiler")
each_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=lambda each: each.name)


@pytest.fixture
def elsewhere(kernel: Kernel, tmp_path: Path) -> Kernel:
    """The kernel with its library in a directory of its own."""
    return kernel._replace(library=tmp_path / kernel.library.name)


def problem(kernel: Kernel) -> str:
    """Load a library in a process of its own and return what is wrong with it."""
    code = (
        "import sys; from pathlib import Path; from instil.kernels import Kernel, load\n"
        "try: load(Kernel(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])), ())\n"
        "except (OSError, AttributeError) as error: print(error)"
    )
    arguments = [kernel.name, str(kernel.source), str(kernel.library)]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@each_kernel
@needs_compiler
def test_it_is_compiled_without_a_warning_and_leaves_nothing_else(elsewhere: Kernel) -> None:
    command = compiler()
    assert command
    strict = ["-std=c11", "-O3", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", '-DSOURCE_DIGEST=""']
    subprocess.run([*command, *strict, elsewhere.source], check=True)

    build(elsewhere)

    assert problem(elsewhere) == ""
    assert [path.name for path in elsewhere.library.parent.iterdir()] == [elsewhere.library.name]


@each_kernel
@needs_compiler
def test_a_library_of_an_older_source_is_not_used(elsewhere: Kernel, tmp_path: Path) -> None:
    older = tmp_path / "kernel.c"
    older.write_bytes(elsewhere.source.read_bytes() + b"\n/* older */\n")
    build(elsewhere._replace(source=older))

    assert problem(elsewhere) == "it was compiled from an older source"


@each_kernel
def test_what_is_no_library_is_not_used(elsewhere: Kernel) -> None:
    assert problem(elsewhere) == "it was not compiled when instil was installed"
    elsewhere.library.write_bytes(b"not a library")
    assert elsewhere.library.name in problem(elsewhere)


@needs_compiler
def test_a_library_without_a_function_that_is_needed_is_not_used(tmp_path: Path) -> None:
    found = KERNELS[0]._replace(library=tmp_path / "lib.so")
    build(found)
    with pytest.raises(AttributeError, match="novelty_unheard_of"):
        load(found, (("unheard_of", None, ()),))


@each_kernel
@needs_compiler
def test_a_source_that_does_not_compile_leaves_the_older_library(elsewhere: Kernel, tmp_path: Path) -> None:
    build(elsewhere)
    before = elsewhere.library.read_bytes()
    broken = tmp_path / "kernel.c"
    broken.write_text("int broken(")

    with pytest.raises(CannotCompile, match="error"):
        build(elsewhere._replace(source=broken))
    assert elsewhere.library.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kernel.c", elsewhere.library.name]


def test_a_chosen_compiler_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = tmp_path / "chosen-cc"
    chosen.write_text("#!/bin/sh\necho no licence >&2\nexit 3\n")
    chosen.chmod(0o755)
    monkeypatch.setenv("CC", f"{chosen} -m64")
    library = tmp_path / "lib.so"

    with pytest.raises(CannotCompile, match="chosen-cc: no licence"):
        build(KERNELS[0]._replace(library=library))
    assert not library.exists()


def test_a_machine_without_a_compiler_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    if compiler() is not None:
        pytest.skip("the package ziglang is installed")

    with pytest.raises(CannotCompile, match="no C compiler"):
        build(KERNELS[0]._replace(library=tmp_path / "lib.so"))


def test_the_build_hook_reads_the_list_of_kernels_without_instil() -> None:
    code = (
        "import importlib.util, sys\n"
        "spec = importlib.util.spec_from_file_location('instil_kernels', sys.argv[1])\n"
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)\n"
        "assert 'instil' not in sys.modules\n"
        "print(*(kernel.source.parent.name for kernel in module.KERNELS if kernel.source.exists()))"
    )
    path = Path(sys.modules[Kernel.__module__].__file__ or "")
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, path], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [kernel.name for kernel in KERNELS]
