"""The whole validated configuration of a run: one field for each stage, all optional."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from instil.config.base import Config
from instil.config.load import load_config
from instil.config.yaml import dump_yaml
from instil.corpora import GeneratedConfig
from instil.stages.curate import CurateConfig
from instil.stages.evaluate import EvaluateConfig
from instil.stages.generate import GenerateConfig
from instil.stages.generate.prompts import PACKAGED
from instil.stages.mix import MixConfig
from instil.stages.seeds import SeedsConfig
from instil.stages.train import TrainConfig


class Recipe(Config):
    """What a run does; a recipe names only the stages that it needs."""

    schema_version: Literal[1] = 1
    """Version of the recipe's keys."""
    name: str = Field(pattern=r"^\w[\w.-]*$")
    """What the run is called; its results lie in runs/NAME."""
    seed: int = Field(default=17, ge=0)
    """Decides everything that is drawn at random."""
    seeds: SeedsConfig | None = None
    """The seed tasks that a human wrote."""
    generate: GenerateConfig | None = None
    """Instruction data written by a teacher."""
    curate: CurateConfig | None = None
    """Filters over generated examples."""
    mix: MixConfig | None = None
    """Sources at chosen ratios."""
    train: TrainConfig | None = None
    """Fine-tuning."""
    evaluate: EvaluateConfig | None = None
    """Benchmarks."""

    @model_validator(mode="before")
    @classmethod
    def _evaluation_sets_stay_out(cls, data: Any) -> Any:
        """Tell `mix` which evaluation sets its rows must not share text with."""
        mix, evaluate = (
            (data.get(name) for name in ("mix", "evaluate")) if isinstance(data, dict) else (None, None)
        )
        if not isinstance(mix, dict) or not isinstance(evaluate, dict):
            return data
        benchmarks, against = evaluate.get("benchmarks"), mix.get("against", ())
        if not isinstance(benchmarks, list | tuple) or not isinstance(against, list | tuple):
            return data
        paths = [each["path"] for each in benchmarks if isinstance(each, dict) and each.get("path")]
        more = [path for path in dict.fromkeys(paths) if path not in against]
        return {**data, "mix": {**mix, "against": [*against, *more]}} if more else data

    @model_validator(mode="after")
    def _inputs_are_there(self) -> Recipe:
        problems = list(_missing_inputs(self))
        if problems:
            raise ValueError("\n       ".join(problems))
        return self

    @property
    def present(self) -> tuple[str, ...]:
        """The stages that this recipe names."""
        return tuple(name for name in type(self).model_fields if isinstance(getattr(self, name), Config))


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Return the recipe in a file with `KEY=VALUE` overrides laid over it.

    Raises:
        RecipeError: with one line for each mistake.
    """
    return load_config(Recipe, path, overrides)


def dump_recipe(recipe: Recipe, relative_to: Path) -> str:
    """Return the recipe with all defaults filled in, as YAML whose paths start at `relative_to`."""
    return dump_yaml(_plain(recipe, relative_to))


def _plain(value: Any, directory: Path) -> Any:
    if isinstance(value, Config):
        fields = {name: getattr(value, name) for name in type(value).model_fields}
        return {name: _plain(item, directory) for name, item in fields.items() if item is not None}
    if isinstance(value, Path):
        # A packaged prompt lies elsewhere on the next machine, under the same name.
        return value.stem if value.parent == PACKAGED else _relative(value, directory)
    if isinstance(value, dict):
        return {key: _plain(item, directory) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item, directory) for item in value]
    return value


def _relative(path: Path, directory: Path) -> str:
    """Return a path that still holds when the workspace is moved as a whole."""
    return Path(os.path.relpath(path.resolve(), directory.resolve())).as_posix()


def _missing_inputs(recipe: Recipe) -> Sequence[str]:
    problems = []
    if not recipe.present:
        problems.append("the recipe names no stage; add seeds, generate, curate, mix, train or evaluate")
    if recipe.curate and not (recipe.generate or recipe.curate.examples):
        problems.append("curate: nothing to filter; add `generate`, or `examples:` with a file of examples")
    if recipe.curate and recipe.generate and recipe.curate.examples:
        problems.append("curate: both `generate` and `examples` provide rows; remove one")
    if recipe.mix and not recipe.generate and not recipe.curate:
        problems += [
            f"mix.corpora.{index}: kind generated needs a `generate` or `curate` stage in the recipe"
            for index, corpus in enumerate(recipe.mix.corpora)
            if isinstance(corpus, GeneratedConfig)
        ]
    if recipe.train and not (recipe.mix or recipe.curate or recipe.generate or recipe.train.examples):
        problems.append("train: nothing to train on; add `mix`, or `examples:` with a file of examples")
    if recipe.evaluate and not (recipe.train or recipe.evaluate.model):
        problems.append("evaluate: nothing to measure; add `train`, or `model:` with a model directory")
    return problems
