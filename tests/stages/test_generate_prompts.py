"""Prompt templates: what is filled in, what is left alone, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tools.recording import requests

from instil.data.examples import Instance, SeedTask
from instil.errors import RecipeError
from instil.stages.generate.calls import Call
from instil.stages.generate.entities import Entity
from instil.stages.generate.prompts import PromptTemplate

BOOK = SeedTask(
    id="1",
    name="book",
    instruction="预约 <disease_list>",
    instances=(Instance(input='a "b"', output="好\n的"), Instance(output="unused")),
)
PLAIN = SeedTask(id="2", name="book", instruction="Hello <item_count>?")
CALL = Call(
    task="book",
    seeds=(BOOK, PLAIN),
    entities={"disease": (Entity(name="gout"), Entity(name="angina", group="Cardiology"))},
    items=3,
)


def template(directory: Path, source: str, *lists: str, name: str = "prompt.txt") -> PromptTemplate:
    (directory / name).write_bytes(source.encode())
    return PromptTemplate(directory / name, lists)


def test_fills_samples_entities_and_the_count_and_leaves_white_space_alone(tmp_path: Path) -> None:
    source = "\n  Write <item_count>:\n<sample_list>\n\tAbout:\n<disease_list> \n\n"

    assert template(tmp_path, source, "disease").render(CALL) == (
        "\n  Write 3:\n"
        '1. {"instruction": "预约 <disease_list>", "input": "a \\"b\\"", "output": "好\\n的"}\n'
        '2. {"instruction": "Hello <item_count>?", "input": "", "output": ""}\n'
        "\tAbout:\n1. gout\n2. angina (Cardiology) \n\n"
    )


def test_a_tag_may_stand_twice_or_not_at_all(tmp_path: Path) -> None:
    assert template(tmp_path, "<item_count> and <item_count>").render(CALL) == "3 and 3"
    assert template(tmp_path, "a < b > c <- 5 <1> </p>").render(CALL) == "a < b > c <- 5 <1> </p>"


def test_every_mistake_of_a_template_is_named_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        template(tmp_path, "ok <item_count>\n<drug_list> <b>\n", "disease", "place")

    path = tmp_path / "prompt.txt"
    known = "<call_number>, <disease_list>, <item_count>, <place_list>, <sample_list>"
    assert caught.value.problems == (
        f"{path}:2:1: <drug_list> needs entities; add `drug: FILE` under generate.entities",
        f"{path}:2:13: <b> is not a known tag; known here: {known}",
        f"{path}: the entity list 'disease' is never used; write <disease_list> where it belongs",
        f"{path}: the entity list 'place' is never used; write <place_list> where it belongs",
    )
    assert "*.j2" in str(caught.value.hint)


def test_a_template_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_bytes("提示".encode("gbk"))

    with pytest.raises(RecipeError, match=r"prompt\.txt: not UTF-8 text \(byte 0\)"):
        PromptTemplate(tmp_path / "prompt.txt", ())


def test_jinja_gets_seeds_entities_and_the_count(tmp_path: Path) -> None:
    source = (
        "Write {{ item_count }} <b>items</b>:\n"
        "{% for seed in seeds %}\n- {{ seed.instruction }}|{{ seed.input }}|{{ seed.output }}\n{% endfor %}\n"
        "{{ entities.disease | map(attribute='name') | join(', ') }} {{ entities.disease[1].group }}\n\n"
    )

    prompt = template(tmp_path, source, "disease", name="prompt.j2").render(CALL)
    assert prompt == (
        'Write 3 <b>items</b>:\n- 预约 <disease_list>|a "b"|好\n的\n- Hello <item_count>?||\n'
        "gout, angina Cardiology\n\n"
    )


def test_a_jinja_template_that_is_none_or_uses_what_nobody_fills_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"prompt\.j2:2: not a Jinja template"):
        template(tmp_path, "a\n{% if %}", name="prompt.j2")
    with pytest.raises(RecipeError, match="the template uses 'samples'; it can use attributes"):
        template(tmp_path, "{{ samples }}", name="prompt.j2")
    with pytest.raises(RecipeError, match="the template fails: division by zero"):
        template(tmp_path, "{{ item_count / 0 }}", name="prompt.j2").render(CALL)


def test_a_jinja_template_cannot_reach_out_of_its_sandbox(tmp_path: Path) -> None:
    source = "{{ seeds.__class__.__mro__[1].__subclasses__() }}"

    with pytest.raises(RecipeError, match="the template fails"):
        template(tmp_path, source, name="prompt.j2").render(CALL)


@pytest.mark.parametrize(
    ("name", "source", "shown"),
    [
        ("prompt.txt", "<sample_list>", True),
        ("prompt.txt", "seeds", False),
        ("prompt.j2", "{{ seeds }}", True),
        ("prompt.j2", "<sample_list>", False),
    ],
)
def test_a_template_knows_whether_it_shows_seeds(name: str, source: str, shown: bool, tmp_path: Path) -> None:
    assert template(tmp_path, source, name=name).shows_seeds is shown


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_first_prompt_of_a_packaged_scenario_reads_well(
    language: str, golden: Callable[[str, str], None]
) -> None:
    _, request = requests(f"clinic-{language}")[0]

    golden(f"prompt_clinic_{language}.txt", request.messages[-1].content)


def test_tags_may_be_named_in_any_script_and_other_brackets_of_it_are_text(tmp_path: Path) -> None:
    call = replace(CALL, entities={"疾病": CALL.entities["disease"]}, attributes={"语气": "温和"})
    path = tmp_path / "p.txt"
    path.write_text("《<题目>》 <疾病_list> <语气>", encoding="utf-8")

    assert (
        PromptTemplate(path, ["疾病"], ["语气"]).render(call)
        == "《<题目>》 1. gout\n2. angina (Cardiology) 温和"
    )
    with pytest.raises(RecipeError, match="<药物_list> needs entities"):
        template(tmp_path, "<药物_list>")
