"""The packaged prompts: how they read, and that they go into every mode with whatever a recipe gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from instil.corpora.documents import Passage
from instil.stages.generate.prompts import PACKAGED

ENGLISH = [
    {
        "instruction": "My ankle is swollen. Where should I go?",
        "input": "Male, 34",
        "output": "Please see Orthopaedics.",
    },
    {
        "instruction": "How do I live with gout?",
        "input": "",
        "output": "Drink enough water.\nAvoid <red> meat.",
    },
]
CHINESE = [{"instruction": "高血压患者早餐吃什么？", "input": "女，58岁", "output": "少盐，多蔬菜。"}]
DISEASES = {"disease": [{"name": "gout", "group": None}, {"name": "angina", "group": "Cardiology"}]}
PASSAGE = Passage(
    document="leaflets/metformin.pdf",
    place="page 3",
    headings=("Metformin", "How to take it"),
    text='Take it with "meals".\n\nAdults: 500 mg twice a day & not more than 2,000 mg.',
)
HARD = {"language": "German", "difficulty": "hard"}
VALUES: dict[str, dict[str, Any]] = {
    "self_instruct": {},
    "alpaca": {},
    "dialogue": {"min_turns": 2, "max_turns": 4},
    "document": {"passage": PASSAGE},
    "evolve_depth": {"instruction": "Explain fever.", "method": "constraints"},
    "evolve_breadth": {"instruction": "Explain fever.", "method": "broadening"},
}


def render(name: str, **given: Any) -> str:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string((PACKAGED / f"{name}.j2").read_text(encoding="utf-8"))
    common = {"seeds": [], "entities": {}, "attributes": {}, "item_count": 3, "call_number": 1}
    return template.render({**common, **VALUES[name], **given})


def test_every_packaged_prompt_is_tested() -> None:
    # Those of the judge belong to a filter, which has its own variables.
    packaged = {path.stem for path in PACKAGED.glob("*.j2")}
    assert {name for name in packaged if not name.startswith("judge")} == set(VALUES)


@pytest.mark.parametrize("name", VALUES)
def test_a_prompt_with_all_that_a_recipe_can_give_reads_well(
    name: str, golden: Callable[[str, str], None]
) -> None:
    golden(f"prompts/{name}.txt", render(name, seeds=ENGLISH, entities=DISEASES, attributes=HARD))


@pytest.mark.parametrize("name", VALUES)
def test_a_prompt_with_nothing_but_its_own_reads_well(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"prompts/{name}_plain.txt", render(name, item_count=1))


@pytest.mark.parametrize("name", ["self_instruct", "alpaca", "dialogue", "document"])
def test_a_prompt_with_chinese_seeds_reads_well(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"prompts/{name}_zh.txt", render(name, seeds=CHINESE))


@pytest.mark.parametrize("method", ["constraints", "deepening", "concretizing", "reasoning_steps"])
def test_each_way_of_deepening_asks_for_something_else(
    method: str, golden: Callable[[str, str], None]
) -> None:
    golden(f"prompts/evolve_depth_{method}.txt", render("evolve_depth", method=method))


@pytest.mark.parametrize("name", VALUES)
def test_the_language_of_the_attributes_wins_over_that_of_the_examples(name: str) -> None:
    chosen = render(name, seeds=CHINESE, attributes={"language": "Welsh"})
    assert "this language: Welsh" in chosen
    assert "the language of the" not in chosen.replace("in the language of the passage", "")
    assert "Welsh" not in render(name, seeds=CHINESE)


@pytest.mark.parametrize("name", VALUES)
def test_text_from_outside_stands_in_a_prompt_as_it_was_written(name: str) -> None:
    odd = '{{ 1 }} <b> & "x" {% raw %}\n\n  indented  \\u4e2d'
    seeds = [{"instruction": odd, "input": odd, "output": odd}]
    shown = render(name, seeds=seeds, **({"instruction": odd} if "instruction" in VALUES[name] else {}))
    assert shown.count(odd) == (1 if "instruction" in VALUES[name] else 3)


def test_the_numbers_of_the_alpaca_list_go_on_after_the_seeds() -> None:
    prompt = render("alpaca", seeds=ENGLISH, item_count=18)
    assert 'Begin with "3. Instruction:"' in prompt
    assert "Write tasks 3 to 20" in prompt
    assert "\nList of 20 tasks:\n\n###\n1. Instruction: My ankle" in prompt
    assert "2. Input:\n<noinput>\n" in prompt
    assert prompt.endswith("\n###\n")
