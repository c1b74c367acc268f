"""Compiles the kernels when the package is built or installed; without them the package works, slower.

`INSTIL_KERNEL=off` leaves them out.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class KernelBuildHook(BuildHookInterface[Any]):
    """Puts each compiled kernel beside its source, and into the wheel."""

    def dependencies(self) -> list[str]:
        """Return the compiler from the package index, where the system has none and the index has one."""
        has_wheels = sys.platform in ("linux", "darwin") and platform.machine() in (
            "x86_64",
            "aarch64",
            "arm64",
        )
        return ["ziglang>=0.13"] if self._wanted() and has_wheels and not self._kernels().compiler() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and mark the wheel as being for this platform."""
        if not self._wanted():
            return
        kernels = self._kernels()
        for kernel in kernels.KERNELS:
            try:
                kernels.build(kernel)
            except kernels.CannotCompile as reason:
                self.app.display_warning(
                    f"{kernel.name} will be slower, its kernel was not compiled: {reason}"
                )
                continue
            if version != "editable":
                library = kernel.library.relative_to(Path(self.root) / "src")
                build_data["force_include"][str(kernel.library)] = str(library)
                build_data["pure_python"] = False
                build_data["tag"] = f"py3-none-{_platform_tag()}"

    def _wanted(self) -> bool:
        return self.target_name == "wheel" and os.environ.get("INSTIL_KERNEL") != "off"

    def _kernels(self) -> ModuleType:
        """Return instil/kernels.py, without importing instil, which is not installed yet."""
        path = Path(self.root) / "src" / "instil" / "kernels.py"
        spec = importlib.util.spec_from_file_location("instil_kernels", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


def _platform_tag() -> str:
    """Return the platform that the compiler compiles for; one architecture even where Python has two."""
    found = sysconfig.get_platform().replace("universal2", platform.machine())
    return found.replace("-", "_").replace(".", "_")
