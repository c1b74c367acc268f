"""preview: rows as tokens, before there is a model; nothing is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from instil import pipeline
from instil.cli.preview import preview
from instil.data.examples import Example
from instil.data.messages import Message
from instil.errors import InstilError, RecipeError, RequestError, StageError
from instil.recipe import load_recipe
from tests.tiny import ARCHITECTURE, example, rows, saved_model, write_rows

RECIPE: dict[str, Any] = {
    "name": "look",
    "train": {
        "base_model": {
            "kind": "scratch",
            "architecture": ARCHITECTURE,
            "tokenizer": {"kind": "trained", "vocab_size": 400},
        },
        "examples": "rows.jsonl",
        "max_seq_length": 128,
    },
}


def _recipe(directory: Path, examples: list[Example], **train: Any) -> Path:
    write_rows(directory / "rows.jsonl", examples)
    path = directory / "recipe.yaml"
    path.write_text(json.dumps({**RECIPE, "train": {**RECIPE["train"], **train}}))
    return path


def _run(*arguments: str | Path, color: bool = False) -> Result:
    return CliRunner().invoke(preview, [str(each) for each in arguments], color=color)


def _good(*arguments: str | Path) -> str:
    result = _run(*arguments)
    assert result.exit_code == 0, result.exception
    return result.stdout


def _error(*arguments: str | Path) -> InstilError:
    error = _run(*arguments).exception
    assert isinstance(error, InstilError)
    return error


def _bilingual() -> list[Example]:
    return [
        example("What is a cold?", "A mild infection.\n\n1. Rest.\n2. Drink 🙂", system="Be brief."),
        example("我咳嗽三周了，该看哪个科？", "建议您挂呼吸内科。"),
        example("Tell me everything.", "word " * 200),
    ]


def test_a_preview_reads_as_reviewed(tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    recipe = _recipe(tmp_path, _bilingual())

    text = _good(recipe)

    golden("preview.txt", text.replace(str(tmp_path), "WORKSPACE"))


def test_ids_are_shown_one_token_a_line(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, _bilingual())

    shown = _good(recipe, "--row", "2", "--ids").splitlines()
    told = json.loads(_good(recipe, "--row", "2", "--json"))["rows"][0]

    ids = [token for piece in told["pieces"] for token in piece["ids"]]
    assert shown[0] == f"row 2: {len(ids)} tokens, {told['supervised']} learned"
    lines = [line.split() for line in shown[1:] if line]
    assert [int(line[1]) for line in lines] == ids
    assert sum(line[2] == "learned" for line in lines) == told["supervised"]


def test_json_holds_what_is_shown_and_measured(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, [*rows(4), _bilingual()[2]])

    found = json.loads(_good(recipe, "--rows", "2", "--json"))

    assert [row["row"] for row in found["rows"]] == [1, 2]
    text = "".join(piece["text"] for piece in found["rows"][0]["pieces"] if piece["learned"])
    assert text == rows(1)[0].messages[1].content + "<|im_end|>"
    summary = found["summary"]
    assert (summary["measured"], summary["kept"], summary["rejected"]) == (5, 4, 1)
    assert summary["reasons"] == {"more than 128 tokens": 1}
    assert summary["longest"]["row"] == 5
    assert summary["end_mark_learned"] == summary["rows"] == 4
    assert found["findings"] == []


def test_the_parts_of_a_split_row_are_shown(tmp_path: Path) -> None:
    turns = [message for _ in range(8) for message in rows(1)[0].messages]
    long = Example(messages=tuple(turns), origin=rows(1)[0].origin)
    recipe = _recipe(tmp_path, [long])

    split = json.loads(_good(recipe, "train.too_long=split", "--json"))
    cut = json.loads(_good(recipe, "train.too_long=cut", "--json"))

    assert [(row["row"], row["part"]) for row in split["rows"]] == [(1, 1), (1, 2), (1, 3), (1, 4)]
    assert split["summary"]["split"] == 1
    assert split["summary"]["messages_left_out"] == 0
    assert len(cut["rows"]) == cut["summary"]["cut"] == 1
    assert "part 2" in _good(recipe, "train.too_long=split")
    assert "too long  1 cut at 128 tokens; messages left out: " in _good(recipe)


@pytest.mark.parametrize(("choice", "share"), [("last", "the last answer"), ("all", "everything")])
def test_the_choice_of_what_is_learned_is_told(tmp_path: Path, choice: str, share: str) -> None:
    recipe = _recipe(tmp_path, rows(4))

    assert share in _good(recipe, f"train.loss_on={choice}", "--rows", "0")


def test_nothing_is_written(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, rows(4))

    _good(recipe)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["recipe.yaml", "rows.jsonl"]


def test_colours_are_for_terminals_that_want_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = _recipe(tmp_path, rows(1))
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True)

    plain = _run(recipe, "--row", "1", color=True).stdout
    monkeypatch.delenv("NO_COLOR")
    coloured = _run(recipe, "--row", "1", color=True).stdout

    assert "\x1b[" not in plain
    assert "⟦" in plain
    assert "\x1b[32m" in coloured
    assert "⟦" not in coloured


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, [example("\x1b[31mred\x07\u202e\ttab", "\x9bno")])

    text = _good(recipe, "--row", "1")

    assert not set(text) & set("\x1b\x07\x9b\u202e\t")
    assert "⇥" in text


def test_rows_of_a_finished_mixture_are_read_and_an_unfinished_one_is_named(tmp_path: Path) -> None:
    write_rows(tmp_path / "corpus.jsonl", rows(12))
    train = {key: value for key, value in RECIPE["train"].items() if key != "examples"}
    mix = {"corpora": [{"kind": "files", "name": "tests", "path": "corpus.jsonl"}], "validation_fraction": 0}
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(json.dumps({"name": "look", "mix": mix, "train": train}))

    error = _error(recipe)
    assert isinstance(error, RequestError)
    assert "mix has not finished" in str(error)
    assert error.hint is not None
    assert error.hint.endswith(f"run {recipe} --until mix")

    loaded = load_recipe(recipe)
    pipeline.execute(loaded, pipeline.run_dir_for(recipe, loaded), until="mix")
    found = json.loads(_good(recipe, "--json"))
    assert found["total"] == found["summary"]["measured"] == 12


def test_more_rows_than_are_measured_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instil.cli.preview._MEASURED", 5)
    recipe = _recipe(tmp_path, rows(8))

    assert "the first 5 measured; --all measures every one" in _good(recipe, "--rows", "0")
    assert ": 8 measured\n" in _good(recipe, "--rows", "0", "--all")


def test_a_row_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, rows(3))

    assert str(_error(recipe, "--row", "4")) == "there is no row 4"


def test_a_row_that_is_left_out_says_why(tmp_path: Path) -> None:
    asked = Example(messages=(Message(role="user", content="Hello?"),), origin=rows(1)[0].origin)
    recipe = _recipe(tmp_path, [*rows(1), asked])

    assert _good(recipe, "--row", "2").startswith("row 2: left out, no answer of the assistant\n")


def test_a_recipe_without_training_says_what_is_missing(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    write_rows(tmp_path / "corpus.jsonl", rows(3))
    recipe.write_text(
        json.dumps(
            {"name": "look", "mix": {"corpora": [{"kind": "files", "name": "tests", "path": "corpus.jsonl"}]}}
        )
    )

    error = _error(recipe)

    assert isinstance(error, RecipeError)
    assert "there is no `train`" in str(error)


def test_what_training_would_refuse_is_an_error_after_the_preview(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, rows(3), max_seq_length=512)

    result = _run(recipe)

    assert isinstance(result.exception, StageError)
    assert "max_seq_length is 512 and the model has only 128 positions" in str(result.exception)
    assert "row 1:" in result.stdout


def test_a_pretrained_base_needs_no_weights(tmp_path: Path) -> None:
    base = saved_model(tmp_path / "base")
    (base / "model.safetensors").unlink()
    recipe = _recipe(tmp_path, rows(3), base_model=str(base))

    found = json.loads(_good(recipe, "--json"))

    assert found["summary"]["end_mark"] == "<|im_end|>"
    assert found["findings"] == []


def test_a_template_whose_tokens_are_new_to_the_model_is_noted(tmp_path: Path) -> None:
    base = saved_model(tmp_path / "base")
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "vocab_size": config["vocab_size"] - 2}))
    recipe = _recipe(tmp_path, rows(3), base_model=str(base), adapter={"kind": "lora"})

    text = _good(recipe)

    assert "note      2 tokens are new to the model" in text
    assert "they will not be learned" in text
