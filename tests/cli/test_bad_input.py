"""Each mistake gets one clear message with a way out; nothing starts, nothing is lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from instil.cli import instil, main
from instil.errors import InstilError
from tests.workspace import SCENARIOS


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of clinic-en in the current directory."""
    shutil.copytree(SCENARIOS / "clinic-en", tmp_path / "clinic")
    monkeypatch.chdir(tmp_path / "clinic")
    return tmp_path / "clinic"


def _fails(
    arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    """Run the command line as a user does and return its exit code and standard error."""
    monkeypatch.setattr("sys.argv", ["instil", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    printed = capsys.readouterr()
    assert printed.out == ""
    code = stopped.value.code
    assert isinstance(code, int)
    return code, printed.err


Fails = Callable[..., tuple[int, str]]


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fails:
    """Run a command that must fail before anything starts."""
    return lambda *arguments: _fails(arguments, monkeypatch, capsys)


def test_no_recipe(workspace: Path, fails: Fails) -> None:
    assert fails("run", "nothing.yaml") == (
        2,
        "error: no such recipe: 'nothing.yaml'\n"
        "hint: `instil init DIR` makes a workspace with a recipe to start from\n",
    )


def test_a_directory_in_place_of_a_recipe(workspace: Path, fails: Fails) -> None:
    code, text = fails("check", ".")

    assert code == 2
    assert text == "error: '.' is a directory; a recipe is a file\nhint: did you mean 'recipe.yaml'?\n"


def test_an_empty_recipe(workspace: Path, fails: Fails) -> None:
    Path("recipe.yaml").write_text("")

    code, text = fails("check", "recipe.yaml")

    assert code == 2
    assert "name: this key is required" in text


def test_an_empty_seeds_file(workspace: Path, fails: Fails) -> None:
    Path("seed_tasks.jsonl").write_text("\n")

    code, text = fails("run", "recipe.yaml")

    assert code == 2
    assert "seed_tasks.jsonl: the seed file is empty" in text
    assert "write at least one task, for example" in text
    assert not Path("runs/clinic-en/seeds").exists()


def test_a_seed_without_instruction_names_its_line(workspace: Path, fails: Fails) -> None:
    with Path("seed_tasks.jsonl").open("a") as file:
        file.write(
            '{"id": "x", "name": "triage"}\n{"id": "y", "name": "triage", "instruction": "  "}\nnonsense\n'
        )

    code, text = fails("run", "recipe.yaml")

    assert code == 2
    assert "seed_tasks.jsonl:10: instruction: Field required" in text
    assert "seed_tasks.jsonl:11: instruction: the instruction is empty" in text
    assert "seed_tasks.jsonl:12: not JSON" in text


def test_a_tag_without_entities(workspace: Path, fails: Fails) -> None:
    code, text = fails("check", "recipe.yaml", "generate.entities={}")

    assert code == 2
    assert (
        "prompt.txt:9:1: <disease_list> needs entities; add `disease: FILE` under generate.entities" in text
    )


def test_an_unknown_tag_in_the_template(workspace: Path, fails: Fails) -> None:
    Path("prompt.txt").write_text("Like <sample_list> about <disease_list> for <pation>.")

    code, text = fails("check", "recipe.yaml")

    assert code == 2
    assert "prompt.txt:1:45: <pation> is not a known tag; known here: " in text
    assert "<disease_list>, <item_count>, <sample_list>" in text


def test_an_entity_list_that_is_never_used(workspace: Path, fails: Fails) -> None:
    Path("prompt.txt").write_text("Like <sample_list>.")

    code, text = fails("check", "recipe.yaml")

    assert code == 2
    assert "the entity list 'disease' is never used; write <disease_list> where it belongs" in text


def test_a_missing_model_directory(workspace: Path, fails: Fails) -> None:
    code, text = fails("check", "recipe.yaml", "train.base_model=./models/gone")

    assert code == 2
    assert "train.base_model" in text
    assert "no such model directory" in text
    assert "models/gone" in text


def test_a_directory_that_is_no_model(workspace: Path, fails: Fails) -> None:
    Path("models").mkdir()

    code, text = fails("check", "recipe.yaml", "train.base_model=models")

    assert code == 2
    assert "is no model: there is no config.json in it" in text


def test_a_key_that_is_not_in_the_environment(workspace: Path, fails: Fails) -> None:
    teacher = (
        "{kind: openai_compatible, base_url: 'http://127.0.0.1:9/v1', model: m, api_key_env: CLINIC_KEY}"
    )

    code, text = fails("run", "recipe.yaml", f"generate.teacher={teacher}")

    assert code == 2
    assert "the environment variable 'CLINIC_KEY' is not set" in text
    assert not Path("runs/clinic-en/seeds").exists()


@pytest.mark.parametrize("key", ["sk-4242verysecret", "AIzaSy4242verysecret"])
def test_a_key_where_the_name_of_its_variable_belongs_is_not_repeated(
    key: str, workspace: Path, fails: Fails
) -> None:
    teacher = "{kind: openai_compatible, provider: openai, model: m, api_key_env: " + key + "}"
    Path("mine.yaml").write_text(f"base: recipe.yaml\ngenerate:\n  teacher: {teacher}\n")

    code, text = fails("run", "mine.yaml")

    assert code == 2
    assert "the name of an environment variable" in text or "give its name" in text
    assert "verysecret" not in text


def test_a_request_that_was_never_recorded_says_how_to_name_a_teacher(workspace: Path) -> None:
    result = _invoke("run", "recipe.yaml", "generate.teacher.temperature=0.5", "--quiet")

    assert isinstance(result.exception, InstilError)
    assert "holds no answer to request" in str(result.exception)
    assert "name a real teacher: generate.teacher with kind: openai_compatible" in str(result.exception.hint)


def test_a_recipe_without_its_inputs_names_each(workspace: Path, fails: Fails) -> None:
    Path("part.yaml").write_text(
        "name: part\ncurate: {filters: []}\ntrain: {base_model: tiny}\n"
        "evaluate: {benchmarks: [{kind: loss, name: x}]}\n"
    )

    code, text = fails("check", "part.yaml")

    assert code == 2
    assert "curate: nothing to filter; add `generate`, or `examples:`" in text


@pytest.mark.parametrize("stages", ["seeds", "curate", "mix", "seeds+mix", "generate"])
def test_any_subset_of_stages_is_a_recipe(workspace: Path, stages: str) -> None:
    parts = {
        "seeds": "seeds: {path: seed_tasks.jsonl}",
        "curate": "curate: {examples: rows.jsonl, filters: [{kind: length, min_words: 2}]}",
        "mix": "mix: {corpora: [{kind: files, name: general, path: general.jsonl}]}",
        "generate": "generate:\n  num_examples: 3\n  prompt: plain.txt\n"
        "  teacher: {kind: recorded, path: answers.jsonl.gz}",
    }
    Path("plain.txt").write_text("Write <item_count> items.")
    messages = '[{"role":"user","content":"a b c"},{"role":"assistant","content":"d"}]'
    row = f'{{"messages":{messages},"origin":{{"kind":"corpus","name":"x"}}}}\n'
    Path("rows.jsonl").write_text(row)
    Path("part.yaml").write_text("\n".join(["name: part", *(parts[stage] for stage in stages.split("+"))]))

    assert _invoke("check", "part.yaml").exit_code == 0
    if stages != "generate":
        assert _invoke("run", "part.yaml", "--quiet").exit_code == 0


def test_an_unknown_stage_after_until(workspace: Path, fails: Fails) -> None:
    code, text = fails("run", "recipe.yaml", "--until", "bake")

    assert code == 2
    assert "not a stage of this recipe; it has seeds, generate, curate, mix, train, evaluate" in text


def test_init_does_not_write_over_files(workspace: Path, fails: Fails) -> None:
    code, text = fails("init", str(workspace))

    assert code == 2
    assert "is not an empty directory" in text


def test_init_names_the_scenarios(tmp_path: Path, fails: Fails) -> None:
    code, text = fails("init", str(tmp_path / "new"), "--scenario", "bakery")

    assert code == 2
    assert text.endswith("hint: choose one of blank, clinic-en, clinic-zh\n")


def test_show_of_what_is_no_run(tmp_path: Path, fails: Fails) -> None:
    code, text = fails("show", str(tmp_path))

    assert code == 2
    assert "is not a run: no finished stage in it" in text


def test_chat_with_what_is_no_model(tmp_path: Path, fails: Fails) -> None:
    code, text = fails("chat", str(tmp_path))

    assert code == 2
    assert "there is no model in" in text


def test_a_damaged_manifest_says_what_to_remove(workspace: Path) -> None:
    assert _invoke("run", "recipe.yaml", "--until", "seeds", "--quiet").exit_code == 0
    Path("runs/clinic-en/seeds/manifest.json").write_text('{"schema_version": 99}')

    result = _invoke("plan", "recipe.yaml")

    assert isinstance(result.exception, InstilError)
    assert "is damaged" in str(result.exception)
    assert "to have the stage run again" in str(result.exception.hint)


@pytest.mark.parametrize("scenario", ["blank", "clinic-en", "clinic-zh"])
def test_every_packaged_scenario_is_a_good_recipe(tmp_path: Path, scenario: str) -> None:
    assert _invoke("init", str(tmp_path / "new"), "--scenario", scenario).exit_code == 0

    assert _invoke("check", str(tmp_path / "new" / "recipe.yaml")).exit_code == 0


def _invoke(*arguments: str) -> Result:
    return CliRunner().invoke(instil, list(arguments))
