"""Write and read the recorded answers of a packaged scenario.

    python -m tools.recording unpack SCENARIO DIRECTORY    NNN.prompt.txt and NNN.answer.txt for every call
    python -m tools.recording pack SCENARIO DIRECTORY      the answers of the calls that the recipe makes now

An answer that was cut off by the token limit lies in NNN.answer.length.txt. Packing renders the
prompts of the scenario's recipe, so it is also how answers follow a changed template.
"""

from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path

import orjson

from instil.cli.init import scenario_dir
from instil.data.jsonl import encode
from instil.recipe import load_recipe
from instil.stages.base import Context
from instil.stages.generate import build_requests
from instil.stages.generate.calls import Call
from instil.stages.seeds import read_seed_tasks
from instil.teachers.base import Completion, FinishReason, Request, Usage

RECORDING = "answers.jsonl.gz"
MODEL = "written for instil"


def requests(scenario: str) -> list[tuple[Call, Request]]:
    """Return the calls that the scenario's recipe makes, in order."""
    directory = scenario_dir(scenario)
    recording = directory / RECORDING
    if not recording.exists():
        recording.write_bytes(gzip.compress(b""))
    recipe = load_recipe(directory / "recipe.yaml")
    assert recipe.generate
    assert recipe.seeds
    context = Context(seed=recipe.seed, work=directory, inputs={}, shared=directory)
    return list(build_requests(recipe.generate, read_seed_tasks(recipe.seeds.path), context))


def pack(scenario: str, directory: Path, recording: Path | None = None) -> None:
    """Write the recording of a scenario, or another file, from the answer files."""
    buffer = io.BytesIO()
    for number, (_, request) in enumerate(requests(scenario)):
        cut = directory / f"{number:03d}.answer.length.txt"
        whole = directory / f"{number:03d}.answer.txt"
        finish: FinishReason = "length" if cut.exists() else "stop"
        text = (cut if cut.exists() else whole).read_text(encoding="utf-8")
        usage = Usage(input_tokens=len(request.messages[-1].content) // 2, output_tokens=len(text) // 2)
        completion = Completion(text=text, finish_reason=finish, model=MODEL, usage=usage)
        row = {
            "request": request.model_dump(mode="json", exclude_defaults=True),
            "completion": completion.row(),
        }
        buffer.write(encode(row))
    # No time stamp: the same answers give the same file.
    recording = recording or scenario_dir(scenario) / RECORDING
    recording.write_bytes(gzip.compress(buffer.getvalue(), compresslevel=9, mtime=0))


def unpack(scenario: str, directory: Path) -> None:
    """Write a prompt and an answer file for every recorded call."""
    directory.mkdir(parents=True, exist_ok=True)
    lines = gzip.decompress((scenario_dir(scenario) / RECORDING).read_bytes()).splitlines()
    for number, row in enumerate(map(orjson.loads, lines)):
        length = ".length" if row["completion"]["finish_reason"] == "length" else ""
        (directory / f"{number:03d}.answer{length}.txt").write_text(
            row["completion"]["text"], encoding="utf-8"
        )
        prompt = row["request"]["messages"][-1]["content"]
        (directory / f"{number:03d}.prompt.txt").write_text(prompt, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("pack", "unpack"):
        sys.exit(__doc__)
    {"pack": pack, "unpack": unpack}[sys.argv[1]](sys.argv[2], Path(sys.argv[3]))
