"""Rendering: the mask covers the assistant's words and end mark, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.data.messages import Message
from instil.errors import RecipeError
from instil.models.render import Rendered, Renderer
from instil.models.templates import TEMPLATES
from tests.tiny import shared_model

_said = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20).filter(str.strip)
_turns = st.lists(st.tuples(_said, _said), min_size=1, max_size=3)


def _messages(turns: list[tuple[str, str]], system: str | None = None) -> list[Message]:
    found = [] if system is None else [Message(role="system", content=system)]
    for question, answer in turns:
        found += [Message(role="user", content=question), Message(role="assistant", content=answer)]
    return found


def _learned(template: str, rendered: Rendered) -> str:
    chosen = [token for token, learned in zip(rendered.input_ids, rendered.mask, strict=True) if learned]
    return str(shared_model(template).tokenizer.decode(chosen))


@pytest.mark.parametrize("template", sorted(TEMPLATES))
@given(turns=_turns)
def test_what_is_learned_is_every_answer_with_its_end_mark(
    template: str, turns: list[tuple[str, str]]
) -> None:
    tokenizer = shared_model(template).tokenizer

    rendered = Renderer(tokenizer).render(_messages(turns, system="be kind"))

    assert _learned(template, rendered) == "".join(answer + tokenizer.eos_token for _, answer in turns)


@pytest.mark.parametrize("template", sorted(TEMPLATES))
@given(turns=_turns)
def test_the_prompt_is_a_prefix_of_the_tokens_of_the_whole(
    template: str, turns: list[tuple[str, str]]
) -> None:
    renderer = Renderer(shared_model(template).tokenizer)
    messages = _messages(turns)

    prompt, whole = renderer.prompt(messages[:-1]), renderer.render(messages)

    assert list(whole.input_ids[: len(prompt)]) == prompt
    assert whole.mask[len(prompt)]


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


def test_a_template_without_marks_learns_the_same_by_turns() -> None:
    marked = shared_model("chatml").tokenizer
    messages = _messages([("one", "two"), ("three", "four")])
    expected = Renderer(marked).render(messages)
    source = str(marked.chat_template)
    plain = source.replace("{%- generation -%}", "").replace("{%- endgeneration -%}", "")
    try:
        marked.chat_template = plain
        by_turns = Renderer(marked).render(messages)
    finally:
        marked.chat_template = source

    assert by_turns.input_ids == expected.input_ids
    # Without marks the line break after the end mark cannot be told from the answer.
    assert [t for t, m in zip(by_turns.input_ids, by_turns.mask, strict=True) if m][:2] == [
        t for t, m in zip(expected.input_ids, expected.mask, strict=True) if m
    ][:2]


def test_a_template_that_rewrites_earlier_turns_is_refused() -> None:
    tokenizer = shared_model("alpaca").tokenizer
    source = str(tokenizer.chat_template)
    try:
        tokenizer.chat_template = "{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}"
        with pytest.raises(RecipeError, match="writes earlier turns again"):
            Renderer(tokenizer).render(_messages([("a", "b"), ("c", "d")]))
    finally:
        tokenizer.chat_template = source


def test_a_template_that_fails_says_so() -> None:
    tokenizer = shared_model("hugchat").tokenizer
    source = str(tokenizer.chat_template)
    try:
        tokenizer.chat_template = "{{ raise_exception('roles must alternate') }}"
        with pytest.raises(RecipeError, match="roles must alternate"):
            Renderer(tokenizer).prompt(_messages([("a", "b")]))
    finally:
        tokenizer.chat_template = source
