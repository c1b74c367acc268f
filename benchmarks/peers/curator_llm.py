"""A curator LLM with its own limits out of the way: BASE_URL CALLS CONCURRENCY OUT."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.update(OPENAI_API_KEY="none", TELEMETRY_ENABLED="0", CURATOR_VIEWER="0", CURATOR_DISABLE_CACHE="1")

import tiktoken


class _Bytes:
    """Counts bytes, which is quicker than what it stands for: the real encoding is a download."""

    name = "bytes"

    def encode(self, text: str, **_: Any) -> list[int]:
        return list(text.encode())


tiktoken.encoding_for_model = tiktoken.get_encoding = lambda _name: _Bytes()

from bespokelabs import curator  # noqa: E402 (after its encodings are replaced)


class Tasks(curator.LLM):  # type: ignore[misc]
    def prompt(self, row: dict[str, int]) -> str:
        return f"Write three tasks as a JSON list. ID:{row['number']}"

    def parse(self, _row: dict[str, int], response: str) -> list[Any]:
        try:
            return list(json.loads(response))
        except ValueError:
            return []


def main(base_url: str, calls: int, concurrency: int, out: Path) -> None:
    limits = {"max_requests_per_minute": 10**7, "max_tokens_per_minute": 10**9}
    llm = Tasks(
        model_name="teacher",
        backend="openai",
        backend_params={"base_url": base_url, "max_concurrent_requests": concurrency, **limits},
    )
    answer = llm([{"number": number} for number in range(1, calls + 1)])
    with out.open("w", encoding="utf-8") as file:
        for row in getattr(answer, "dataset", answer):
            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
