"""Plans say what would run and why; what came out decides what is done again."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instil.errors import RecipeError, RequestError, StoreError
from instil.pipeline import Action, execute, plan, run_dir_for
from instil.recipe import Recipe, load_recipe
from instil.stages.base import Estimate
from instil.store.atomic import writing
from instil.store.manifest import read_manifest
from instil.store.run_dir import RunDir
from tests.tiny import example, write_rows

_RECIPE = """
name: small
curate:
  examples: rows.jsonl
  filters:
    - {kind: length, min_words: 2}
mix:
  validation_fraction: 0.2
  corpora: [{kind: generated}]
"""


def _workspace(directory: Path, text: str = _RECIPE) -> Path:
    write_rows(directory / "rows.jsonl", [example(f"question number {n}", f"answer {n}") for n in range(10)])
    (directory / "recipe.yaml").write_text(text)
    return directory / "recipe.yaml"


def _load(path: Path, *overrides: str) -> tuple[Recipe, RunDir]:
    recipe = load_recipe(path, overrides)
    return recipe, run_dir_for(path, recipe)


def _actions(path: Path, *overrides: str) -> dict[str, Action]:
    return {step.stage: step.action for step in plan(*_load(path, *overrides))}


def _files(directory: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}


def test_a_plan_changes_nothing(tmp_path: Path) -> None:
    path = _workspace(tmp_path)
    before = _files(tmp_path)

    assert _actions(path) == {"curate": Action.RUN, "mix": Action.RUN}
    assert _files(tmp_path) == before


@given(
    changes=st.lists(st.sampled_from(["mix.validation_fraction=0.3", "seed=18", "name=small"]), unique=True)
)
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_unchanged_run_reuses_everything(
    tmp_path_factory: pytest.TempPathFactory, changes: list[str]
) -> None:
    path = _workspace(tmp_path_factory.mktemp("same"))
    execute(*_load(path, *changes))

    assert set(_actions(path, *changes).values()) == {Action.REUSE}


@given(min_words=st.integers(0, 5))
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_equal_output_stops_a_rebuild_and_different_output_never_does(
    tmp_path_factory: pytest.TempPathFactory, min_words: int
) -> None:
    path = _workspace(tmp_path_factory.mktemp("equal"))
    execute(*_load(path))
    before = read_manifest(path.parent / "runs" / "small" / "mix")

    # Every question has three words: up to three all are kept, above none, which the mixture refuses.
    override = f"curate.filters.0.min_words={min_words}"
    if min_words <= 3:
        outcomes = {o.step.stage: o.step.action for o in execute(*_load(path, override))}
        assert outcomes["mix"] is Action.REUSE
        assert (outcomes["curate"] is Action.REUSE) == (min_words == 2)
    else:
        with pytest.raises(Exception, match="has no rows"):
            execute(*_load(path, override))
        # The older mixture is still there, whole.
        assert read_manifest(path.parent / "runs" / "small" / "mix") == before


def test_a_changed_input_file_is_seen_by_its_content(tmp_path: Path) -> None:
    path = _workspace(tmp_path)
    execute(*_load(path))
    same = (tmp_path / "rows.jsonl").read_bytes()

    (tmp_path / "rows.jsonl").write_bytes(same)
    assert set(_actions(path).values()) == {Action.REUSE}
    (tmp_path / "rows.jsonl").write_bytes(same.replace(b"number 3", b"number three"))
    steps = plan(*_load(path))

    assert [step.action for step in steps] == [Action.REBUILD, Action.DEPENDS]
    assert steps[0].reasons == ("config.examples: the content changed",)


def test_speed_only_settings_make_nothing_stale(tmp_path: Path) -> None:
    text = """
name: small
generate:
  num_examples: 2
  items_per_call: 1
  prompt: prompt.txt
  teacher: {kind: openai_compatible, base_url: "http://127.0.0.1:9/v1", model: m}
"""
    path = _workspace(tmp_path, text)
    (tmp_path / "prompt.txt").write_text("Write.")
    one = load_recipe(path, ["generate.teacher.max_concurrency=3", "generate.teacher.timeout_s=5"])

    assert one.generate
    assert one.generate.identity() == (load_recipe(path).generate or one.generate).identity()
    assert load_recipe(path, ["generate.teacher.model=n"]).generate.identity() != one.generate.identity()  # type: ignore[union-attr]


def test_a_stage_that_failed_leaves_the_older_result(tmp_path: Path) -> None:
    path = _workspace(tmp_path)
    execute(*_load(path))
    kept = _files(tmp_path / "runs" / "small" / "mix")

    with pytest.raises(Exception, match="cannot be met"):
        execute(*_load(path, "mix.num_examples=500"))

    assert _files(tmp_path / "runs" / "small" / "mix") == kept


def test_paying_again_for_a_finished_result_asks_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
name: small
generate:
  num_examples: 1
  items_per_call: 1
  prompt: prompt.txt
  teacher: {kind: recorded, path: recording.jsonl}
"""
    path = _workspace(tmp_path, text)
    (tmp_path / "prompt.txt").write_text("Write.")
    (tmp_path / "recording.jsonl").write_text(
        '{"request":{"messages":[{"role":"user","content":"Write."}],"sampling":{"max_tokens":1024}},'
        '"completion":{"text":"[{\\"instruction\\":\\"i\\",\\"output\\":\\"o\\"}]"}}\n'
    )
    execute(*_load(path))
    price = "{input_usd: 1, output_usd: 2}"
    teacher = f"{{kind: openai_compatible, base_url: 'http://127.0.0.1:9/v1', model: m, price: {price}}}"

    with pytest.raises(RequestError, match="would ask the teacher again: 1 calls") as caught:
        execute(*_load(path, f"generate.teacher={teacher}"))

    assert "--rebuild" in str(caught.value.hint)


def test_an_estimate_says_calls_tokens_and_cost() -> None:
    estimate = Estimate(calls=1700, paid=True, input_tokens=2_000_000, output_tokens=1_740_800, cost_usd=40.0)

    assert str(estimate) == (
        "1,700 calls, about 2,000,000 input and at most 1,740,800 output tokens, at most $40.00"
    )


def test_the_recipe_in_a_run_directory_belongs_to_that_run(tmp_path: Path) -> None:
    path = _workspace(tmp_path)
    recipe, run_dir = _load(path)
    execute(recipe, run_dir)

    again = run_dir.root / "recipe.yaml"

    assert run_dir_for(again, load_recipe(again)).root == run_dir.root


def test_until_names_the_last_stage(tmp_path: Path) -> None:
    path = _workspace(tmp_path)
    recipe, run_dir = _load(path)

    outcomes = execute(recipe, run_dir, until="curate")

    assert [outcome.step.stage for outcome in outcomes] == ["curate"]
    assert [step.action for step in plan(recipe, run_dir)] == [Action.REUSE, Action.RUN]


def test_what_a_library_cannot_write_is_told_as_a_full_disk(tmp_path: Path) -> None:

    class Theirs(Exception):
        pass

    with pytest.raises(StoreError, match=r"cannot write .*: no room"), writing(tmp_path, Theirs):
        raise Theirs("no room")
    with pytest.raises(KeyError), writing(tmp_path, Theirs):
        raise KeyError("ours")


def test_a_plan_of_a_fresh_workspace_counts_what_its_seed_tasks_add(tmp_path: Path) -> None:
    text = """
name: small
seeds: {path: seeds.jsonl}
generate:
  mode: {kind: bootstrap, human_seeds: 2}
  num_examples: 6
  prompt: prompt.txt
  teacher: {kind: openai_compatible, base_url: "http://127.0.0.1:9/v1", model: m}
"""
    path = _workspace(tmp_path, text)
    (tmp_path / "prompt.txt").write_text("<sample_list>")
    row = '{"id": "%d", "name": "a", "instruction": "%s", "instances": []}\n'
    (tmp_path / "seeds.jsonl").write_text("".join(row % (n, "long " * 300) for n in range(2)))
    before = _files(tmp_path)

    estimate = plan(*_load(path))[1].estimate

    assert estimate.calls == 2
    # Two calls of two seed tasks of 1,500 bytes, three bytes a token.
    assert 2000 < estimate.input_tokens < 2200
    assert _files(tmp_path) == before
    (tmp_path / "seeds.jsonl").write_text("{}\n")
    with pytest.raises(RecipeError, match=r"seeds\.jsonl:1"):
        plan(*_load(path))
