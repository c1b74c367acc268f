"""What generating would take: calls, tokens and money, said before anything is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from instil.stages.base import Context, Estimate
from instil.stages.generate.config import GenerateConfig
from instil.stages.generate.run import open_generation, open_sorter, read_seeds, waves
from instil.teachers import teacher_identity
from instil.teachers.budgeted import dollars
from instil.teachers.forecast import HOW_COUNTED, Forecast
from instil.teachers.journaling import JOURNAL, PaidAnswers
from instil.teachers.prices import PriceFound, price_of


def estimate(config: GenerateConfig, context: Context) -> Estimate:
    """Return what the calls that the journal does not know would take.

    Waves whose answers the journal has are read as a run would read them. The requests of the first that
    has a new one are counted; later waves, whose requests depend on its answers, count as its mean.
    """
    made, new = 0, Forecast()
    seeds = read_seeds(context)
    generation = open_generation(config, context, seeds)
    with (
        TemporaryDirectory() as work,
        PaidAnswers(context.shared / JOURNAL, teacher_identity(config.teacher)) as paid_answers,
        open_sorter(generation, seeds, replace(context, work=Path(work))) as sorter,
    ):
        for wave in waves(generation, sorter):
            for call, request in generation.requests(wave):
                made += 1
                if request not in paid_answers:
                    new.add(request)
                elif config.learns and not new.calls and (answer := paid_answers.get(request)):
                    sorter.answer(call, request.key, answer)
            if new.calls:
                break
    later = max(0, config.planned_calls - made)
    scale = (new.calls + later) / new.calls if new.calls else 0.0
    paid = config.teacher.paid
    found = price_of(config.teacher) if paid else None
    return Estimate(
        calls=new.calls + later if new.calls else 0,
        paid=paid,
        input_tokens=new.input_tokens(scale),
        output_tokens=new.output_tokens(scale),
        cost_usd=new.cost_usd(found, scale),
        assumptions=tuple(_assumptions(config, later, found)) if new.calls and paid else (),
    )


def _assumptions(config: GenerateConfig, later: int, found: PriceFound | None) -> Iterator[str]:
    yield HOW_COUNTED
    if later:
        yield f"{later:,} calls of later waves, counted like those of the first"
    if config.shortfall == "ask_again":
        yield f"no answer falls short; what does is asked again, up to {config.most_calls:,} calls in all"
    if found is None:
        yield "no price is known for this model at this address; give generate.teacher.price"
    else:
        yield f"price: {found.source}; dollars count one token for each byte of input, which is the most"
    yield "what breaks off after the server took it is asked again, and may be charged too"
    budget = config.teacher.budget
    if budget and budget.max_cost_usd is not None:
        yield f"the run stops before {dollars(budget.max_cost_usd)} are spent: generate.teacher.budget"
    if budget and budget.max_tokens is not None:
        yield f"the run stops before {budget.max_tokens:,} tokens are spent: generate.teacher.budget"
