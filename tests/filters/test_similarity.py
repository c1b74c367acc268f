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
from instil.novelty import Tokenization
from instil.novelty.score import rouge_l_f1


def example(instruction: str) -> Example:
    turns = (Message(role="user", content=instruction), Message(role="assistant", content="an answer"))
    return Example(messages=turns, origin=Origin(kind="corpus", name="test"))


def deduplicate(
    instructions: list[str], threshold: float = 0.7, tokenization: Tokenization = "auto"
) -> tuple[list[str], list[Rejection]]:
    """Return what is kept, in order, and the rejections."""
    novelty = RougeLConfig(kind="rouge_l", threshold=threshold, tokenization=tokenization).build()
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
        assert (rejection is not None) == (max(scores, default=0) > 0.7), instruction
        if rejection is None:
            novelty.accept(example(instruction))
            kept.append(instruction)
            continue
        rejected += 1
        assert rejection.score == round(max(scores), 4)
        assert rejection.nearest == kept[scores.index(max(scores))]
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
    ("first", "second", "shared", "kept"),
    [
        (10, 10, 7, True),  # 0.7
        (8, 12, 7, False),  # 0.7000000000000001, as the reference rounds it
        (10, 10, 8, False),
        (8, 12, 6, True),
    ],
)
def test_a_score_equal_to_the_threshold_is_kept_unless_the_reference_rounds_it_up(
    first: int, second: int, shared: int, kept: bool
) -> None:
    same = [f"w{number}" for number in range(shared)]
    a = " ".join([*same, *(f"a{number}" for number in range(first - shared))])
    b = " ".join([*same, *(f"b{number}" for number in range(second - shared))])
    reference = RougeScorer(["rougeL"], use_stemmer=False).score(a, b)["rougeL"].fmeasure

    assert (reference <= 0.7) == kept
    assert deduplicate([a, b])[0] == ([a, b] if kept else [a])


def test_the_reference_s_tokens_can_be_asked_for() -> None:
    pair = ["用 Python 读取文件", "为什么叫 Python"]

    # To the reference each of them is the one word `python`.
    assert deduplicate(pair, tokenization="rouge_score")[0] == pair[:1]
    assert deduplicate(pair)[0] == pair
    assert deduplicate(["résumé tips", "r sum tips"], tokenization="rouge_score")[0] == ["résumé tips"]


def test_an_instruction_without_words_is_like_nothing() -> None:
    assert deduplicate(["…!?", "", "…!?"])[0] == ["…!?", "", "…!?"]


def test_the_most_similar_are_noted_with_what_is_kept_where_that_is_asked_for() -> None:
    novelty = RougeLConfig(kind="rouge_l", most_similar=2).build()
    for instruction in ("what helps against a cough", "how tall is he", "what helps against fever at night"):
        novelty.accept(example(instruction))

    noted = novelty.annotate(example("what helps against hiccups"))
    assert noted.similar == {"what helps against a cough": 0.6667, "what helps against fever at night": 0.6}
    assert Example.model_validate(noted.row()) == noted

    unlike = novelty.annotate(example("tell me a story"))
    assert unlike.similar == {"what helps against a cough": 0.2222}
    assert novelty.annotate(example("hello")).similar == {}
    assert "similar" not in novelty.annotate(example("hello")).row()


def test_nothing_is_noted_by_itself() -> None:
    novelty = RougeLConfig(kind="rouge_l").build()
    novelty.accept(example("what helps against a cough"))
    same = example("what helps against hiccups")
    assert novelty.annotate(same) is same


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
            assert rouge_l_f1(common(a, b), len(a), len(b)) <= threshold
