"""The page of an exported data set: what the hub reads of it, and what people ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from instil.config.yaml import dump_yaml
from instil.data.text import printable
from instil.export.contents import Contents
from instil.export.licences import consequences, hub_id, hub_ids
from instil.export.rows import TRAIN, VALIDATION
from instil.export.targets import Target
from instil.store.lineage import Link

CARD, RECIPE_COPY, DATASET_INFO = "README.md", "recipe.yaml", "dataset_info.json"

_SIZES = {
    10**3: "n<1K",
    10**4: "1K<n<10K",
    10**5: "10K<n<100K",
    10**6: "100K<n<1M",
    10**7: "1M<n<10M",
    10**8: "10M<n<100M",
}
_LARGEST = "100M<n<1B"


@dataclass(frozen=True)
class Facts:
    """What a card says."""

    name: str
    target: Target
    files: Mapping[str, str]
    """By split."""
    contents: Contents
    links: Sequence[Link] = ()
    has_recipe: bool = False


def card(facts: Facts) -> str:
    """Return the README.md of a data set, with the front matter that the hub and `datasets` read."""
    return f"---\n{dump_yaml(_head(facts))}---\n\n{_body(facts)}"


def llama_factory_names(name: str, splits: Sequence[str]) -> dict[str, str]:
    """Return what LLaMA-Factory calls each split."""
    return {split: name if split == TRAIN else f"{name}_{split}" for split in splits}


def _head(facts: Facts) -> dict[str, object]:
    contents = facts.contents
    licences, languages = hub_ids(contents.origins), contents.languages()
    head: dict[str, object] = {"license": licences[0] if len(licences) == 1 else licences}
    if "other" in licences:
        others = {each.license for each in contents.origins if hub_id(each.license) == "other"}
        head["license_name"] = ", ".join(sorted(filter(None, others)))
    if languages:
        head["language"] = languages
    head["pretty_name"] = facts.name
    head["size_categories"] = [_size(contents.rows.total())]
    head["task_categories"] = ["text-generation", *sorted(set(contents.tasks) - {"text-generation"})]
    head["tags"] = ["instruction-tuning", "instil"]
    files = [{"split": split, "path": path} for split, path in facts.files.items()]
    head["configs"] = [{"config_name": "default", **facts.target.builder, "data_files": files}]
    head["dataset_info"] = {"features": list(facts.target.features)}
    return head


def _size(rows: int) -> str:
    return next((name for bound, name in _SIZES.items() if rows < bound), _LARGEST)


def _body(facts: Facts) -> str:
    rows = facts.contents.rows
    splits = ", ".join(f"{rows[split]:,} for {_PURPOSE[split]}" for split in facts.files)
    sections = [
        f"# {_cell(facts.name)}\n\n{rows.total():,} conversations ({splits}) in the format "
        f"`{facts.target.name}`. {facts.target.loads}",
        _sources(facts),
        _terms(facts),
        _becoming(facts),
        _making(facts),
        _loading(facts),
        "## Limits\n\nRows are as their sources wrote them, mistakes included, and nobody has read them all. "
        "Measure what is trained on them before anybody relies on it.",
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


_PURPOSE = {TRAIN: "training", VALIDATION: "validation"}


def _sources(facts: Facts) -> str:
    splits = list(facts.files)
    lines = [
        f"| source | kind | licence | {' | '.join(splits)} |",
        f"| --- | --- | --- |{' ---: |' * len(splits)}",
    ]
    for origin in facts.contents.origins:
        counts = " | ".join(f"{origin.rows.get(split, 0):,}" for split in splits)
        lines.append(
            f"| {_cell(origin.name)} | {origin.kind} | {_cell(origin.license or 'not stated')} | {counts} |"
        )
    return "## Sources\n\n" + "\n".join(lines)


def _terms(facts: Facts) -> str:
    found = consequences(facts.contents.origins)
    return (
        "## What follows from the licences\n\n" + "\n".join(f"- {_cell(each)}" for each in found)
        if found
        else ""
    )


def _becoming(facts: Facts) -> str:
    counts = facts.contents.counts
    lines = [
        f"{counts.asked:,} rows = {counts.kept:,} here + {counts.rejected:,} that the format cannot say + "
        f"{counts.failed:,} that could not be read."
    ]
    lines += [f"- {count:,}: {_cell(reason)}" for reason, count in counts.reasons.items()]
    if facts.contents.not_alternating and facts.target.llama_factory:
        lines.append(
            f"\nIn {facts.contents.not_alternating:,} rows questions and answers do not take turns; "
            "LLaMA-Factory leaves them out, with a warning."
        )
    return "## Rows\n\n" + lines[0] + ("\n\n" + "\n".join(lines[1:]) if lines[1:] else "")


def _making(facts: Facts) -> str:
    if not facts.links:
        return "## How it was made\n\nConverted with instil from files."
    lines = [
        "| stage | rows asked | kept | rejected | failed | result | finished |",
        "| --- | ---: | ---: | ---: | ---: | --- | --- |",
    ]
    for link in facts.links:
        made, counts = link.manifest, link.manifest.counts
        became = (f"{count:,}" for count in (counts.asked, counts.kept, counts.rejected, counts.failed))
        lines.append(f"| {made.stage} | {' | '.join(became)} | `{made.digest}` | {made.finished_at} |")
    left_out = [
        f"- left out by {link.manifest.stage}: "
        + "; ".join(f"{count:,} {_cell(reason)}" for reason, count in link.manifest.counts.reasons.items())
        for link in facts.links
        if link.manifest.counts.reasons
    ]
    table = "\n\n".join("\n".join(part) for part in (lines, left_out) if part)
    last = facts.links[-1].manifest
    commit = f", commit {last.commit}" if last.commit else ""
    repeat = (
        f" [{RECIPE_COPY}]({RECIPE_COPY}) is the whole recipe; `instil run` repeats it, and `result` is the "
        "fingerprint of what comes out."
        if facts.has_recipe
        else ""
    )
    return f"## How it was made\n\nBy instil {last.instil_version}{commit}.{repeat}\n\n{table}"


def _loading(facts: Facts) -> str:
    parts = [
        '```python\nfrom datasets import load_dataset\n\nrows = load_dataset("PATH/TO/THIS/DIRECTORY")\n```'
    ]
    if facts.target.llama_factory:
        names = llama_factory_names(facts.name, list(facts.files))
        lines = ["dataset_dir: PATH/TO/THIS/DIRECTORY", f"dataset: {names[TRAIN]}"]
        if VALIDATION in names:
            lines.append(f"eval_dataset: {names[VALIDATION]}")
        parts.append(
            f"LLaMA-Factory, by the entries of [{DATASET_INFO}]({DATASET_INFO}):\n\n```yaml\n"
            + "\n".join(lines)
            + "\n```"
        )
    parts.append(
        "instil:\n\n```sh\ninstil convert PATH/TO/THIS/DIRECTORY/"
        + facts.files[TRAIN]
        + " -o rows.jsonl\n```"
    )
    return "## Loading it\n\n" + "\n\n".join(parts)


def _cell(text: str) -> str:
    """Return text from outside on one line, without what Markdown would take for markup of ours."""
    line = " ".join(printable(text).split())
    return line.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
