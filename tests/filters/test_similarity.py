"""Novelty against the reference implementation of ROUGE-L, and on Chinese, which it cannot read."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from instil.data.examples import Example, Origin, Rejection
from instil.data.messages import Message
from instil.filters.similarity import RougeLConfig


def example(instruction: str) -> Example:
    turns = (Message(role="user", content=instruction), Message(role="assistant", content="an answer"))
    return Example(messages=turns, origin=Origin(kind="corpus", name="test"))


def deduplicate(instructions: list[str], threshold: float = 0.7) -> tuple[list[str], list[Rejection]]:
    """Return what is kept, in order, and the rejections."""
    novelty = RougeLConfig(kind="rouge_l", threshold=threshold).build()
    kept, rejections = [], []
    for instruction in instructions:
        rejection = novelty.check(example(instruction))
        if rejection:
            rejections.append(rejection)
        else:
            novelty.accept(example(instruction))
            kept.append(instruction)
    return kept, rejections


def common(a: str, b: str) -> int:
    """Return the length of the longest common subsequence of two sequences of letters."""
    row = [0] * (len(b) + 1)
    for x in a:
        above = row
        row = [0]
        for column, y in enumerate(b):
            row.append(above[column] + 1 if x == y else max(above[column + 1], row[column]))
    return row[-1]


VERBS = ["Describe", "Explain", "List", "Compare", "Summarise", "Name", "Don't-forget"]
NOUNS = ["fever", "cough", "vitamin-C", "headache", "type_2", "diabetes", "blood", "pressure"]
NOUNS += ["children", "adults", "sleep", "diet", "3", "days"]
LINKS = ["of", "the", "for", "a", "with", "in,", "and:", "what's", "when", "(after)", "before"]


def instructions(count: int, rng: random.Random) -> list[str]:
    """Return English instructions, about half of which are near copies of earlier ones."""
    found: list[str] = []
    for _ in range(count):
        if found and rng.random() < 0.5:
            words = rng.choice(found).split()
            for _ in range(rng.randint(0, 4)):
                place = rng.randrange(len(words))
                edit = rng.choice(["drop", "add", "change", "shout"])
                if edit == "add":
                    words.insert(place, rng.choice(NOUNS))
                elif edit == "change":
                    words[place] = rng.choice(NOUNS)
                elif edit == "shout":
                    words[place] = words[place].upper() + "!"
                elif len(words) > 2:
                    del words[place]
        else:
            words = [rng.choice(VERBS), *(rng.choice(NOUNS + LINKS) for _ in range(rng.randint(3, 12)))]
        found.append(" ".join(words))
    return found


def test_decisions_and_scores_are_those_of_the_reference() -> None:
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    novelty = RougeLConfig(kind="rouge_l", threshold=0.7).build()
    kept: list[str] = []
    rejected = 0
    for instruction in instructions(260, random.Random(1)):
        scores = [scorer.score(each, instruction)["rougeL"].fmeasure for each in kept]
        rejection = novelty.check(example(instruction))
        # The reference rounds 0.7 up to 0.7000000000000001.
        assert (rejection is not None) == (max(scores, default=0) > 0.7 + 1e-9), instruction
        if rejection is None:
            novelty.accept(example(instruction))
            kept.append(instruction)
            continue
        rejected += 1
        assert rejection.score == pytest.approx(max(scores), abs=5e-5)
        assert rejection.nearest is not None
        assert scores[kept.index(rejection.nearest)] == pytest.approx(max(scores))
    assert rejected > 50
    assert len(kept) > 100


@pytest.mark.parametrize(
    ("first", "second", "score"),
    [
        ("今天头疼怎么办？", "今天头疼怎么治", 0.8571),  # 6 of 7 and 7
        ("今天头疼怎么办", "头疼办", 0.6),  # 3 of 7 and 3
        ("高血压能吃什么", "糖尿病能吃什么", 0.5714),  # 4 of 7 and 7
        ("发烧三天", "三天发烧", 0.5),  # 2 of 4 and 4: the order counts
        ("服用Aspirin后胃疼", "服用 aspirin 后胃痛。", 0.8333),  # 5 of 6 and 6: one word of Latin letters
        ("感冒", "感冒", 1.0),
    ],
)
def test_chinese_is_compared_by_characters(first: str, second: str, score: float) -> None:
    kept, rejections = deduplicate([first, second], threshold=score - 0.01)
    assert kept == [first]
    assert [(each.score, each.nearest, each.filter) for each in rejections] == [(score, first, "rouge_l")]
    assert deduplicate([first, second], threshold=min(1.0, score + 0.01))[0] == [first, second]


@pytest.mark.parametrize(
    ("first", "second", "threshold"),
    [
        (10, 10, 0.7),
        (10, 10, 0.3),
        (50, 50, 0.82),
        (50, 50, 0.58),
        (20, 20, 0.15),
        (10, 10, 1.0),
    ],
)
def test_a_score_equal_to_the_threshold_is_kept(first: int, second: int, threshold: float) -> None:
    shared = round(threshold * (first + second) / 2)
    same = [f"w{number}" for number in range(shared)]
    a = " ".join([*same, *(f"a{number}" for number in range(first - shared))])
    b = " ".join([*same, *(f"b{number}" for number in range(second - shared))])
    assert deduplicate([a, b], threshold)[0] == [a, b]


def test_a_rejected_instruction_does_not_reject_others() -> None:
    # The second is too close to the first, the third only to the second.
    chain = ["a b c d e f g h i j", "a b c d e f g h x y", "a b c d e f q r x y"]
    assert deduplicate(chain)[0] == [chain[0], chain[2]]


def test_the_first_user_message_is_what_is_compared() -> None:
    novelty = RougeLConfig(kind="rouge_l").build()
    novelty.accept(example("what helps against a cough"))
    turns = [
        Message(role="system", content="what helps against a cough"),
        *example("how tall is he").messages,
    ]
    later = [
        Message(role="user", content="what helps against a cough"),
        Message(role="assistant", content="x"),
    ]
    assert novelty.check(Example(messages=(*turns, *later), origin=Origin(kind="corpus", name="x"))) is None
    assert novelty.check(Example(messages=(*later, *turns), origin=Origin(kind="corpus", name="x")))


_letters = st.lists(st.text("abcde", min_size=1, max_size=9), max_size=12)


@given(letters=_letters, threshold=st.sampled_from([0.3, 0.5, 0.6, 0.7, 0.9, 1.0]))
def test_deduplicating_twice_changes_nothing_and_keeps_no_pair_above_the_threshold(
    letters: list[str], threshold: float
) -> None:
    kept, rejections = deduplicate([" ".join(each) for each in letters], threshold)
    assert len(kept) + len(rejections) == len(letters)
    assert deduplicate(kept, threshold) == (kept, [])
    plain = [each.replace(" ", "") for each in kept]
    for index, a in enumerate(plain):
        for b in plain[:index]:
            assert 2 * common(a, b) <= (threshold + 1e-9) * (len(a) + len(b))
