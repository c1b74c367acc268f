"""A `transformers` model in this process: requests that wait at the same time share a batch.

An answer depends on its request and the model, not on what else is in the batch, but for rounding:
`instil.models.batched` says how far that goes.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from instil.config.base import RuntimeOnly, path_identity
from instil.data.random import rank
from instil.errors import MissingPackage, RecipeError, TeacherRejected
from instil.models.base_model import find_model
from instil.models.decoding import BatchDecoding
from instil.teachers.base import Completion, FinishReason, Request, Sampling, TeacherConfigBase, Usage

if TYPE_CHECKING:
    from instil.engines.transformers import TransformersEngine
    from instil.models.batched import Answer

_log = logging.getLogger(__name__)
_LINGER_S = 0.01
_MOST_TOKENS = 1024  # of an answer where the request does not say
_CALM = 8  # batches that fit before a larger one is tried


def _find(value: object) -> object:
    return find_model(value, ("config.json", "adapter_config.json"))


class LocalConfig(TeacherConfigBase):
    """A `transformers` model on this machine; it costs nothing but time, and nothing leaves the machine.

    Sampling that is not given is as the model's makers say (generation_config.json), else greedy.
    """

    kind: Literal["local"]
    model: Annotated[str, BeforeValidator(_find)]
    """A model directory (an adapter's too), relative to the recipe, or a hub id such as Qwen/Qwen3-0.6B."""
    revision: str = "main"
    """Branch, tag or commit on the hub; not used for a directory."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """In which numbers the model computes; `auto` for those in which it was saved."""
    device: Annotated[str, RuntimeOnly] = Field(default="auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")
    """`auto` (the fastest there is), `cpu`, `cuda`, `cuda:1` or `mps`."""
    batch_size: Annotated[int, RuntimeOnly] = Field(default=16, gt=0)
    """Most requests that are answered at once; halved for a while where memory does not suffice."""
    max_concurrency: Annotated[int, RuntimeOnly] = Field(default=64, gt=0)
    """Most calls that wait or are answered; a few times `batch_size`, so that no batch is short."""

    @field_validator("extra")
    @classmethod
    def _knows_no_extra(cls, value: dict[str, Any]) -> dict[str, Any]:
        if value:
            raise ValueError("a local teacher has no further options")
        return value

    @property
    def paid(self) -> bool:
        """Nobody is billed for it; as with training, a rebuild does not ask first."""
        return False

    @property
    def name(self) -> str:
        """What answers say of their model: the hub id, or the directory's name without where it lies."""
        return Path(self.model).name if Path(self.model).is_dir() else self.model

    @property
    def first_concurrency(self) -> int:
        """All: what waits here costs nothing, and makes batches full."""
        return self.max_concurrency

    def identity(self) -> dict[str, Any]:
        """A directory counts by its content, a hub model by its name and revision."""
        found = super().identity()
        if Path(self.model).is_dir():
            del found["revision"]
            found["model"] = path_identity(Path(self.model))
        return found

    def preflight(self) -> None:
        """Check that what runs a model is installed."""
        adapter = (Path(self.model) / "adapter_config.json").is_file()
        for package in ("torch", "transformers", "safetensors", *(["peft"] if adapter else [])):
            if importlib.util.find_spec(package) is None:
                raise MissingPackage("teacher kind 'local'", package, "train")

    @asynccontextmanager
    async def open(self, home: Path) -> AsyncIterator[LocalTeacher]:  # noqa: ARG002
        """Load the model.

        Raises:
            MissingPackage: torch or transformers are not installed.
            RequestError: there is no such model or device.
        """
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="local teacher")
        try:
            engine = await asyncio.get_running_loop().run_in_executor(thread, self._load)
            teacher = LocalTeacher(engine, thread, name=self.name, batch_size=self.batch_size)
            serving = asyncio.create_task(teacher.serve())
            try:
                yield teacher
            finally:
                teacher.close()
                serving.cancel()
                with suppress(asyncio.CancelledError):
                    await serving
        finally:
            # Not waited for: to load a model, or to read a batch of long prompts, can take minutes.
            thread.shutdown(wait=False, cancel_futures=True)

    def _load(self) -> TransformersEngine:
        try:
            from instil.engines.transformers import TransformersEngine
        except ModuleNotFoundError as error:
            raise MissingPackage("teacher kind 'local'", error.name, "train") from error
        return TransformersEngine.open(
            self.model, revision=self.revision, dtype=self.dtype, device=self.device
        )


@dataclass(eq=False)
class _Asked:
    """A request, and whoever waits for its answer."""

    request: Request
    answer: asyncio.Future[Completion] = field(default_factory=asyncio.Future)


class LocalTeacher:
    """Answers in batches, one at a time.

    Args:
        engine: the model.
        thread: runs everything that touches the model, so that the event loop stays free.
        name: what answers say of their model.
        batch_size: most requests in one batch.
    """

    def __init__(
        self, engine: TransformersEngine, thread: ThreadPoolExecutor, *, name: str, batch_size: int
    ) -> None:
        self._engine, self._thread, self._name = engine, thread, name
        self._most = self._size = batch_size
        self._calm = 0
        self._waiting: list[_Asked] = []
        self._asked = asyncio.Event()
        self._closed = False

    async def complete(self, request: Request) -> Completion:
        """Return the model's answer.

        Raises:
            TeacherRejected: the prompt fills the context, cannot be rendered, or does not fit the memory.
        """
        if request.sampling.extra:
            raise TeacherRejected(f"a local teacher does not know the options {list(request.sampling.extra)}")
        asked = _Asked(request)
        self._waiting.append(asked)
        self._asked.set()
        # A call that is given up cancels its future; `_take` and a running batch look for that.
        return await asked.answer

    async def serve(self) -> None:
        """Answer what is asked until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._asked.wait()
            if len(self._waiting) < self._size:
                # Calls start together; the first one should not get a batch of its own.
                await asyncio.sleep(_LINGER_S)
            batch = self._take()
            if not batch:
                self._asked.clear()
                continue
            answering = loop.run_in_executor(self._thread, self._answer, batch)
            await asyncio.wait([answering])
            # What broke the whole batch is what each of its calls gets.
            error = answering.exception()
            outcomes = [error] * len(batch) if error else answering.result()
            for asked, outcome in zip(batch, outcomes, strict=True):
                if not asked.answer.done():
                    if isinstance(outcome, Completion):
                        asked.answer.set_result(outcome)
                    else:
                        asked.answer.set_exception(outcome)

    def close(self) -> None:
        """Let a batch that runs end at its next token."""
        self._closed = True

    def _take(self) -> list[_Asked]:
        """Take from the waiting the oldest, and those that are sampled as it is."""
        self._waiting = [asked for asked in self._waiting if not asked.answer.done()]
        batch: list[_Asked] = []
        for asked in self._waiting:
            if len(batch) < self._size and asked.request.sampling == self._waiting[0].request.sampling:
                batch.append(asked)
        self._waiting = [asked for asked in self._waiting if asked not in batch]
        return batch

    def _answer(self, batch: Sequence[_Asked]) -> list[Completion | TeacherRejected]:
        """Return an outcome for each request; runs in the thread."""
        outcomes: dict[int, Completion | TeacherRejected] = {}
        prompts: dict[int, list[int]] = {}
        for index, asked in enumerate(batch):
            try:
                prompts[index] = self._prompt(asked.request)
            except TeacherRejected as error:
                outcomes[index] = error
        decoding = self._decoding(batch[0].request.sampling)
        for index, answer in self._sample(batch, list(prompts), prompts, decoding):
            outcomes[index] = self._completion(answer, prompts[index])
        return [outcomes[index] for index in range(len(batch))]

    def _sample(
        self,
        batch: Sequence[_Asked],
        rows: Sequence[int],
        prompts: dict[int, list[int]],
        decoding: BatchDecoding,
    ) -> list[tuple[int, Answer]]:
        """Answer some rows of a batch, in halves where memory does not suffice for all."""
        if not rows:
            return []
        answers = self._engine.sample(
            [prompts[row] for row in rows],
            decoding,
            [rank(0, "local teacher", batch[row].request.key) for row in rows],
            abandoned=lambda: self._closed or all(batch[row].answer.done() for row in rows),
        )
        found = list(zip(rows, answers, strict=True))
        short = [row for row, answer in found if answer.finish == "memory"]
        self._adapt(len(rows), fits=not short)
        if not short or len(rows) == 1:
            return found
        found = [(row, answer) for row, answer in found if row not in short]
        for half in (short[: len(short) // 2], short[len(short) // 2 :]):
            found += self._sample(batch, half, prompts, decoding)
        return found

    def _adapt(self, rows: int, *, fits: bool) -> None:
        """Ask less at a time when memory ran out, and more again when it has sufficed for a while."""
        if not fits:
            self._calm = 0
            if 1 < rows <= self._size:
                self._size = rows // 2
                _log.warning("%d prompts at once do not fit the memory; going on with %d", rows, self._size)
        elif rows >= self._size:
            self._calm += 1
            if self._calm >= _CALM and self._size < self._most:
                self._calm, self._size = 0, min(self._most, 2 * self._size)

    def _prompt(self, request: Request) -> list[int]:
        try:
            prompt = self._engine.prompt(request.messages)
        except RecipeError as error:
            raise TeacherRejected(f"{self._name}: {error}") from error
        limit = self._engine.context_tokens
        if limit is not None and len(prompt) >= limit:
            raise TeacherRejected(
                f"{self._name}: the prompt has {len(prompt):,} tokens and the model reads {limit:,}, the "
                "answer included",
                hint="show fewer or shorter seed tasks in a prompt, or name a teacher with a longer context",
            )
        return prompt

    def _decoding(self, sampling: Sampling) -> BatchDecoding:
        """Return how answers are drawn: what the request leaves open is as the model's makers say."""
        given = sampling.model_dump(
            include={"temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty"},
            exclude_none=True,
        )
        most = sampling.max_tokens or _MOST_TOKENS
        return replace(self._engine.own_decoding, **given, max_tokens=most, stop=sampling.stop)

    def _completion(self, answer: Answer, prompt: Sequence[int]) -> Completion | TeacherRejected:
        if answer.finish == "memory":
            return TeacherRejected(
                f"{self._name}: the memory does not suffice for a prompt of {len(prompt):,} tokens alone",
                hint="show fewer or shorter seed tasks in a prompt, or lower max_tokens",
            )
        # Nobody waits for an abandoned one.
        finish: FinishReason = "length" if answer.finish == "length" else "stop"
        return Completion(
            text=answer.text,
            finish_reason=finish,
            model=self._name,
            usage=Usage(input_tokens=len(prompt), output_tokens=answer.tokens),
        )
