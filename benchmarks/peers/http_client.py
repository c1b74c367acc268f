"""One bare HTTP client: CLIENT BASE_URL CALLS CONCURRENCY; prints wall time, CPU and memory as JSON."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Post = Callable[[bytes], Awaitable[bytes]]
HEADERS = {"content-type": "application/json"}


@asynccontextmanager
async def aiohttp_client(url: str) -> AsyncIterator[Post]:
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=HEADERS) as session:

        async def post(body: bytes) -> bytes:
            async with session.post(url, data=body) as answer:
                return await answer.read()

        yield post


@asynccontextmanager
async def primp_client(url: str) -> AsyncIterator[Post]:
    import primp

    client = primp.AsyncClient(headers=HEADERS, timeout=60)

    async def post(body: bytes) -> bytes:
        return bytes((await client.post(url, content=body)).content)

    yield post


@asynccontextmanager
async def pyreqwest_client(url: str) -> AsyncIterator[Post]:
    from pyreqwest.client import ClientBuilder

    client = ClientBuilder().build()

    async def post(body: bytes) -> bytes:
        answer = await client.post(url).headers(HEADERS).body_bytes(body).build().send()
        return bytes(await answer.bytes())

    yield post
    await client.close()


@asynccontextmanager
async def httpx_client(url: str) -> AsyncIterator[Post]:
    import httpx

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=60, headers=HEADERS) as client:

        async def post(body: bytes) -> bytes:
            return bytes((await client.post(url, content=body)).content)

        yield post


CLIENTS = {
    "aiohttp": aiohttp_client,
    "primp": primp_client,
    "pyreqwest": pyreqwest_client,
    "httpx": httpx_client,
}


async def main(name: str, base_url: str, calls: int, concurrency: int) -> None:
    numbers = iter(range(1, calls + 1))
    async with CLIENTS[name](f"{base_url}/chat/completions") as post:

        async def work() -> None:
            for number in numbers:
                question = {"role": "user", "content": f"ID:{number} " + "x" * 1500}
                json.loads(await post(json.dumps({"model": "teacher", "messages": [question]}).encode()))

        started = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(concurrency)))
        wall = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    figures = {"wall_s": wall, "cpu_s": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / 1000}
    print(json.dumps(figures))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
