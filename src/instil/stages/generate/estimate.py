"""What generating would take: calls, tokens and money, said before anything is asked."""

from __future__ import annotations

from collections.abc import Iterator

from instil.stages.base import Context, Estimate
from instil.stages.generate.config import GenerateConfig
from instil.stages.generate.run import build_requests, read_seeds
from instil.teachers import teacher_identity
from instil.teachers.base import Usage
from instil.teachers.budgeted import worst_case
from instil.teachers.journaling import JOURNAL, journal_key, journaled_keys
from instil.teachers.prices import PriceFound, price_of

_BYTES_PER_TOKEN = 3  # a rough mean over English (4) and Chinese (2 to 3)


def estimate(config: GenerateConfig, context: Context) -> Estimate:
    """Return what the calls that the journal does not know would take.

    The requests of the first wave are made and counted; later waves, whose requests depend on answers,
    count as its mean.
    """
    known = journaled_keys(context.shared / JOURNAL)
    identity = teacher_identity(config.teacher)
    made = asked = new = 0
    worst = Usage()
    for _, request in build_requests(config, read_seeds(context), context):
        made += 1
        if journal_key(identity, request) not in known:
            new += 1
            asked += sum(len(message.content.encode()) for message in request.messages)
            worst += worst_case(request)
    planned = config.mode.calls(config.num_examples, config.items_per_call)
    later = max(0, planned - made)
    scale = (new + later) / new if new else 0.0
    paid = config.teacher.paid
    found = price_of(config.teacher) if paid else None
    return Estimate(
        calls=new + later if new else 0,
        paid=paid,
        input_tokens=int(asked * scale) // _BYTES_PER_TOKEN,
        output_tokens=int(worst.output_tokens * scale),
        cost_usd=found.price.of(worst) * scale if found else None,
        assumptions=tuple(_assumptions(config, later, found)) if new and paid else (),
    )


def _assumptions(config: GenerateConfig, later: int, found: PriceFound | None) -> Iterator[str]:
    yield f"input counted as {_BYTES_PER_TOKEN} bytes a token, output as the most that max_tokens allows"
    if later:
        yield f"{later:,} calls of later waves, counted like those of the first"
    if config.shortfall == "ask_again":
        yield "no answer falls short; what does is asked again, up to twice these calls"
    if found is None:
        yield "no price is known for this model at this address; give generate.teacher.price"
    else:
        yield f"price: {found.source}; one token for each byte of input, so it cannot cost more"
