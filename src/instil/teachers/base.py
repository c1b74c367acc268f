"""What a teacher is: one method from a request to a completion.

Behaviour is added by wrapping a teacher in another (`rates`, `limited`, `budgeted`, `retrying`,
`journaling`); `instil.teachers.open_teacher` stacks them in the order that matters.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, Self

from pydantic import Field, model_validator

from instil.config.base import Config, Items, RuntimeOnly
from instil.data.fingerprint import fingerprint
from instil.data.messages import Message, Value
from instil.teachers.prices import Price as Price
from instil.teachers.prices import price_of

SAMPLING_FIELDS = frozenset(
    {
        "temperature",
        "top_p",
        "top_k",
        "max_tokens",
        "stop",
        "sampling_seed",
        "frequency_penalty",
        "presence_penalty",
        "extra",
    }
)
"""The fields of a teacher's configuration that are part of every request."""

FinishReason = Literal["stop", "length", "content_filter", "tool_calls"]


class Sampling(Value):
    """How tokens are drawn; what is None is left to the server."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    extra: Mapping[str, Any] = Field(default_factory=dict)
    """Whatever else the server knows, by the server's names; JSON values."""


class Request(Value):
    """Everything that decides an answer: what is asked, and how it is sampled."""

    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    response_schema: Mapping[str, Any] | None = None
    """JSON schema that the answer should follow, where the server can hold to one; else it is not used."""
    draw: int = 0
    """Tells requests of equal content apart: 0 for the first, 1 for the second, and so on."""

    @cached_property
    def content(self) -> dict[str, Any]:
        """What is asked as JSON values, without defaults; so a field that is added later changes no key."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @cached_property
    def key(self) -> str:
        """Same content, same key."""
        return fingerprint(self.content)


class Usage(Value):
    """Tokens of one call or of many."""

    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def total(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )


class Completion(Value):
    """What a teacher returns."""

    text: str
    finish_reason: FinishReason = "stop"
    model: str = ""
    usage: Usage = Usage()
    reasoning: str | None = None
    """What the model thought before it answered, where the server tells it apart."""

    def row(self) -> dict[str, Any]:
        """Return what a journal holds of it."""
        row = self.model_dump(mode="json")
        if self.reasoning is None:
            del row["reasoning"]
        return row


class Teacher(Protocol):
    """A model that writes data."""

    async def complete(self, request: Request) -> Completion:
        """Return the model's answer.

        Raises:
            TeacherUnavailable: asking again later may succeed.
            TeacherRejected: this request cannot succeed.
            TeacherRefused: no request can succeed.
        """
        ...


class Budget(Config):
    """What may be spent in one run; worst-case cost is reserved before a call."""

    max_cost_usd: float | None = Field(default=None, gt=0)
    """Stop before more than this is spent; needs a known price."""
    max_tokens: int | None = Field(default=None, gt=0)
    """Stop before more than this many input and output tokens are used."""


class TeacherConfigBase(Config):
    """What every kind of teacher has."""

    temperature: float | None = Field(default=None, ge=0, le=2)
    """Sampling temperature; the server's default if not given."""
    top_p: float | None = Field(default=None, gt=0, le=1)
    """Nucleus sampling; the server's default if not given."""
    top_k: int | None = Field(default=None, gt=0)
    """Draw from this many most likely tokens; the server's default if not given."""
    max_tokens: int = Field(default=1024, gt=0)
    """Most tokens in one answer; a longer one is cut off and its whole items are kept."""
    stop: Annotated[tuple[str, ...], Items] = ()
    """Texts that end an answer."""
    sampling_seed: int | None = None
    """Sent as the server's `seed`, where it has one."""
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    """Makes tokens less likely by how often they came; the server's default if not given."""
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    """Makes tokens less likely that came at all; the server's default if not given."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """Other options for the server, by its own names; they are sent as they stand."""
    max_concurrency: Annotated[int, RuntimeOnly] = Field(default=16, gt=0)
    """Most calls in flight at once; fewer while the server refuses some because it has too much to do."""
    requests_per_minute: Annotated[int | None, RuntimeOnly] = Field(default=None, gt=0)
    """Most requests sent in any minute, repeated ones included; no cap if not given."""
    tokens_per_minute: Annotated[int | None, RuntimeOnly] = Field(default=None, gt=0)
    """Most input and output tokens of the requests sent in any minute; no cap if not given."""
    max_attempts: Annotated[int, RuntimeOnly] = Field(default=8, gt=0)
    """How often one call is tried when the server is unavailable."""
    max_wait_s: Annotated[float, RuntimeOnly] = Field(default=600.0, ge=0)
    """Most seconds that one call waits to be tried again, all waits together; a server that asks for a
    longer wait stops the run."""
    price: Annotated[Price | None, RuntimeOnly] = None
    """What the tokens cost, for the estimate, the display and a budget in money; if not given, the list
    price of well-known models at their own provider's address."""
    budget: Annotated[Budget | None, RuntimeOnly] = None
    """What may be spent in one run."""

    @model_validator(mode="after")
    def _budget_has_a_price(self) -> Self:
        if self.budget and self.budget.max_cost_usd is not None and price_of(self) is None:
            raise ValueError(
                "budget.max_cost_usd needs `price` (input_usd, output_usd): what this model costs at this "
                "address is not known"
            )
        return self

    @property
    def sampling(self) -> Sampling:
        """How answers are drawn."""
        return Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            max_tokens=self.max_tokens,
            stop=self.stop,
            seed=self.sampling_seed,
            frequency_penalty=self.frequency_penalty,
            presence_penalty=self.presence_penalty,
            extra=self.extra,
        )

    @property
    def first_concurrency(self) -> int:
        """Calls in flight at the start, while nothing is known of the server."""
        return -(-self.max_concurrency // 2)

    @property
    def workers(self) -> int:
        """Calls under way at once: twice those in flight, so that waits for retries leave no slot empty."""
        return 2 * self.max_concurrency

    @property
    def paid(self) -> bool:
        """Whether a call costs money or a shared machine's time, so that a rebuild asks first."""
        return True

    @property
    def finds_calls_again(self) -> bool:
        """Whether a call that a stop or a kill cut off is found again by the next run, and not made again."""
        return False

    def schema_for(self, schema: Mapping[str, Any]) -> Mapping[str, Any] | None:  # noqa: ARG002
        """Return the JSON schema to send with a request, or None where answers come in plain text."""
        return None

    def preflight(self) -> None:
        """Find what is missing before anything starts: a key, a file, a package.

        Raises:
            RequestError: something is missing.
        """

    @abstractmethod
    def open(self, home: Path) -> AbstractAsyncContextManager[Teacher]:
        """Connect, ready to be used in an `async with`.

        Args:
            home: a directory of the run that outlives a restart, for what a teacher must remember.
        """


def teacher_identity(config: TeacherConfigBase) -> dict[str, Any]:
    """Return what of a teacher decides its answers besides the request: its kind and model."""
    return {key: value for key, value in config.identity().items() if key not in SAMPLING_FIELDS}
