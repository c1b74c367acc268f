"""The OpenAI client with a semaphore, as most scripts are written: BASE_URL CALLS CONCURRENCY OUT."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from openai import AsyncOpenAI, OpenAIError


async def main(base_url: str, calls: int, concurrency: int, out: Path) -> None:
    client = AsyncOpenAI(base_url=base_url, api_key="none", max_retries=2)
    gate = asyncio.Semaphore(concurrency)
    with out.open("w", encoding="utf-8") as file:

        async def ask(number: int) -> None:
            question = {"role": "user", "content": f"Write three tasks as a JSON list. ID:{number}"}
            async with gate:
                try:
                    answer = await client.chat.completions.create(model="teacher", messages=[question])
                    items = json.loads(answer.choices[0].message.content)
                except (OpenAIError, ValueError):
                    return
            for item in items:
                file.write(json.dumps(item) + "\n")

        await asyncio.gather(*(ask(number) for number in range(1, calls + 1)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))
