"""The README's commands work as pasted, and it stays short."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from instil.recipe import load_recipe
from tests.workspace import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def _commands(heading: str) -> str:
    """Return the first bash block below a heading."""
    found = re.search(rf"## {heading}.*?```bash\n(.*?)```", README, re.DOTALL)
    assert found
    return found[1]


def test_the_commands_work_as_pasted(tmp_path: Path) -> None:
    script = _commands("Your own domain")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    clean = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LANG": os.environ.get("LANG", "C.UTF-8")}

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert script.count("instil ") == 5
    assert "recipe.yaml: good; the run 'my-domain'" in done.stdout
    assert "100 calls" in done.stdout


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^make (\w+)", _commands("Two commands"), re.MULTILINE)

    assert targets == ["demo", "test"]
    assert all(re.search(rf"^{target}: ", makefile, re.MULTILINE) for target in targets)


def test_it_fits_two_screens() -> None:
    assert len(README.splitlines()) <= 110


def test_every_page_it_links_to_is_there() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_every_example_in_the_extending_page_is_python_that_runs() -> None:
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    (source,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    check = source + "\nQuestionConfig(kind='question').build()\n"

    subprocess.run([sys.executable, "-c", check], check=True, capture_output=True)


def test_the_recipe_that_explains_generation_is_good(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "generating.md").read_text(encoding="utf-8")
    recipe = page.split("```yaml\n")[1].split("```")[0]
    (tmp_path / "recipe.yaml").write_text(f"name: documented\n{recipe}", encoding="utf-8")
    (tmp_path / "prompt.txt").write_text("<disease_list> <difficulty> <language> <item_count>")
    (tmp_path / "diseases.json").write_text('["gout", "asthma"]')

    assert load_recipe(tmp_path / "recipe.yaml").present == ("generate",)
