"""Rendering: the mask covers the assistant's words and end mark, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from instil.data.messages import Message
from instil.errors import RecipeError
from instil.models.render import LossOn, Refused, Rendered, Renderer
from instil.models.template import TemplateRunner
from instil.models.templates import TEMPLATES
from instil.models.tokenizer import give_template
from tests.models.small_tokenizers import KINDS, small_tokenizer
from tests.tiny import shared_model

REAL = Path(__file__).parents[3] / "shared" / "data" / "tokenizers"

_said = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20).filter(str.strip)
# Words and white space as they meet at the borders of answers.
_plain = st.lists(
    st.sampled_from(("Yes", "No,", "42", "I'm", "'s", ".", "\n", " ", "\n\n", "cough", "#", "is")),
    min_size=1,
    max_size=6,
).map("".join)
_turns = st.lists(st.tuples(_said, _said), min_size=1, max_size=3)
_plain_turns = st.lists(st.tuples(_plain, _plain), min_size=1, max_size=3)

_few = settings(max_examples=10)
_SETS = [(kind, template) for kind in KINDS for template in ("chatml", "hugchat")]


def _messages(turns: Sequence[tuple[str, str]], system: str | None = None) -> list[Message]:
    found = [] if system is None else [Message(role="system", content=system)]
    for question, answer in turns:
        found += [Message(role="user", content=question), Message(role="assistant", content=answer)]
    return found


def _learned(tokenizer: PreTrainedTokenizerBase, rendered: Rendered) -> str:
    return _decode(tokenizer, [t for t, m in zip(rendered.input_ids, rendered.mask, strict=True) if m])


def _decode(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> str:
    return str(tokenizer.decode(list(ids), clean_up_tokenization_spaces=False))


@contextmanager
def _with_template(tokenizer: PreTrainedTokenizerBase, source: str) -> Iterator[PreTrainedTokenizerBase]:
    before = tokenizer.chat_template
    tokenizer.chat_template = source
    try:
        yield tokenizer
    finally:
        tokenizer.chat_template = before


@pytest.mark.parametrize("template", sorted(TEMPLATES))
@given(turns=_turns)
def test_what_is_learned_is_every_answer_with_its_end_mark(
    template: str, turns: list[tuple[str, str]]
) -> None:
    tokenizer = shared_model(template).tokenizer

    rendered = Renderer(tokenizer).render(_messages(turns, system="be kind"))

    expected = "".join(answer + str(tokenizer.eos_token) for _, answer in turns)
    assert _learned(tokenizer, rendered) == expected


@pytest.mark.parametrize(("kind", "template"), _SETS)
@_few
@given(turns=_plain_turns)
@example([("a", "Yes"), ("b", "\n\nNo"), ("c", " 42")])
def test_what_is_learned_is_the_same_for_every_kind_of_tokenizer(
    kind: str, template: str, turns: list[tuple[str, str]]
) -> None:
    tokenizer = small_tokenizer(kind, template)

    rendered = Renderer(tokenizer).render(_messages(turns))

    end = str(tokenizer.eos_token)
    if end == "</s>":
        # ByT5's end mark swallows the white space before it.
        turns = [(question, answer.rstrip()) for question, answer in turns]
    expected = "".join(answer + end for _, answer in turns)
    # llama2's decoder drops a space that begins a text.
    assert _learned(tokenizer, rendered) == (expected.removeprefix(" ") if kind == "llama2" else expected)


@pytest.mark.parametrize(("kind", "template"), _SETS)
@_few
@given(turns=_plain_turns)
@example([("a", "Yes"), ("b", "\n\nNo"), ("c", " 42")])
def test_a_prefix_of_a_conversation_renders_to_a_prefix(
    kind: str, template: str, turns: list[tuple[str, str]]
) -> None:
    renderer = Renderer(small_tokenizer(kind, template))
    messages = _messages(turns, system="Be kind.")
    whole = renderer.render(messages)

    for turn in range(len(turns)):
        answered = messages[: 3 + 2 * turn]
        prompt, part = renderer.prompt(answered[:-1]), renderer.render(answered)

        assert list(whole.input_ids[: len(prompt)]) == prompt
        assert whole.mask[len(prompt)]
        # Up to the end of the last answer: what follows it may be tokenized with the next question.
        end = len(part.mask) - part.mask[::-1].index(True)
        assert whole.input_ids[:end] == part.input_ids[:end]
        assert whole.mask[:end] == part.mask[:end]


@pytest.mark.parametrize("loss_on", get_args(LossOn))
@given(turns=_turns)
def test_the_choice_of_what_is_learned_changes_the_mask_and_not_the_tokens(
    loss_on: LossOn, turns: list[tuple[str, str]]
) -> None:
    tokenizer = shared_model("hugchat").tokenizer
    messages = _messages(turns)
    every = Renderer(tokenizer).render(messages)

    rendered = Renderer(tokenizer, loss_on).render(messages)

    assert rendered.input_ids == every.input_ids
    if loss_on == "last":
        assert _learned(tokenizer, rendered) == turns[-1][1] + str(tokenizer.eos_token)
    if loss_on == "all":
        assert rendered.mask == (False, *[True] * (len(rendered.mask) - 1))


@pytest.mark.parametrize("kind", KINDS)
@_few
@given(conversations=st.lists(_plain_turns, max_size=6))
def test_many_at_once_give_what_each_gives_alone(
    kind: str, conversations: list[list[tuple[str, str]]]
) -> None:
    renderer = Renderer(small_tokenizer(kind, "hugchat"))

    together = list(renderer.render_many(_messages(turns) for turns in conversations))

    assert together == [renderer.render(_messages(turns)) for turns in conversations]


def test_many_are_rendered_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instil.models.render._CHUNK_CHARACTERS", 40)
    taken = 0

    def conversations() -> Iterator[list[Message]]:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield _messages([(f"What is {number}?", "A number.")])

    renderer = Renderer(shared_model().tokenizer)
    for number, found in enumerate(renderer.render_many(conversations()), start=1):
        assert isinstance(found, Rendered)
        assert taken <= number + 2


@pytest.mark.parametrize("template", sorted(TEMPLATES))
@given(turns=_turns, system=st.none() | _said, prompt=st.booleans())
def test_packaged_templates_are_written_as_jinja_writes_them(
    template: str, turns: list[tuple[str, str]], system: str | None, prompt: bool
) -> None:
    tokenizer = shared_model(template).tokenizer
    messages = [
        *_messages(turns, system),
        Message(role="tool", content="3"),
        Message(role="user", content=""),
    ]
    # One more character, and it is a template of somebody else's.
    with _with_template(tokenizer, f"{tokenizer.chat_template}{{# #}}") as other:
        jinja = TemplateRunner(other)
    ours = TemplateRunner(tokenizer)

    if prompt:
        assert ours.prompt(messages) == jinja.prompt(messages)
    else:
        assert ours.mark([messages]) == jinja.mark([messages])


@pytest.mark.parametrize("template", sorted(TEMPLATES))
def test_each_template_renders_as_reviewed(template: str, golden: Callable[[str, str], None]) -> None:
    tokenizer = shared_model(template).tokenizer
    messages = _messages([("What is a cold?", "A mild infection."), ("谢谢", "不客气。")], system="Be brief.")
    rendered = Renderer(tokenizer).render(messages)

    words = "".join(
        ("⟦" if learned and not before else "⟧" if before and not learned else "") + piece
        for piece, learned, before in _pieces(template, rendered)
    )
    golden(f"templates/{template}.txt", words + "\n")


def _pieces(template: str, rendered: Rendered) -> list[tuple[str, bool, bool]]:
    """Return runs of tokens of one kind as text, with whether they and those before are learned."""
    tokenizer = shared_model(template).tokenizer
    runs: list[tuple[list[int], bool]] = []
    for token, learned in zip(rendered.input_ids, rendered.mask, strict=True):
        if not runs or runs[-1][1] != learned:
            runs.append(([], learned))
        runs[-1][0].append(token)
    before = [False, *(learned for _, learned in runs)]
    return [(str(tokenizer.decode(ids)), learned, b) for (ids, learned), b in zip(runs, before, strict=False)]


def _without_marks(source: str) -> str:
    return source.replace("{%- generation -%}", "").replace("{%- endgeneration -%}", "")


def test_a_template_without_marks_learns_the_same_by_turns() -> None:
    tokenizer = shared_model("chatml").tokenizer
    messages = _messages([("one", "two"), ("three", "four")])
    expected = Renderer(tokenizer).render(messages)
    prompt = Renderer(tokenizer).prompt(messages[:-1])

    with _with_template(tokenizer, _without_marks(str(tokenizer.chat_template))):
        renderer = Renderer(tokenizer)
    by_turns = renderer.render(messages)

    assert by_turns.input_ids == expected.input_ids
    assert renderer.prompt(messages[:-1]) == prompt
    # Without marks the line break after the end mark cannot be told from the answer.
    answers = "two<|im_end|>\nfour<|im_end|>\n"
    assert _learned(tokenizer, by_turns) == answers


REWRITES = "{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}"


def test_a_template_that_rewrites_earlier_turns_is_refused_for_training_and_not_for_answers() -> None:
    with _with_template(shared_model("alpaca").tokenizer, REWRITES) as tokenizer:
        renderer = Renderer(tokenizer)
    messages = _messages([("a", "b"), ("c", "d")])

    with pytest.raises(RecipeError, match="writes earlier turns again"):
        renderer.render(messages)
    assert _decode(tokenizer, renderer.prompt(messages[:-1])) == "3abc"


def test_a_template_that_fails_says_so() -> None:
    failing = "{{ raise_exception('roles must alternate') }}"
    with _with_template(shared_model("hugchat").tokenizer, failing) as tokenizer:
        renderer = Renderer(tokenizer)

    with pytest.raises(RecipeError, match="roles must alternate"):
        renderer.prompt(_messages([("a", "b")]))
    with pytest.raises(RecipeError, match="roles must alternate"):
        renderer.render(_messages([("a", "b")]))


def test_a_conversation_that_the_template_refuses_does_not_stop_the_others() -> None:
    tokenizer = shared_model("chatml").tokenizer
    picky = "{% if messages[0].role != 'user' %}{{ raise_exception('no system prompt') }}{% endif %}"
    with _with_template(tokenizer, picky + str(tokenizer.chat_template)):
        renderer = Renderer(tokenizer)
    turns = [("a", "b")]

    first, second, third = renderer.render_many(
        [_messages(turns), _messages(turns, system="no"), _messages(turns)]
    )

    assert first == third == Renderer(tokenizer).render(_messages(turns))
    assert isinstance(second, Refused)
    assert "no system prompt" in second.reason


def test_a_conversation_without_an_answer_is_refused_unless_all_is_learned() -> None:
    tokenizer = shared_model().tokenizer
    asked = [Message(role="user", content="Anybody there?")]

    assert list(Renderer(tokenizer).render_many([asked])) == [Refused("no answer of the assistant")]
    with pytest.raises(RecipeError, match="no answer of the assistant"):
        Renderer(tokenizer).render(asked)
    assert Renderer(tokenizer, "all").render(asked).supervised > 3


def test_a_template_that_marks_no_answer_is_refused() -> None:
    source = "{% generation %}{% endgeneration %}{% for m in messages %}{{ m.content }}{% endfor %}"
    with _with_template(shared_model("alpaca").tokenizer, source) as tokenizer:
        renderer = Renderer(tokenizer)

    with pytest.raises(RecipeError, match="marks nothing to learn"):
        renderer.render(_messages([("a", "b")]))


@pytest.mark.parametrize("kind", ["gpt2", "llama2"])
def test_a_tokenizer_that_cuts_and_fills_texts_does_so_for_others_only(kind: str) -> None:
    tokenizer: Any = small_tokenizer(kind)
    renderer = Renderer(tokenizer)
    messages = _messages([("Where do I go with a cough?", "Please see Respiratory Medicine.")])
    expected = renderer.render(messages)
    try:
        tokenizer.backend_tokenizer.enable_truncation(3)
        assert renderer.render(messages) == expected
        tokenizer.backend_tokenizer.enable_padding(length=500)
        assert renderer.render(messages) == expected
    finally:
        tokenizer.backend_tokenizer.no_truncation()
        tokenizer.backend_tokenizer.no_padding()


def test_threads_can_render_with_one_template() -> None:
    tokenizer = shared_model("chatml").tokenizer
    with _with_template(tokenizer, f"{tokenizer.chat_template}{{# #}}"):
        renderer = Renderer(tokenizer)
    messages = _messages([("What is a cold?", "A mild infection.")] * 20)
    expected = renderer.prompt(messages[:-1])

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: renderer.prompt(messages[:-1]), range(200)))

    assert all(each == expected for each in found)


BARE = (
    "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content + eos_token }}"
    "{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}"
)
"""A template that writes nothing between a question and its answer."""


@pytest.mark.parametrize("kind", KINDS)
def test_the_tokens_before_an_answer_are_those_of_the_prompt_whatever_it_ends_with(kind: str) -> None:
    with _with_template(small_tokenizer(kind), BARE) as tokenizer:
        renderer = Renderer(tokenizer)

        for end in ("", " ", "\n", "\n\n", " \n", "\t", "  ", "4", "so", "'", "。"):
            for answer in ("Yes", "42", " so", "\n\nNo", "'s", "s", "。"):
                messages = _messages([(f"He said{end}", answer)])
                rendered, prompt = renderer.render(messages), renderer.prompt(messages[:-1])
                assert list(rendered.input_ids[: len(prompt)]) == prompt, (end, answer)
                assert rendered.mask == tuple(place >= len(prompt) for place in range(len(rendered.mask)))


def _merging(left: str, right: str, *, trims: bool = False) -> PreTrainedTokenizerBase:
    """Return a tokenizer of bytes with one merge, which is asked for whole texts and their offsets."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    first, second = (tokenizer_bytes(text) for text in (left, right))
    merge = (first[-1], second[0])
    vocabulary = {piece: number for number, piece in enumerate([*alphabet, "".join(merge)])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[merge]))
    # What is put before a text keeps words from being looked up alone.
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    if trims:
        backend.post_processor = processors.ByteLevel(trim_offsets=True)
    found = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|endoftext|>")  # type: ignore[no-untyped-call]
    found.add_special_tokens({"eos_token": "<|endoftext|>"})
    found.chat_template = BARE
    return found


def tokenizer_bytes(text: str) -> str:
    """Return a text as a byte-level vocabulary spells it."""
    ((spelled, _),) = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)
    return str(spelled)


@pytest.mark.parametrize(
    ("left", "right", "trims"), [("答", "咳", False), (" ", "Y", True), ("a", "b", False)]
)
def test_a_token_that_crosses_into_the_answer_is_not_made(left: str, right: str, trims: bool) -> None:
    tokenizer = _merging(left, right, trims=trims)
    merged = len(pre_tokenizers.ByteLevel.alphabet())
    whole = tokenizer(f"Q{left}{right}", add_special_tokens=False)["input_ids"]
    assert merged in whole

    rendered = Renderer(tokenizer).render(_messages([(f"Q{left}", right)]))

    assert merged not in rendered.input_ids
    assert _learned(tokenizer, rendered) == right + "<|endoftext|>"


def test_renderers_with_one_fingerprint_render_alike() -> None:
    tokenizer, other = shared_model("chatml").tokenizer, shared_model("hugchat").tokenizer

    assert Renderer(tokenizer).fingerprint == Renderer(tokenizer).fingerprint
    different = {
        Renderer(tokenizer).fingerprint,
        Renderer(tokenizer, "all").fingerprint,
        Renderer(other).fingerprint,
        Renderer(small_tokenizer("byt5")).fingerprint,
    }
    assert len(different) == 4


@pytest.mark.parametrize("template", sorted(TEMPLATES))
@pytest.mark.parametrize("name", ["gpt2", "llama2"])
def test_real_tokenizers_learn_the_answers_and_begin_with_the_prompt(name: str, template: str) -> None:
    path = REAL / name / "tokenizer.json"
    if not path.is_file():
        pytest.skip(f"the real tokenizer is not at {path}")
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_file=str(path), eos_token="<|endoftext|>"
    )
    give_template(tokenizer, template)
    renderer = Renderer(tokenizer)
    turns = [("What is 6 × 7?", "42, of course"), ("谢谢🙂", "不客气。\n\n1. 好"), ("x", "Yes")]
    messages = _messages(turns, system="Be brief.")

    rendered = renderer.render(messages)

    assert _learned(tokenizer, rendered) == "".join(answer + str(tokenizer.eos_token) for _, answer in turns)
    for turn in range(len(turns)):
        prompt = renderer.prompt(messages[: 2 + 2 * turn])
        assert list(rendered.input_ids[: len(prompt)]) == prompt
