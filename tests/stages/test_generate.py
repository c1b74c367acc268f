"""The whole stage, with recorded answers and against a real server that misbehaves on script."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from instil.cli.init import scenario_dir
from instil.data.examples import Counts, Example, Origin, SeedTask
from instil.data.jsonl import read_jsonl, write_jsonl
from instil.data.messages import Message
from instil.data.progress import Progress, Silent, Task
from instil.errors import RequestError, StageError, TeacherRefused
from instil.recipe import load_recipe
from instil.stages.base import Context, Result
from instil.stages.generate import GENERATE, GenerateConfig, build_requests
from instil.stages.seeds import read_seed_tasks
from instil.teachers.budgeted import worst_case
from tests.fakes import Reply, ScriptedServer, fails, in_turn, items, says, serving

KEY = "sk-very-secret"
PROMPT = "Write <item_count> about\n<thing_list>\nlike\n<sample_list>\n"
SEEDS = tuple(SeedTask(id=f"s{n}", name="task", instruction=f"Seed {n}") for n in range(2))


class Run:
    """A run directory, and the pieces of a recipe that works in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "run"
        for name in ("generate", "seeds"):
            (self.directory / name).mkdir(parents=True)
        write_jsonl(self.directory / "seeds" / "seeds.jsonl", (seed.model_dump() for seed in SEEDS))
        self.prompt, self.things = directory / "prompt.txt", directory / "things.txt"
        self.prompt.write_text(PROMPT)
        self.things.write_text("".join(f"thing {n}\n" for n in range(8)))

    def config(
        self, server: ScriptedServer, *, calls: int = 4, teacher: Mapping[str, Any] = {}, **options: Any
    ) -> GenerateConfig:
        remote = {
            "kind": "openai_compatible",
            "base_url": server.base_url,
            "model": "teacher-large",
            "max_attempts": 2,
            "max_tokens": 100,
        }
        fields: dict[str, Any] = {
            "num_examples": calls * 2,
            "items_per_call": 2,
            "entities_per_prompt": 2,
            "prompt": self.prompt,
            "entities": {"thing": self.things},
            "teacher": {**remote, **teacher},
        }
        return GenerateConfig(**{**fields, **options})

    def context(self, progress: Progress | None = None) -> Context:
        return Context(
            seed=17,
            work=self.directory / "generate",
            inputs={"seeds": self.directory / "seeds"},
            shared=self.directory,
            progress=progress or Silent(),
        )

    def go(self, config: GenerateConfig) -> Result:
        return GENERATE.run(config, self.context())

    def rows(self, name: str) -> list[Any]:
        return [row for _, row in read_jsonl(self.directory / "generate" / name)]

    def bytes(self) -> list[bytes]:
        return [path.read_bytes() for path in sorted((self.directory / "generate").iterdir())]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def nowhere(port: int = 9) -> ScriptedServer:
    """A server that was not started."""
    server = ScriptedServer(obliging)
    server.base_url = f"http://127.0.0.1:{port}/v1"
    return server


def things(body: Mapping[str, Any]) -> tuple[str, str]:
    """The two entities of a prompt."""
    first, second = body["messages"][-1]["content"].split("\n")[1:3]
    return first.removeprefix("1. "), second.removeprefix("2. ")


def obliging(body: Mapping[str, Any]) -> Reply:
    """Writes one item about each entity."""
    first, second = things(body)
    usage = {"prompt_tokens": 20, "completion_tokens": 10}
    return says(items((f"What is {first}?", "A"), (f"What is {second}?", "B")), usage=usage)


class Said:
    """Keeps what was said and how far the work is."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.total: int | None = None
        self.notes: list[str | None] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def advance(self, amount: int = 1, note: str | None = None) -> None:
        self.notes.append(note)

    @contextmanager
    def task(self, what: str, *, total: int | None, unit: str) -> Iterator[Task]:
        self.total = total
        yield self


def test_every_item_becomes_an_example_that_knows_where_it_came_from(run: Run) -> None:
    with serving(obliging) as server:
        config = run.config(server, calls=4, system="Be kind.")
        result = run.go(config)
        planned = list(build_requests(config, SEEDS, run.context()))

    assert result.counts == Counts(asked=8, kept=8)
    assert result.details["calls"] == 4
    assert [body["messages"][0] for body in server.bodies] == [{"role": "system", "content": "Be kind."}] * 4
    examples = [Example.model_validate(row) for row in run.rows("examples.jsonl")]
    # Every one of the eight entities once, in the order of the calls.
    asked = [entity.name for call, _ in planned for entity in call.entities["thing"]]
    assert [each.messages[0].content for each in examples] == [f"What is {name}?" for name in asked]
    assert sorted(asked) == [f"thing {n}" for n in range(8)]
    call, request = planned[0]
    assert examples[0] == Example(
        messages=(
            Message(role="user", content=f"What is {asked[0]}?"),
            Message(role="assistant", content="A"),
        ),
        origin=Origin(
            kind="teacher",
            name="fake-1",
            parents=tuple(seed.id for seed in call.seeds),
            task="task",
            entities=(asked[0], asked[1]),
            about=(asked[0],),
            request=request.key,
        ),
    )
    assert (run.rows("rejected.jsonl"), run.rows("failures.jsonl")) == ([], [])


def test_whatever_the_server_does_every_item_is_counted_once_under_its_reason(run: Run) -> None:
    good = '{"instruction": "a", "output": "b"}'
    script = in_turn(
        says(f"[{good}, {good}]"),
        says(f"[{good}, {good}, {good}]"),  # one more than asked for
        says(f"[{good}]"),
        says(f'[{good}, {{"instruction": "a", "out', finish="length"),
        says(None),
        says('[{"instruction": "", "output": "b"}, {"instruction": "\\ud83d", "output": "b"}]'),
        fails(400, "prompt too long"),
        fails(503, "busy"),
        Reply(b'{"choices": []}'),
        says(f"[{good}, {good}]"),
    )
    with serving(script) as server:
        result = run.go(run.config(server, calls=10, teacher={"max_concurrency": 1, "max_attempts": 1}))

    assert result.counts.adds_up
    assert result.counts == Counts(
        asked=21,
        kept=9,
        rejected=6,
        failed=6,
        reasons={
            "call failed": 6,
            "parse: asked for and not in the answer": 2,
            "parse: cut off at max_tokens": 1,
            "parse: empty answer": 1,
            "parse: empty instruction": 1,
            "parse: half a surrogate pair, which is no character": 1,
        },
    )
    assert len(run.rows("examples.jsonl")) == 9
    assert len(run.rows("rejected.jsonl")) == 6
    assert run.rows("rejected.jsonl")[1]["text"] == '{"instruction": "a", "out'
    assert [row["reason"].split("/v1/chat/completions ")[1] for row in run.rows("failures.jsonl")] == [
        "answered 400: prompt too long",
        "answered 503: busy",
        "sent what is not a chat completion: '{\"choices\": []}'",
    ]


def test_a_busy_server_is_asked_again_for_the_same_call(run: Run) -> None:
    first = iter([fails(429, retry_after="0"), fails(500, retry_after="0")])
    with serving(lambda body: next(first, None) or obliging(body)) as server:
        result = run.go(run.config(server, calls=1, teacher={"max_attempts": 3}))

    assert result.counts == Counts(asked=2, kept=2)
    assert len(server.prompts) == 3
    assert len(set(server.prompts)) == 1


def test_a_request_at_fault_loses_exactly_its_call_and_is_asked_once(run: Run) -> None:
    def script(body: Mapping[str, Any]) -> Reply:
        return fails(400, "I do not like it") if "thing 3" in things(body) else obliging(body)

    with serving(script) as server:
        config = run.config(server)
        result = run.go(config)
        culprit = next(
            request
            for call, request in build_requests(config, SEEDS, run.context())
            if "thing 3" in [entity.name for entity in call.entities["thing"]]
        )

    assert result.counts == Counts(asked=8, kept=6, failed=2, reasons={"call failed": 2})
    reason = f"{server.base_url}/chat/completions answered 400: I do not like it"
    assert run.rows("failures.jsonl") == [
        {"request": culprit.key, "reason": reason, "items": 2, "asked_again": False}
    ]
    assert len(server.prompts) == len(set(server.prompts)) == 4


def test_nothing_is_asked_twice_and_a_call_that_failed_is_asked_again(run: Run) -> None:
    with serving(obliging) as server:
        server.script = lambda body: fails(400) if "thing 3" in things(body) else obliging(body)
        config = run.config(server)
        run.go(config)
        asked = list(server.prompts)
        server.script = obliging
        again = run.go(config)

        assert again.counts == Counts(asked=8, kept=8)
        assert len(server.prompts) == 5
        assert server.prompts[4] in asked
        assert "thing 3" in server.prompts[4]
        before = run.bytes()
        assert run.go(config).counts == again.counts
        assert run.bytes() == before
        assert len(server.prompts) == 5


def test_asking_for_more_pays_only_for_what_is_new(run: Run) -> None:
    with serving(obliging) as server:
        run.go(run.config(server, calls=2))
        first = run.rows("examples.jsonl")
        said = Said()
        GENERATE.run(run.config(server, calls=4), run.context(said))

    assert len(server.prompts) == len(set(server.prompts)) == 4
    assert run.rows("examples.jsonl")[:4] == first


def test_calls_are_rounded_up_to_the_examples_that_are_asked_for(run: Run) -> None:
    with serving(obliging) as server:
        assert run.go(run.config(server, num_examples=5)).counts == Counts(asked=6, kept=6)


def test_the_result_does_not_depend_on_when_the_answers_came(run: Run) -> None:
    with serving(obliging) as server:
        config = run.config(server)
        run.go(config)
        before = run.bytes()
        journal = run.directory / "journal.jsonl"
        journal.write_bytes(b"".join(reversed(journal.read_bytes().splitlines(keepends=True))))
        run.go(config)

    assert run.bytes() == before
    assert len(server.prompts) == 4


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_a_refusal_stops_at_once_and_keeps_the_answers_so_far(status: int, run: Run) -> None:
    left = iter([obliging, obliging])
    with serving(lambda body: next(left, lambda _: fails(status))(body)) as server:
        config = run.config(server, calls=8, teacher={"max_concurrency": 1})
        with pytest.raises(TeacherRefused, match=f"answered {status}"):
            run.go(config)
        assert len(server.prompts) == 3
        server.script = obliging
        assert run.go(config).counts == Counts(asked=16, kept=16)

    assert len(server.prompts) == 9
    assert server.prompts[2] == server.prompts[3]  # the call that was refused is the next


def test_many_refusals_at_once_are_one_error(run: Run) -> None:
    with serving(fails(401, "who are you?")) as server, pytest.raises(TeacherRefused, match="who are you"):
        run.go(run.config(server, teacher={"max_concurrency": 4}))


@pytest.mark.parametrize("concurrency", [1, 2, 16])
def test_a_server_that_is_down_is_an_error_and_no_empty_result(concurrency: int, run: Run) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # taken, but nobody listens
        server = nowhere(unused.getsockname()[1])
        teacher = {"max_concurrency": concurrency, "max_attempts": 1}
        with pytest.raises(StageError, match="the teacher answered none of") as caught:
            run.go(run.config(server, teacher=teacher))

    assert caught.value.hint


def test_a_server_that_rejects_every_call_is_an_error_and_no_empty_result(run: Run) -> None:
    problem = r"answered none of 4 calls; the last: .*unknown parameter"
    with serving(fails(400, "unknown parameter")) as server, pytest.raises(StageError, match=problem):
        run.go(run.config(server))


def test_equal_prompts_are_different_draws(run: Run) -> None:
    run.prompt.write_text("Write <item_count> jokes.")
    replies = [says(items((f"joke {n}", "ha"), (f"pun {n}", "ha"))) for n in range(3)]
    with serving(in_turn(*replies)) as server:
        config = run.config(server, calls=3, entities={}, teacher={"max_concurrency": 1})
        requests = [request for _, request in build_requests(config, SEEDS, run.context())]
        run.go(config)

    assert [request.draw for request in requests] == [0, 1, 2]
    assert len({request.key for request in requests}) == 3
    assert server.prompts == ["Write 2 jokes."] * 3
    questions = [row["messages"][0]["content"] for row in run.rows("examples.jsonl")]
    assert questions == ["joke 0", "pun 0", "joke 1", "pun 1", "joke 2", "pun 2"]


def test_the_key_is_in_no_file_and_in_no_error_even_if_the_server_quotes_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEACHER_API_KEY", KEY)
    teacher = {"api_key_env": "TEACHER_API_KEY", "max_concurrency": 1, "max_attempts": 1}
    script = in_turn(
        says(items(("a", "b"), ("c", "d"))),
        fails(400, f"headers were Bearer {KEY}"),
        fails(503, f"cannot serve {KEY}"),
        Reply(f"<html>{KEY}</html>".encode()),
        fails(401, f"Incorrect API key provided: {KEY}"),
    )
    with serving(script) as server:
        # Every file of a finished stage, then the error of one that stops.
        assert run.go(run.config(server, calls=4, teacher=teacher)).counts.failed == 6
        with pytest.raises(TeacherRefused) as caught:
            run.go(run.config(server, calls=4, teacher=teacher))

    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in f"{caught.value!s} {caught.value!r} {caught.value.hint}"
    files = [path for path in run.directory.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"journal.jsonl", "failures.jsonl", "examples.jsonl"}
    assert all(KEY not in path.read_text() for path in files)


def test_a_budget_is_kept_and_journaled_answers_spend_nothing_of_it(run: Run) -> None:
    # A call sets the worst case aside and then uses 30: two go in, the third could overrun.
    with serving(obliging) as server:
        _, request = next(build_requests(run.config(server), SEEDS, run.context()))
        most = worst_case(request).total + 45
        teacher: dict[str, Any] = {"max_concurrency": 1, "budget": {"max_tokens": most}}
        with pytest.raises(TeacherRefused, match=f"the budget of {most} tokens"):
            run.go(run.config(server, calls=4, teacher=teacher))
        paid = len(server.prompts)
        assert paid == 2
        # What the journal holds has been paid out of the same budget; a larger one goes on from there.
        with pytest.raises(TeacherRefused, match=f"the budget of {most} tokens"):
            run.go(run.config(server, calls=4, teacher=teacher))
        assert len(server.prompts) == paid
        teacher["budget"] = {"max_tokens": 3000}
        run.go(run.config(server, calls=4, teacher=teacher))

    assert len(server.prompts) == 4


def test_the_estimate_counts_the_calls_that_are_not_in_the_journal(run: Run) -> None:
    price = {"price": {"input_usd": 0, "output_usd": 10}}
    with serving(obliging) as server:
        run.go(run.config(server, calls=1))
        config = run.config(server, calls=4, teacher=price)
        estimate = GENERATE.estimate(config, run.context())
        assert len(server.prompts) == 1
        run.go(config)

    assert (estimate.calls, estimate.paid, estimate.output_tokens) == (3, True, 300)
    assert estimate.cost_usd == pytest.approx(0.003)  # 300 tokens at $10 a million
    prompts = sum(len(prompt.encode()) for prompt in server.prompts[1:])
    assert estimate.input_tokens == prompts // 3
    assert GENERATE.estimate(config, run.context()).calls == 0


def test_the_estimate_says_what_it_rests_on(run: Run) -> None:
    budget = {"max_cost_usd": 0.5, "max_tokens": 9000}
    price = {"input_usd": 0, "output_usd": 10}
    with serving(obliging) as server:
        config = run.config(server, calls=4, teacher={"price": price, "budget": budget})
        bare = run.config(server, calls=4)
        said = "\n".join(GENERATE.estimate(config, run.context()).assumptions)
        unknown = "\n".join(GENERATE.estimate(bare, run.context()).assumptions)

    assert "3 bytes a token" in said
    assert "price: the recipe's price" in said
    assert "before $0.50 are spent" in said
    assert "before 9,000 tokens are spent" in said
    assert "no price is known" in unknown
    assert "budget" not in unknown


def test_says_what_was_spent_and_that_a_template_shows_no_seeds(run: Run) -> None:
    run.prompt.write_text("Write <item_count> about\n<thing_list>\n")
    said = Said()
    price = {"price": {"input_usd": 1000, "output_usd": 10000}, "max_concurrency": 1}
    with serving(obliging) as server:
        GENERATE.run(run.config(server, calls=2, teacher=price), run.context(said))

    assert said.lines == ["note: prompt.txt has no place for seed tasks; they are not shown"]
    assert said.total == 2
    # 20 tokens in and 10 out: $0.02 + $0.10.
    assert said.notes[-1] == "4 kept, 20 tokens, $0.24 so far"


def test_preflight_asks_for_the_key_before_anything_starts(run: Run) -> None:
    config = run.config(nowhere(), teacher={"api_key_env": "MISSING_API_KEY"})

    with pytest.raises(RequestError, match="'MISSING_API_KEY' is not set"):
        GENERATE.preflight(config)


def test_a_recipe_whose_template_and_lists_do_not_fit_is_refused_when_it_is_read(run: Run) -> None:
    server = nowhere()
    with pytest.raises(ValidationError, match="<thing_list> needs entities"):
        run.config(server, entities={})
    run.things.write_text("")
    with pytest.raises(ValidationError, match="there is no entity in it"):
        run.config(server)


def test_the_packaged_scenario_runs_from_its_recording(tmp_path: Path) -> None:
    recipe = load_recipe(scenario_dir("clinic-en") / "recipe.yaml")
    assert recipe.generate
    assert recipe.seeds
    (tmp_path / "seeds").mkdir()
    seeds = read_seed_tasks(recipe.seeds.path)
    write_jsonl(tmp_path / "seeds" / "seeds.jsonl", (seed.model_dump(mode="json") for seed in seeds))
    context = Context(
        seed=recipe.seed, work=tmp_path / "work", inputs={"seeds": tmp_path / "seeds"}, shared=tmp_path
    )
    estimate = GENERATE.estimate(recipe.generate, context)
    counts = GENERATE.run(recipe.generate, context).counts

    assert (estimate.calls, estimate.paid) == (144, False)
    assert counts.adds_up
    assert counts.asked >= 432
    assert counts.failed == 0
    assert counts.kept > 400
    examples = [Example.model_validate(row) for _, row in read_jsonl(tmp_path / "work" / "examples.jsonl")]
    assert len(examples) == counts.kept
    assert all(len(example.origin.entities) == 3 for example in examples)
