"""A recipe is read once, and every mistake in it is told at once, each with its place and a way out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from instil.config.base import Config, InputFile, Items
from instil.config.load import load_config, read_with_bases
from instil.errors import RecipeError
from instil.recipe import dump_recipe, load_recipe


class Cat(Config):
    kind: Literal["cat"]
    lives: int = Field(default=9, gt=0)


class Dog(Config):
    kind: Literal["dog"]
    tricks: Annotated[tuple[str, ...], Items] = ()
    food: InputFile | None = None


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Barn(Config):
    rate: float = Field(default=0.1, gt=0)
    steps: int = 1
    best: Pet | None = None


class Farm(Config):
    name: str = "farm"
    barn: Barn = Barn()
    pets: Annotated[tuple[Pet, ...], Items] = ()
    herds: Annotated[tuple[Barn, ...], Items] | None = Field(default=None, min_length=1)
    colour: Literal["any"] | Annotated[tuple[str, ...], Items] = "any"
    guest: Cat | Barn | None = None
    maps: dict[str, Any] = Field(default_factory=dict)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty directory, so that paths in messages are short and always the same."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


def load(text: str, *overrides: str, **others: str) -> Farm:
    for name, content in others.items():
        Path(f"{name}.yaml").write_text(content, encoding="utf-8")
    Path("farm.yaml").write_text(text, encoding="utf-8")
    return load_config(Farm, Path("farm.yaml"), overrides)


def problems(text: str, *overrides: str, **others: str) -> tuple[str, ...]:
    with pytest.raises(RecipeError) as caught:
        load(text, *overrides, **others)
    return caught.value.problems


# --- later wins -------------------------------------------------------------------------------


def test_the_command_line_wins_over_the_file_over_its_base_over_the_default() -> None:
    farm = load(
        "base: base.yaml\nbarn: {steps: 3, best: {kind: cat}}\n",
        "barn.steps=4",
        base="name: b\nbarn: {steps: 2, rate: 2e-1}\n",
    )
    assert farm == Farm(name="b", barn=Barn(rate=0.2, steps=4, best=Cat(kind="cat", lives=9)))


def test_bases_form_a_chain_of_any_length() -> None:
    others = {f"b{number}": f"base: b{number + 1}.yaml\nbarn: {{steps: {number}}}" for number in range(20)}
    farm = load("base: b0.yaml", **others, b20="name: root\nbarn: {rate: 0.5, steps: 99}")
    assert (farm.name, farm.barn) == ("root", Barn(rate=0.5, steps=0))


def test_lists_and_plain_values_replace_and_mappings_merge() -> None:
    farm = load(
        "base: base.yaml\npets: [{kind: dog}]\nmaps: {b: [9], c: {y: 2}, d: null}\n",
        base="pets: [{kind: cat}, {kind: cat}]\nmaps: {a: 1, b: [1, 2], c: {x: 1}, d: {z: 3}}\n",
    )
    assert farm.pets == (Dog(kind="dog"),)
    assert farm.maps == {"a": 1, "b": [9], "c": {"x": 1, "y": 2}, "d": None}


def test_a_mapping_of_another_kind_replaces_and_of_the_same_kind_merges() -> None:
    base = "barn: {best: {kind: cat, lives: 7}}"
    assert load("base: b.yaml\nbarn: {best: {kind: dog}}", b=base).barn.best == Dog(kind="dog")
    assert load("base: b.yaml\nbarn: {best: {kind: cat}}", b=base).barn.best == Cat(kind="cat", lives=7)
    assert load("base: b.yaml\nbarn: {best: {lives: 8}}", b=base).barn.best == Cat(kind="cat", lives=8)


def test_paths_are_relative_to_the_file_or_to_the_shell_in_which_they_are_written(here: Path) -> None:
    for directory in (here, here / "below", here / "elsewhere"):
        directory.mkdir(exist_ok=True)
        (directory / "food").touch()
    (here / "below" / "base.yaml").write_text("pets: [{kind: dog, food: food}]")
    (here / "elsewhere" / "farm.yaml").write_text(
        "base: ../below/base.yaml\nbarn: {best: {kind: dog, food: food}}"
    )

    def foods(*overrides: str) -> list[Path]:
        farm = load_config(Farm, Path("elsewhere/farm.yaml"), overrides)
        pets = [*farm.pets, farm.barn.best]
        return [pet.food.resolve() for pet in pets if isinstance(pet, Dog) and pet.food]

    assert foods() == [here / "below" / "food", here / "elsewhere" / "food"]
    assert foods("barn.best.food=food") == [here / "below" / "food", here / "food"]


def test_bases_that_go_in_a_circle_are_refused() -> None:
    assert problems("base: b.yaml", b="name: x\nbase: c.yaml", c="base: ./farm.yaml") == (
        "c.yaml:1:1: base: './farm.yaml' leads back to a recipe that is based on it",
    )
    assert problems("name: x\nbase: farm.yaml") == (
        "farm.yaml:2:1: base: 'farm.yaml' leads back to a recipe that is based on it",
    )


@pytest.mark.parametrize(
    ("base", "problem"),
    [
        ("nowhere.yaml", "farm.yaml:2:1: base: no such file: 'nowhere.yaml'"),
        (".", "farm.yaml:2:1: base: no such file: '.'"),
        ("[a, b]", "farm.yaml:2:1: base: Input should be the path of another recipe"),
        ("7", "farm.yaml:2:1: base: Input should be the path of another recipe"),
    ],
)
def test_a_base_that_is_no_recipe_is_refused_where_it_is_named(base: str, problem: str) -> None:
    assert problems(f"name: x\nbase: {base}\n") == (problem,)


# --- places -----------------------------------------------------------------------------------


def test_places_after_merging_name_the_file_in_which_the_value_stands() -> None:
    found = problems(
        "base: base.yaml\nbarn:\n  steps: x\n  extra: 1\npets:\n  - {kind: cat, lives: 0}\n",
        "barn.best.lives=0",
        base="# base\nbarn:\n  rate: -1\n  steps: y\n  best: {kind: cat}\npets: [{kind: cat, lives: 0}]\n",
    )
    assert sorted(found) == [
        "base.yaml:3:3: barn.rate: Input should be greater than 0",
        "command line 'barn.best.lives=0': barn.best.lives: Input should be greater than 0",
        "farm.yaml:3:3: barn.steps: Input should be a valid integer",
        "farm.yaml:4:3: barn.extra: unknown key; known here: rate, steps, best",
        "farm.yaml:6:17: pets.0.lives: Input should be greater than 0",
    ]


def test_places_of_what_was_replaced_are_forgotten() -> None:
    Path("base.yaml").write_text("a:\n  b: {kind: x, c: 1}\nlist: [1, 2]\n")
    Path("farm.yaml").write_text("base: base.yaml\na:\n  b: {kind: y}\nlist: [3]\n")
    document = read_with_bases(Path("farm.yaml"))
    assert document.data == {"a": {"b": {"kind": "y"}}, "list": [3]}
    kept = {path: place for path, place in document.places.items() if path != ("base",)}
    assert kept == {
        (): "farm.yaml:1:1",
        ("a",): "farm.yaml:2:1",
        ("a", "b"): "farm.yaml:3:3",
        ("a", "b", "kind"): "farm.yaml:3:7",
        ("list",): "farm.yaml:4:1",
        ("list", 0): "farm.yaml:4:8",
    }


def test_a_byte_order_mark_and_windows_newlines_change_no_place() -> None:
    Path("farm.yaml").write_bytes(b"\xef\xbb\xbfname: \xe9\xa0\xad\r\nbarn:\r\n  steps: no\r\n")
    with pytest.raises(RecipeError) as caught:
        load_config(Farm, Path("farm.yaml"))
    assert caught.value.problems == ("farm.yaml:3:3: barn.steps: Input should be a valid integer",)


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}"])
def test_an_empty_recipe_takes_every_default_and_its_mistakes_have_a_place(text: str) -> None:
    assert load(text) == Farm()
    Path("empty.yaml").write_text(text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(Path("empty.yaml"))
    assert caught.value.problems == ("empty.yaml:1:1: name: this key is required",)


# --- overrides --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("barn.rate=1e-4", Farm(barn=Barn(rate=1e-4, steps=2), pets=(Cat(kind="cat"), Dog(kind="dog")))),
        ("name=no", Farm(name="no", barn=Barn(steps=2), pets=(Cat(kind="cat"), Dog(kind="dog")))),
        ("name=a=b", Farm(name="a=b", barn=Barn(steps=2), pets=(Cat(kind="cat"), Dog(kind="dog")))),
        (
            "pets.1.tricks=[sit, 'no']",
            Farm(barn=Barn(steps=2), pets=(Cat(kind="cat"), Dog(kind="dog", tricks=("sit", "no")))),
        ),
        ("pets.0.lives=3", Farm(barn=Barn(steps=2), pets=(Cat(kind="cat", lives=3), Dog(kind="dog")))),
        ("pets.0={kind: dog}", Farm(barn=Barn(steps=2), pets=(Dog(kind="dog"), Dog(kind="dog")))),
        ("pets=[]", Farm(barn=Barn(steps=2))),
        ("herds=", Farm(barn=Barn(steps=2), pets=(Cat(kind="cat"), Dog(kind="dog")))),
        ("barn={}", Farm(pets=(Cat(kind="cat"), Dog(kind="dog")))),
    ],
)
def test_an_override_sets_one_value_by_its_dotted_path(override: str, expected: Farm) -> None:
    assert load("barn: {steps: 2}\npets: [{kind: cat}, {kind: dog}]\n", override) == expected


def test_an_override_makes_the_mappings_on_its_way_and_the_last_one_wins() -> None:
    farm = load("name: x", "barn.best.kind=cat", "maps.a.b.c=1", "maps.a.b.d=2", "maps.a.b.c=3")
    assert farm.barn.best == Cat(kind="cat")
    assert farm.maps == {"a": {"b": {"c": 3, "d": 2}}}


def test_an_override_below_a_short_form_makes_it_a_long_one() -> None:
    assert load("maps: {model: tiny}", "maps.model.kind=scratch").maps == {"model": {"kind": "scratch"}}


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("name", "expected KEY=VALUE"),
        ("=x", "expected KEY=VALUE"),
        ("pets.2.lives=1", "'2' is not the index of one of 2 items"),
        ("pets.-1.lives=1", "'-1' is not the index of one of 2 items"),
        ("pets.²=1", "'²' is not the index of one of 2 items"),
        ("pets.cat=1", "'cat' is not the index of one of 2 items"),
        ("maps.list.0.a=1", "there is nothing below a plain value"),
    ],
)
def test_an_override_that_leads_nowhere_is_refused(override: str, problem: str) -> None:
    assert problems("pets: [{kind: cat}, {kind: dog}]\nmaps: {list: [1]}", override) == (
        f"command line {override!r}: {problem}",
    )


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("nam=x", "nam: unknown key; did you mean 'name'?"),
        ("barn.rate=fast", "barn.rate: Input should be a valid number"),
        ("barn.rate=", "barn.rate: Input should be a valid number"),
        ("barn=", "barn: Input should be a mapping of keys to values"),
        ("pets.0.kind=cow", "pets.0.kind: 'cow' is not one of cat, dog"),
        ("name.first=x", "name: Input should be a valid string"),
        ("barn.best.lives=3", "barn.best: the key 'kind' is required"),
    ],
)
def test_a_mistake_on_the_command_line_is_placed_there(override: str, problem: str) -> None:
    assert problems("name: x\npets: [{kind: cat}]\n", override) == (f"command line {override!r}: {problem}",)


def test_an_override_that_is_not_yaml_is_placed_inside_it() -> None:
    assert problems("name: x", "name=a: b: c") == (
        "command line 'name=a: b: c':1:5: not valid YAML: mapping values are not allowed in this context",
    )


# --- mistakes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("bran: {}", "farm.yaml:1:1: bran: unknown key; did you mean 'barn'?"),
        ("barn: {step: 1}", "farm.yaml:1:8: barn.step: unknown key; did you mean 'steps'?"),
        ("barn: {zzz: 1}", "farm.yaml:1:8: barn.zzz: unknown key; known here: rate, steps, best"),
        ("pets: [{kind: cat, live: 1}]", "farm.yaml:1:20: pets.0.live: unknown key; did you mean 'lives'?"),
        (
            "pets: [{kind: dog, lives: 1}]",
            "farm.yaml:1:20: pets.0.lives: unknown key; known here: kind, tricks, food",
        ),
        (
            "pets: [{kind: dgo}]",
            "farm.yaml:1:9: pets.0.kind: 'dgo' is not one of cat, dog; did you mean 'dog'?",
        ),
        ("pets: [{lives: 3}]", "farm.yaml:1:8: pets.0: the key 'kind' is required"),
        ("pets: [cat]", "farm.yaml:1:8: pets.0: the key 'kind' is required"),
        ("barn: cat", "farm.yaml:1:1: barn: Input should be a mapping of keys to values"),
        ("maps: [cat]", "farm.yaml:1:1: maps: Input should be a mapping of keys to values"),
        ("pets: {kind: cat}", "farm.yaml:1:1: pets: Input should be a list"),
        (
            "barn: {best: {kind: cat, lives: 9.0}}",
            "farm.yaml:1:26: barn.best.lives: Input should be a valid integer",
        ),
        ("barn: {best: {kind: dog, food: f}}", "farm.yaml:1:26: barn.best.food: no such file: 'f'"),
        ("barn: {best: {kind: dog, food: 5}}", "farm.yaml:1:26: barn.best.food: Input should be a path"),
        ("herds: [{step: 1}]", "farm.yaml:1:10: herds.0.step: unknown key; did you mean 'steps'?"),
        ("herds: []", "farm.yaml:1:1: herds: at least 1 needed"),
        ("name: 012", "farm.yaml:1:1: name: Input should be a valid string"),
        ("name:", "farm.yaml:1:1: name: Input should be a valid string"),
        ("barn: {rate: .inf}", "farm.yaml:1:8: barn.rate: Input should be a finite number"),
        ("- a\n- b", "farm.yaml:1:1: a recipe is a mapping of keys to values"),
        ("just text", "farm.yaml:1:1: a recipe is a mapping of keys to values"),
    ],
)
def test_a_mistake_is_told_with_its_place_its_key_and_what_is_right(text: str, problem: str) -> None:
    assert problems(text) == (problem,)


def test_the_branches_of_a_union_are_not_part_of_the_key() -> None:
    assert problems("colour: [red, 1]") == (
        "farm.yaml:1:1: colour: Input should be 'any'",
        "farm.yaml:1:15: colour.1: Input should be a valid string",
    )


def test_an_unknown_key_of_one_of_several_things_is_told_once_and_without_a_guess() -> None:
    assert problems("guest: {zzz: 1}") == (
        "farm.yaml:1:1: guest.kind: this key is required",
        "farm.yaml:1:9: guest.zzz: unknown key",
    )


def test_a_list_that_lost_its_items_to_mistakes_is_not_called_too_short() -> None:
    assert problems("herds: [{steps: x}]") == (
        "farm.yaml:1:10: herds.0.steps: Input should be a valid integer",
    )


def test_a_recipe_that_cannot_be_read_is_named_with_a_way_out(here: Path) -> None:
    (here / "dir").mkdir()
    (here / "work").mkdir()
    (here / "work" / "recipe.yaml").touch()
    (here / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    expected: dict[str, tuple[str, str | None]] = {
        "none.yaml": (
            "no such recipe: 'none.yaml'",
            "`instil init DIR` makes a workspace with a recipe to start from",
        ),
        "dir": ("'dir' is a directory; a recipe is a file", "name the recipe file"),
        "work": ("'work' is a directory; a recipe is a file", "did you mean 'work/recipe.yaml'?"),
        "latin.yaml": ("latin.yaml: not UTF-8 text (byte 9)", "save the file as UTF-8"),
    }
    if Path("/proc/self/mem").exists():
        expected["/proc/self/mem"] = ("cannot read '/proc/self/mem': Input/output error", None)
    for name, (problem, hint) in expected.items():
        with pytest.raises(RecipeError) as caught:
            load_config(Farm, Path(name))
        assert (caught.value.problems, caught.value.hint) == ((problem,), hint)


def test_a_refusal_says_that_nothing_was_started() -> None:
    with pytest.raises(RecipeError) as caught:
        load("nmae: x")
    assert caught.value.hint == "nothing was started; `instil check farm.yaml` repeats this test"


# --- the whole recipe -------------------------------------------------------------------------


EVERY_MISTAKE = """\
name: my clinic
sed: 3
seed: -1
schema_version: 2
seeds:
  path: nowhere.jsonl
generate:
  num_examples: 0
  items_per_cal: 3
  prompt: prompts
  entities: {disease: 7}
  teacher:
    kind: openai_compatibel
curate:
  filters:
    - kind: rouge_l
      treshold: 0.7
    - kind: length
      min_words: 9
      max_words: 3
    - kind: contamination
      against: []
    - threshold: 0.7
mix:
  validation_fraction: 1.0
  corpora:
    - kind: files
      path: rows.jsonl
      format: alpacca
      weight: "1"
    - kind: generatd
train:
  base_model: no/such/model
  learning_rate: 1e-4x
  num_epochs: .inf
  chat_template: chatlm
  lr_scheduler: cosin
  adapter:
    kind: lora
    r: 8.5
    target_modules: [q_proj, 5]
evaluate:
  benchmarks: none
  baseline: no
"""


def test_a_recipe_with_every_mistake_is_answered_with_one_page(
    here: Path, golden: Callable[[str, str], None]
) -> None:
    (here / "prompts").mkdir()
    (here / "rows.jsonl").touch()
    (here / "recipe.yaml").write_text(EVERY_MISTAKE)
    with pytest.raises(RecipeError) as caught:
        load_recipe(Path("recipe.yaml"), ["train.max_steps=0", "train.warmup=0.1"])
    golden("recipe_errors.txt", f"error: {caught.value}\nhint: {caught.value.hint}\n")


def test_stages_without_their_inputs_are_all_named() -> None:
    Path("recipe.yaml").write_text(
        "name: x\ncurate: {}\nmix: {corpora: [{kind: generated}]}\n"
        "evaluate: {benchmarks: [{kind: loss, name: l}]}\n"
    )
    with pytest.raises(RecipeError) as caught:
        load_recipe(Path("recipe.yaml"))
    assert str(caught.value) == (
        "recipe.yaml:1:1: curate: nothing to filter; add `generate`, or `examples:` with a file of examples\n"
        "       evaluate: nothing to measure; add `train`, or `model:` with a model directory"
    )


def test_a_recipe_written_with_its_defaults_reads_back_as_itself(here: Path) -> None:
    (here / "rows.jsonl").touch()
    (here / "recipe.yaml").write_text(
        "name: '012'\n"
        "train:\n"
        "  examples: rows.jsonl\n"
        "  notice: '1e5'\n"
        "  learning_rate: 1e-5\n"
        "  base_model: {kind: scratch, architecture: {model_type: gpt2, activation: '08', layers: 2}}\n"
    )
    recipe = load_recipe(Path("recipe.yaml"))
    (here / "runs").mkdir()
    (here / "runs" / "recipe.yaml").write_text(dump_recipe(recipe, Path("runs")))
    again = load_recipe(Path("runs/recipe.yaml"))
    assert "examples: ../rows.jsonl" in (here / "runs" / "recipe.yaml").read_text()
    assert again.train is not None
    assert again.train.examples is not None
    assert again.train.examples.resolve() == here / "rows.jsonl"
    assert again.model_dump(exclude={"train": {"examples"}}) == recipe.model_dump(
        exclude={"train": {"examples"}}
    )


def test_a_packaged_prompt_is_written_by_its_name_and_holds_on_another_machine(tmp_path: Path) -> None:
    text = """
name: evolved
generate:
  mode: evolve
  prompt: self_instruct
  num_examples: 2
  teacher: {kind: openai_compatible, base_url: "http://127.0.0.1:9/v1", model: m}
"""
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    recipe = load_recipe(path)
    (tmp_path / "again.yaml").write_text(dumped := dump_recipe(recipe, tmp_path))

    assert "deepen_prompt: evolve_depth\n" in dumped
    assert "prompt: self_instruct\n" in dumped
    assert load_recipe(tmp_path / "again.yaml") == recipe
