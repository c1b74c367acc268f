"""The modes of generation, each against a real server that answers what the mode asks for."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from instil.data.examples import Example, Instance, SeedTask
from instil.data.jsonl import read_jsonl, write_jsonl
from instil.errors import StageError
from instil.stages.base import Context, Result
from instil.stages.generate import GENERATE, GenerateConfig
from tests.fakes import Reply, Script, ScriptedServer, fails, items, says, serving

SEEDS = tuple(
    SeedTask(
        id=f"s{n}",
        name="book" if n % 2 else "triage",
        instruction=f"Human instruction number {n}",
        instances=(Instance(output=f"human answer {n}"),),
    )
    for n in range(8)
)


class Workshop:
    """A run directory and what was asked in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name in ("seeds", "work"):
            (directory / name).mkdir()
        write_jsonl(directory / "seeds" / "seeds.jsonl", (seed.model_dump() for seed in SEEDS))

    def config(
        self, server: ScriptedServer, mode: object, num_examples: int, **options: Any
    ) -> GenerateConfig:
        teacher = {
            "kind": "openai_compatible",
            "base_url": server.base_url,
            "model": "large",
            "max_concurrency": 8,
            "max_attempts": 1,
        }
        fields = {"mode": mode, "num_examples": num_examples, "teacher": teacher, "items_per_call": 2}
        return GenerateConfig(**{**fields, **options})

    def context(self, *, seeds: bool = True) -> Context:
        inputs = {"seeds": self.directory / "seeds"} if seeds else {}
        return Context(seed=17, work=self.directory / "work", inputs=inputs, shared=self.directory)

    def go(self, config: GenerateConfig) -> Result:
        result = GENERATE.run(config, self.context())
        assert result.counts.adds_up
        return result

    def examples(self) -> list[Example]:
        return [
            Example.model_validate(row) for _, row in read_jsonl(self.directory / "work" / "examples.jsonl")
        ]

    def rows(self, name: str) -> list[Any]:
        return [row for _, row in read_jsonl(self.directory / "work" / name)]

    def bytes(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted((self.directory / "work").iterdir())}


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def inventing() -> Script:
    """Writes two new items each time, all of different words."""
    number = iter(range(10_000))

    def script(_body: Mapping[str, Any]) -> Reply:
        a, b = next(number), next(number)
        return says(
            items((f"Invented alpha{a} beta{a} gamma{a}", f"A{a}"), (f"Invented delta{b} eta{b}", "B"))
        )

    return script


def prompt_of(body: Mapping[str, Any]) -> str:
    text: str = body["messages"][-1]["content"]
    return text


def test_bootstrap_shows_human_tasks_first_and_accepted_ones_from_the_second_wave_on(
    workshop: Workshop,
) -> None:
    with serving(inventing()) as server:
        mode = {"kind": "bootstrap", "human_seeds": 6, "machine_seeds": 2}
        result = workshop.go(workshop.config(server, mode, 24, wave_calls=4))

    assert result.counts.kept == 24
    human = [len(set(re.findall(r"Human instruction number \d", prompt))) for prompt in server.prompts]
    machine = [len(set(re.findall(r"Invented \w+", prompt))) for prompt in server.prompts]
    assert human == [6] * 12
    assert machine == [0] * 4 + [2] * 8
    later = [example for example in workshop.examples() if len(example.origin.parents) == 8]
    assert len(later) == 16
    known = {example.id for example in workshop.examples()} | {seed.id for seed in SEEDS}
    assert all(parent in known for example in later for parent in example.origin.parents)


def test_bootstrap_is_the_same_whenever_the_answers_come(workshop: Workshop, tmp_path: Path) -> None:
    mode = {"kind": "bootstrap", "human_seeds": 2, "machine_seeds": 2}

    def script(body: Mapping[str, Any]) -> Reply:
        # An answer that depends on what was asked, and on nothing else.
        mark = abs(hash(prompt_of(body))) % 10**9
        return says(items((f"about {mark}", "a"), (f"of {mark} too", "b")))

    with serving(script) as server:
        config = workshop.config(server, mode, 32, wave_calls=4)
        workshop.go(config)
        (tmp_path / "other").mkdir()
        other = Workshop(tmp_path / "other")
        slow = config.model_copy(update={"teacher": config.teacher.model_copy(update={"max_concurrency": 1})})
        other.go(slow)

    assert workshop.bytes() == other.bytes()


def test_bootstrap_learns_only_from_what_its_filters_accept(workshop: Workshop) -> None:
    answers = iter([says(items(("the very same words", "a"), ("the very same words", "b")))] * 3)
    with serving(lambda body: next(answers, None) or inventing()(body)) as server:
        mode = {"kind": "bootstrap", "human_seeds": 1, "machine_seeds": 2}
        filters = [{"kind": "rouge_l"}]
        result = workshop.go(workshop.config(server, mode, 12, wave_calls=3, filters=filters))

    assert result.counts.kept == 3
    assert sum("the very same words" in prompt for prompt in server.prompts) == 3
    assert all(prompt.count("the very same words") == 1 for prompt in server.prompts[3:])


def test_dialogues_have_several_turns(workshop: Workshop) -> None:
    turns = [
        {"role": "user", "content": "My head aches."},
        {"role": "assistant", "content": "Since when?"},
        {"role": "user", "content": "Since Monday."},
        {"role": "assistant", "content": "Please see neurology."},
    ]
    answer = json.dumps([{"messages": turns}, {"messages": turns[:3]}])
    with serving(says(answer)) as server:
        result = workshop.go(workshop.config(server, "dialogue", 2))

    assert (result.counts.asked, result.counts.kept + result.counts.rejected) == (2, 2)
    first = workshop.examples()[0]
    assert [(message.role, message.content) for message in first.messages] == [
        (turn["role"], turn["content"]) for turn in turns
    ]
    assert first.messages[-1].role == "assistant"


def test_answers_are_asked_for_given_instructions_and_kept_as_they_are(workshop: Workshop) -> None:
    with serving(lambda body: says(f" An answer to:\n{prompt_of(body)} ")) as server:
        result = workshop.go(workshop.config(server, "answer", 8, system="Be kind."))

    assert result.counts.kept == 8
    assert sorted(server.prompts) == [seed.instruction for seed in SEEDS]
    assert {body["messages"][0]["content"] for body in server.bodies} == {"Be kind."}
    first = workshop.examples()[0]
    assert first.messages[0].content == "Human instruction number 0"
    assert first.messages[1].content == " An answer to:\nHuman instruction number 0 "
    assert first.origin.parents == ("s0",)
    assert first.origin.task == "triage"


def test_answers_can_be_asked_for_a_corpus_whose_licence_stays(workshop: Workshop, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.jsonl"
    rows = [{"instruction": f"Name river {n}", "input": "", "output": "unused"} for n in range(3)]
    write_jsonl(corpus, rows)
    mode = {
        "kind": "answer",
        "instructions": {"kind": "files", "name": "rivers", "path": str(corpus), "license": "CC0-1.0"},
        "answers_per_instruction": 2,
    }
    with serving(says("The Rhine.")) as server:
        workshop.go(workshop.config(server, mode, 6))

    assert Counter(server.prompts) == {f"Name river {n}": 2 for n in range(3)}
    assert {example.origin.license for example in workshop.examples()} == {"CC0-1.0"}
    assert all("unused" not in message.content for each in workshop.examples() for message in each.messages)


def test_an_answer_that_was_cut_off_is_no_training_data(workshop: Workshop) -> None:
    with serving(
        lambda body: says("Half of", finish="length" if "0" in prompt_of(body) else "stop")
    ) as server:
        result = workshop.go(workshop.config(server, "answer", 8))

    assert result.counts.reasons == {"parse: cut off at max_tokens": 1}


def test_evolution_makes_instructions_harder_round_by_round_and_answers_them(workshop: Workshop) -> None:
    def script(body: Mapping[str, Any]) -> Reply:
        prompt = prompt_of(body)
        if prompt.startswith(("Human", "Harder")):
            return says(f"Answer to <{prompt}>")
        found = re.findall(r"(?:Harder: )*Human instruction number \d", prompt)
        return says(json.dumps({"instruction": f"Harder: {max(found, key=len)}"}))

    with serving(script) as server:
        mode = {"kind": "evolve", "rounds": 3, "methods": ["constraints", "broadening"]}
        result = workshop.go(workshop.config(server, mode, 12))

    assert result.counts.kept == 12
    assert result.details["calls"] == 24
    depth = [example.messages[0].content.count("Harder: ") for example in workshop.examples()]
    assert depth == [1] * 4 + [2] * 4 + [3] * 4
    for example in workshop.examples():
        assert example.messages[1].content == f"Answer to <{example.messages[0].content}>"
        assert example.origin.method in ("constraints", "broadening")


def test_an_evolution_that_fails_is_counted_and_its_instruction_stays_in_the_pool(workshop: Workshop) -> None:
    def script(body: Mapping[str, Any]) -> Reply:
        prompt = prompt_of(body)
        if prompt.startswith("Human"):
            return says("an answer")
        return says(
            '{"instruction": "Human instruction number 0"}' if "number 0" in prompt else "Human new one"
        )

    with serving(script) as server:
        mode = {"kind": "evolve", "rounds": 2, "methods": ["deepening"]}
        result = workshop.go(workshop.config(server, mode, 4))

    assert result.counts.asked == 4
    assert result.counts.reasons == {"parse: the instruction did not change": 4 - result.counts.kept}
    assert result.counts.kept >= 1


def test_documents_give_items_that_keep_their_passage(workshop: Workshop, tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    for name in ("gout", "asthma"):
        (library / f"{name}.md").write_text(f"# {name}\n\n{name} is treated with rest. " + "It helps. " * 30)

    def script(body: Mapping[str, Any]) -> Reply:
        name = "gout" if "gout is treated" in prompt_of(body) else "asthma"
        rows = [
            {
                "instruction": f"How is {name} treated?",
                "input": "",
                "output": "With rest.",
                "evidence": "with rest",
            },
            {"instruction": f"What helps against {name}?", "input": "", "output": "Rest."},
        ]
        return says(json.dumps(rows))

    with serving(script) as server:
        result = workshop.go(workshop.config(server, {"kind": "document", "documents": [str(library)]}, 8))

    assert result.counts.kept == 8
    found: Counter[str] = Counter()
    for example in workshop.examples():
        evidence = example.origin.evidence
        assert evidence is not None
        name = evidence.document.removesuffix(".md").rsplit("/", 1)[-1]
        assert name in example.messages[0].content
        assert f"{name} is treated with rest." in evidence.text
        found[name] += 1
    assert found == {"gout": 4, "asthma": 4}
    assert workshop.examples()[0].origin.evidence.quote == "with rest"  # type: ignore[union-attr]


def test_a_mode_that_needs_seeds_says_so(workshop: Workshop) -> None:
    with serving(says("")) as server:
        config = workshop.config(server, "bootstrap", 2)
        with pytest.raises(StageError, match="'bootstrap' needs seed tasks"):
            GENERATE.run(config, workshop.context(seeds=False))
        assert server.bodies == []


def test_the_numbered_form_of_alpaca_is_read(workshop: Workshop) -> None:
    answer = (
        "3. Instruction: Name a fish.\n3. Input:\n<noinput>\n3. Output:\nCod\n###\n"
        "4. Instruction: Add.\n4. Input:\n1+1\n4. Output:\n2\n"
    )
    with serving(says(answer)) as server:
        result = workshop.go(workshop.config(server, "seed", 2, prompt="alpaca", answers="numbered"))

    assert result.counts.kept == 2
    assert [example.messages[0].content for example in workshop.examples()] == ["Name a fish.", "Add.\n1+1"]


@pytest.mark.parametrize("shortfall", ["leave", "ask_again"])
def test_what_is_missing_is_asked_again_only_where_the_recipe_wants_it(
    shortfall: str, workshop: Workshop
) -> None:
    first = iter([says("no JSON at all"), says('[{"instruction": "cut', finish="length")])
    script = inventing()
    with serving(lambda body: next(first, None) or script(body)) as server:
        result = workshop.go(workshop.config(server, "seed", 12, shortfall=shortfall))

    assert len(server.bodies) == (6 if shortfall == "leave" else 8)
    assert result.counts.kept == (8 if shortfall == "leave" else 12)


def test_asking_again_ends_where_nothing_comes_of_it(workshop: Workshop) -> None:
    good = iter([says(items(("one", "a"), ("two", "b")))])
    with serving(lambda _: next(good, says("never any JSON"))) as server:
        result = workshop.go(workshop.config(server, "seed", 12, shortfall="ask_again"))

    assert result.counts.kept == 2
    assert 6 < len(server.bodies) <= 12


def test_later_waves_go_to_the_cells_that_have_least(workshop: Workshop) -> None:
    script = inventing()

    def broken_triage(body: Mapping[str, Any]) -> Reply:
        # The first four calls of one type fail; even turns would leave it two short for ever.
        triage = any(f"Human instruction number {n}" in prompt_of(body) for n in (0, 2, 4, 6))
        return fails(400, "no") if triage and len(server.bodies) <= 8 else script(body)

    with serving(broken_triage) as server:
        workshop.go(workshop.config(server, "seed", 48, wave_calls=8))

    tasks = Counter(example.origin.task for example in workshop.examples())
    assert abs(tasks["book"] - tasks["triage"]) <= 2
    rows = {row["task"]: row["kept"] for row in workshop.rows("coverage.jsonl")}
    assert rows == dict(tasks)


def test_attributes_are_given_to_the_prompt_and_kept_with_every_item(
    workshop: Workshop, tmp_path: Path
) -> None:
    template = tmp_path / "prompt.txt"
    template.write_text("<sample_list>\nWrite <item_count> <level> tasks in <language>.")
    attributes = {"language": ["zh", "en"], "level": {"easy": 2, "hard": 1}}
    with serving(inventing()) as server:
        config = workshop.config(server, "seed", 24, prompt=str(template), attributes=attributes)
        workshop.go(config)

    asked = Counter(prompt.rsplit("Write ", 1)[1] for prompt in server.prompts)
    assert asked == {
        f"2 {level} tasks in {language}.": count
        for language in ("zh", "en")
        for level, count in (("easy", 4), ("hard", 2))
    }
    found = Counter(tuple(sorted(example.origin.attributes.items())) for example in workshop.examples())
    assert set(found.values()) == {4, 8}


def test_thinking_is_taken_out_of_the_answer_and_kept_aside(workshop: Workshop) -> None:
    thought = "<think>The user wants [{two}] items.</think>\n" + items(("one thing", "a"), ("another", "b"))
    with serving(says(thought)) as server:
        result = workshop.go(workshop.config(server, "seed", 2))

    assert result.counts.kept == 2
    assert [row["reasoning"] for row in workshop.rows("reasoning.jsonl")] == ["The user wants [{two}] items."]


def test_an_answer_that_ends_while_thinking_is_rejected_with_that_reason(workshop: Workshop) -> None:
    with serving(says("<think>Let me see [1]. First", finish="length")) as server:
        result = workshop.go(workshop.config(server, "seed", 2))

    assert result.counts.kept == 0
    assert result.counts.reasons["parse: cut off while thinking"] == 1


def test_a_passing_failure_is_tried_again_by_the_next_run_and_a_rejected_call_is_not(
    workshop: Workshop,
) -> None:
    script = inventing()
    with serving(lambda body: fails(503) if len(server.bodies) == 2 else script(body)) as server:
        config = workshop.config(server, "seed", 8)
        first = workshop.go(config)
        again = workshop.go(config)

    assert first.unfinished == "1 call failed for a passing reason"
    assert again.unfinished is None
    assert again.counts.kept == 8
    with serving(lambda body: fails(400) if len(server.bodies) == 2 else script(body)) as server:
        assert workshop.go(workshop.config(server, "seed", 16)).unfinished is None


def test_a_numbered_answer_may_go_on_from_the_label_at_the_end_of_the_prompt(
    workshop: Workshop, tmp_path: Path
) -> None:
    template = tmp_path / "prompt.txt"
    template.write_text("<sample_list>\nList of <item_count> tasks:\n###\n1. Instruction:")
    answer = " Name a fish.\n1. Input:\n<noinput>\n1. Output:\nCod\n###\n2. Instruction: Two?\n2. Output:\n2"
    with serving(says(answer)) as server:
        config = workshop.config(server, "seed", 2, prompt=str(template), answers="numbered")
        result = workshop.go(config)

    assert result.counts.kept == 2
    assert [example.messages[0].content for example in workshop.examples()] == ["Name a fish.", "Two?"]


def fits(schema: Mapping[str, Any], name: str, number: Iterator[int]) -> Any:
    """Return a value of a schema as a server that holds to it may write one."""
    if schema["type"] == "object":
        return {key: fits(each, key, number) for key, each in schema["properties"].items()}
    if name == "messages":
        return [{**fits(schema["items"], "", number), "role": role} for role in ("user", "assistant")]
    if schema["type"] == "array":
        return [fits(schema["items"], "", number) for _ in range(2)]
    return PASSAGE if name == "evidence" else f"invented {next(number)}"


PASSAGE = "The pump is opened with the small key."


@pytest.mark.parametrize(
    ("mode", "answers", "forms"),
    [
        ("seed", "json", [["instruction", "input", "output"]]),
        ("seed", "numbered", []),
        ("bootstrap", "json", [["instruction", "input", "output"]]),
        ("dialogue", "json", [["messages"]]),
        ("answer", "json", []),
        ({"kind": "evolve", "rounds": 1}, "json", ["instruction"]),
        ("document", "json", [["instruction", "input", "output", "evidence"]]),
    ],
)
def test_a_server_that_has_schemas_is_told_the_one_that_the_mode_reads(
    mode: Any, answers: str, forms: list[Any], workshop: Workshop, tmp_path: Path
) -> None:
    (tmp_path / "manual.txt").write_text(f"{PASSAGE} It is shut with the large one, and never the other way.")
    if mode == "document":
        mode = {"kind": "document", "documents": [tmp_path / "manual.txt"], "min_words": 0}
    number = iter(range(10_000))
    asked: list[Any] = []

    def script(body: Mapping[str, Any]) -> Reply:
        form = body.get("response_format")
        if form is None:
            return says("3. Instruction: a\n3. Output: b\n###\n4. Instruction: c\n4. Output: d")
        assert form["json_schema"]["strict"]
        schema = form["json_schema"]["schema"]
        parts = schema["properties"]
        asked.append([*parts["items"]["items"]["properties"]] if "items" in parts else next(iter(parts)))
        return says(json.dumps(fits(schema, "", number)))

    with serving(script) as server:
        config = workshop.config(server, mode, 2, answers=answers)
        teacher = config.teacher.model_copy(update={"structured_output": "json_schema"})
        result = workshop.go(config.model_copy(update={"teacher": teacher}))

    assert asked[:1] == forms
    assert result.counts.kept == 2
    assert not result.counts.rejected


def library(directory: Path, count: int) -> str:
    """Write documents of one passage each."""
    directory.mkdir()
    for n in range(count):
        (directory / f"{n}.md").write_text(f"# Title {n}\n\nFact {n} is known. " + "It is long known. " * 30)
    return str(directory)


def test_each_passage_meets_every_attribute_and_the_entities_come_in_turn(
    workshop: Workshop, tmp_path: Path
) -> None:
    things = tmp_path / "things.txt"
    things.write_text("amber\nbasil\ncedar\n")
    template = tmp_path / "prompt.txt"
    template.write_text("<passage>\nWrite <item_count> in <language> about <thing_list> or <名称>.")
    mode = {"kind": "document", "documents": [library(tmp_path / "library", 4)]}
    with serving(inventing()) as server:
        config = workshop.config(
            server,
            mode,
            16,
            prompt=str(template),
            attributes={"language": ["zh", "en"]},
            entities={"thing": str(things)},
            entities_per_prompt=1,
        )
        workshop.go(config)

    pattern = r"(Title \d)\n\nFact \d is known\..*\nWrite 2 in (\w+) about 1\. (\w+) or <名称>\."
    asked = [re.fullmatch(pattern, prompt) for prompt in server.prompts]
    assert Counter((found[1], found[2]) for found in asked if found) == {
        (f"Title {n}", language): 1 for n in range(4) for language in ("zh", "en")
    }
    assert set(Counter(found[3] for found in asked if found).values()) <= {2, 3}
    covered = [row["kept"] for row in workshop.rows("coverage.jsonl")]
    assert sum(covered) == 16


def test_answers_to_seed_tasks_are_not_compared_with_the_seed_tasks(workshop: Workshop) -> None:
    number = iter(range(99))
    with serving(lambda _: says(f"Answer {next(number)}")) as server:
        config = workshop.config(server, "answer", 8, filters=[{"kind": "rouge_l", "threshold": 0.99}])
        result = workshop.go(config)

    assert result.counts.kept == 8
    assert result.details["seeds_answered"] is True


@pytest.mark.parametrize(
    ("mode", "setting"),
    [
        ("answer", {"attributes": {"tone": ["kind"]}}),
        ("evolve", {"shortfall": "ask_again"}),
        ("evolve", {"max_calls": 3}),
        ("answer", {"answers": "numbered"}),
        ("dialogue", {"answers": "numbered"}),
        ({"kind": "document", "documents": ["."]}, {"wave_calls": 3}),
    ],
)
def test_a_setting_that_the_mode_would_ignore_is_refused(
    workshop: Workshop, mode: object, setting: dict[str, Any]
) -> None:
    kind = mode["kind"] if isinstance(mode, dict) else mode
    message = f"{next(iter(setting))}: the mode '{kind}' does not use it; remove it"
    with serving(says("")) as server, pytest.raises(ValidationError, match=re.escape(message)):
        workshop.config(server, mode, 2, **setting)


@pytest.mark.parametrize("name", ["item_count", "sample_list", "passage", "my-topic"])
def test_a_name_that_a_template_would_mix_up_is_refused(workshop: Workshop, name: str) -> None:
    mode = {"kind": "document", "documents": ["."]}
    with serving(says("")) as server:
        with pytest.raises(ValidationError, match=f"attributes.{name}: "):
            workshop.config(server, mode, 2, attributes={name: ["a"]})
        (workshop.directory / "x.txt").write_text("x")
        with pytest.raises(ValidationError, match=r"entities.sample: the name is taken"):
            workshop.config(server, mode, 2, entities={"sample": str(workshop.directory / "x.txt")})


def test_an_item_is_about_the_entities_of_each_list_that_it_names(workshop: Workshop, tmp_path: Path) -> None:
    lists = {"disease": "Flu\nangina\nunstable angina\n", "drug": "aspirin\n氯吡格雷\nstatin\n"}
    for name, text in lists.items():
        (tmp_path / f"{name}.txt").write_text(text)
    template = tmp_path / "prompt.txt"
    template.write_text("<disease_list> <drug_list> <item_count>")
    answer = items(
        ("Is FLU treated with fluids?", "No, and no statins."),
        ("Unstable Angina: 患者能服氯吡格雷吗", "Yes"),
        ("What of the fluid?", "It flows."),
    )
    with serving(says(answer)) as server:
        config = workshop.config(
            server,
            "seed",
            3,
            items_per_call=3,
            prompt=str(template),
            entities={name: str(tmp_path / f"{name}.txt") for name in lists},
        )
        workshop.go(config)

    about = [example.origin.about for example in workshop.examples()]
    assert about[:2] == [("Flu", "statin"), ("unstable angina", "氯吡格雷")]
    # The third names none: it is about those at its place in the lists that its call showed.
    shown = [line.split(". ")[1].strip() for line in re.findall(r"3\. [^\d\n]+", server.prompts[0])]
    assert list(about[2]) == shown


def test_instructions_need_no_answer_and_a_row_without_a_question_is_listed(
    workshop: Workshop, tmp_path: Path
) -> None:
    corpus = tmp_path / "corpus.jsonl"
    rows = [
        {"instruction": "Name a river", "input": "", "output": ""},
        {"instruction": "Name a lake"},
        {"messages": [{"role": "user", "content": "Name a sea"}]},
        {"query": "Name a hill", "answer": ["Arthur's Seat"]},
        {"conversations": [{"from": "human", "value": "Name a town"}, {"from": "gpt", "value": "Bath"}]},
        {"instruction": " ", "output": "nothing was asked"},
    ]
    write_jsonl(corpus, rows)
    mode = {"kind": "answer", "instructions": {"kind": "files", "name": "places", "path": str(corpus)}}
    with serving(says("An answer.")) as server:
        result = workshop.go(workshop.config(server, mode, 6))

    assert sorted(server.prompts) == [f"Name a {what}" for what in ("hill", "lake", "river", "sea", "town")]
    assert {example.messages[-1].content for example in workshop.examples()} == {"An answer."}
    assert result.details["instructions left out"] == {
        "'instruction' is empty": {"rows": 1, "first": "corpus.jsonl:line 6"}
    }


def test_a_corpus_without_a_question_is_an_error_and_no_empty_result(
    workshop: Workshop, tmp_path: Path
) -> None:
    corpus = tmp_path / "corpus.jsonl"
    write_jsonl(corpus, [{"instruction": "", "output": "an answer"}])
    mode = {"kind": "answer", "instructions": {"kind": "files", "name": "empty", "path": str(corpus)}}
    with serving(says("")) as server, pytest.raises(StageError, match="nothing to ask"):
        workshop.go(workshop.config(server, mode, 2))
