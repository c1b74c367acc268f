"""Corpora come whole or not at all, over a hub that cuts, refuses, lies and limits."""

from __future__ import annotations

import asyncio
import hashlib
import random
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis.strategies import DataObject, data, integers, lists, tuples
from pydantic import SecretStr

from instil.corpora.catalogue import Entry
from instil.corpora.fetch import Fetched, Fetching, Hub, Place, fetch
from instil.corpora.fetch.hub import list_files
from instil.corpora.fetch.partial import PartialFile
from instil.corpora.fetch.remote import choose
from instil.data.progress import Silent
from instil.errors import InstilError, RequestError, RunLocked, StoreError
from tests.corpora.hub import COMMIT, REPOSITORY, HubServer, hub_of
from tests.disk import disk_full_after
from tests.workspace import instil, start, stop

# Nobody listens at port 9 of loopback.
NOWHERE = "http://127.0.0.1:9"
SMALL = b'{"instruction": "a", "output": "b"}\n'
LARGE = random.Random(7).randbytes(9 << 20)
FILES = {"data/rows.jsonl": LARGE, "data/more.jsonl": SMALL, "data/code.py": b"import os", "data/x.pkl": b"x"}


def entry(**changed: Any) -> Entry:
    source = {"kind": "hub", "id": REPOSITORY, "files": ["data/*"], **changed.pop("source", {})}
    return Entry.model_validate(
        {
            "name": "rows",
            "title": "Rows",
            "about": "Some rows.",
            "languages": ["en"],
            "tasks": ["instructions"],
            "license": "MIT",
            "allows": {"commercial": "yes", "redistribution": "yes"},
            "source": source,
            "page": "https://example.org/rows",
            **changed,
        }
    )


class Sleeper:
    """Notes how long it was told to wait, and does not."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)


def bring(
    root: Path, server: HubServer | str, only: Sequence[str] = (), *, sleep: Any = None, **asked: Any
) -> Fetched:
    endpoint = server if isinstance(server, str) else server.base_url
    asked = {"entry": entry(), "hub": Hub(endpoint), "only": only, "connections": 3, **asked}
    return fetch(Fetching(place=Place(root / "rows"), **asked), Silent(), sleep or Sleeper())


def files(root: Path) -> dict[str, bytes]:
    below = root / "rows" / "files"
    return {
        path.relative_to(below).as_posix(): path.read_bytes() for path in below.rglob("*") if path.is_file()
    }


def test_files_with_rows_come_whole_and_nothing_else_does(tmp_path: Path) -> None:
    with hub_of(FILES) as hub:
        fetched = bring(tmp_path, hub)

    assert files(tmp_path) == {"data/more.jsonl": SMALL, "data/rows.jsonl": LARGE}
    assert fetched.revision == COMMIT
    assert [(file.path, file.size, file.verified) for file in fetched.files] == [
        ("data/more.jsonl", len(SMALL), True),
        ("data/rows.jsonl", len(LARGE), True),
    ]
    assert Place(tmp_path / "rows").read() == fetched
    ranges = [each.range for each in hub.asked if each.path == "/bytes/data/rows.jsonl"]
    assert len(set(ranges)) == len(ranges) >= 3, "several connections, each byte once"


def test_what_is_here_is_not_fetched_again(tmp_path: Path) -> None:
    with hub_of(FILES) as hub:
        first = bring(tmp_path, hub)
    again = bring(tmp_path, NOWHERE)

    assert again == first


def test_what_somebody_removed_is_fetched_again_and_the_rest_is_not(tmp_path: Path) -> None:
    with hub_of(FILES) as hub:
        bring(tmp_path, hub)
        (tmp_path / "rows/files/data/more.jsonl").unlink()
        sent = hub.sent
        bring(tmp_path, hub)

        assert hub.sent - sent <= 2 * len(SMALL)
    assert files(tmp_path)["data/more.jsonl"] == SMALL


def test_cut_connections_are_continued_at_the_byte(tmp_path: Path) -> None:
    with hub_of(FILES, cuts=4) as hub:
        bring(tmp_path, hub)

        assert hub.sent < len(LARGE) + 100_000
    assert files(tmp_path)["data/rows.jsonl"] == LARGE


def test_a_limit_is_waited_out_as_long_as_the_server_asks(tmp_path: Path) -> None:
    sleep = Sleeper()
    with hub_of(FILES, fails=[429, 503], retry_after="7") as hub:
        bring(tmp_path, hub, sleep=sleep)

    assert sleep.waits == [7.0, 7.0]
    assert files(tmp_path)["data/rows.jsonl"] == LARGE


def test_a_server_that_keeps_failing_is_given_up_and_what_came_is_kept(tmp_path: Path) -> None:
    sleep = Sleeper()
    with hub_of(FILES) as hub:
        bring(tmp_path, hub, ["data/more.jsonl"])
        hub.fails = [500] * 99
        with pytest.raises(InstilError, match="failed 6 times in a row: it answered 500") as error:
            bring(tmp_path, hub, sleep=sleep)

    assert error.value.hint == "what came is kept; run the same command again and it goes on there"
    assert sleep.waits == [1, 2, 4, 8, 16]
    assert files(tmp_path)["data/more.jsonl"] == SMALL


def test_a_server_without_ranges_is_read_from_the_beginning(tmp_path: Path) -> None:
    with hub_of(FILES, ranges=False, cuts=2) as hub:
        bring(tmp_path, hub)

    assert files(tmp_path)["data/rows.jsonl"] == LARGE


@pytest.mark.parametrize("ranges", [True, False])
def test_content_that_is_not_what_the_hub_states_is_refused_and_removed(tmp_path: Path, ranges: bool) -> None:
    stated = pytest.raises(StoreError, match=r"has the SHA-256 .* and must have")
    one = {"data/rows.jsonl": LARGE}
    with hub_of(one, ranges=ranges, delivered=lambda content: content[:-1] + b"?") as hub, stated:
        bring(tmp_path, hub)

    assert Place(tmp_path / "rows").read() is None
    assert files(tmp_path) == {}


def test_a_small_file_is_verified_by_its_name_in_git(tmp_path: Path) -> None:
    stated = pytest.raises(StoreError, match=r"has git's name .* and must have")
    one = {"data/more.jsonl": SMALL}
    with hub_of(one, delivered=lambda content: content[:-1] + b"?") as hub, stated:
        bring(tmp_path, hub)

    assert files(tmp_path) == {}


def test_a_file_of_another_size_is_refused_before_it_is_received(tmp_path: Path) -> None:
    with hub_of(FILES, delivered=lambda content: content + b"more") as hub:
        with pytest.raises(StoreError, match=r"must have .* bytes, and .* has"):
            bring(tmp_path, hub)

        assert hub.sent < 1_000_000


def test_gated_corpora_say_what_to_do_and_open_with_the_token(tmp_path: Path) -> None:
    with hub_of(FILES, gated_for="hf_right") as hub:
        with pytest.raises(RequestError, match=r"rows: 127.* answered 401") as refused:
            bring(tmp_path, hub)
        assert refused.value.hint == (
            "accept its terms at https://example.org/rows, and set HF_TOKEN to a token of yours that may read"
        )
        with pytest.raises(RequestError, match="answered 403") as wrong:
            bring(tmp_path, hub, hub=Hub(hub.base_url, SecretStr("hf_wrong")))
        assert "with the account of your HF_TOKEN" in str(wrong.value.hint)
        assert not (tmp_path / "rows").exists(), "nothing was written"

        bring(tmp_path, hub, hub=Hub(hub.base_url, SecretStr("hf_right")))

        assert {each.token for each in hub.asked if each.path.startswith("/bytes")} == {None}, (
            "the token does not follow a redirect to another server"
        )
    assert "hf_" not in (tmp_path / "rows/fetched.json").read_text()


def test_a_repository_that_does_not_exist_is_an_error_before_anything_is_written(tmp_path: Path) -> None:
    with hub_of(FILES) as hub:
        with pytest.raises(RequestError, match="answered 401"):
            bring(tmp_path, hub, entry=entry(source={"id": "nobody/nothing"}))
        with pytest.raises(RequestError, match="answered 404"):
            bring(tmp_path, hub, entry=entry(source={"revision": "0" * 40}))

    assert not (tmp_path / "rows").exists()


def test_something_else_than_a_hub_is_told_from_one(tmp_path: Path) -> None:
    with hub_of(FILES) as hub:
        wrong = f"{hub.bytes_url}/data/more.jsonl?"
        with pytest.raises(InstilError, match="is not the answer of a hub") as error:
            bring(tmp_path, hub, hub=Hub(wrong))

    assert "HF_ENDPOINT" in str(error.value.hint)


def test_offline_says_how_to_bring_it_by_hand_and_writes_nothing(tmp_path: Path) -> None:
    for hub in (Hub(NOWHERE), Hub(offline=True)):
        with pytest.raises(RequestError, match="rows is not here, and ") as error:
            bring(tmp_path, "", hub=hub)

        assert error.value.hint is not None
        assert f"put data/* of {hub.endpoint}/datasets/somebody/rows/tree/main into " in error.value.hint
        assert "HF_ENDPOINT=https://hf-mirror.com" in error.value.hint
    assert not (tmp_path / "rows").exists()


def test_files_brought_by_hand_are_verified_as_far_as_the_catalogue_can(tmp_path: Path) -> None:
    below = tmp_path / "rows" / "files" / "data"
    below.mkdir(parents=True)
    (below / "rows.jsonl").write_bytes(LARGE)
    stated = [{"path": "data/rows.jsonl", "sha256": hashlib.sha256(LARGE).hexdigest()}]

    fetched = bring(tmp_path, NOWHERE, entry=entry(source={"checksums": stated}))
    assert [(file.path, file.verified, file.url) for file in fetched.files] == [("data/rows.jsonl", True, "")]

    (tmp_path / "rows/fetched.json").unlink()
    (below / "rows.jsonl").write_bytes(LARGE[:-1] + b"?")
    with pytest.raises(StoreError, match="has the SHA-256") as error:
        bring(tmp_path, NOWHERE, entry=entry(source={"checksums": stated}))
    assert error.value.hint == f"remove {below / 'rows.jsonl'} and bring it again"


def test_a_corpus_keeps_its_commit_until_an_update_is_asked_for(tmp_path: Path) -> None:
    with hub_of(FILES) as hub:
        bring(tmp_path, hub, ["data/more.jsonl"])
        hub.commit, hub.files = "d" * 40, {"data/more.jsonl": b"new\n"}
        assert bring(tmp_path, hub, ["data/more.jsonl"]).revision == COMMIT
        with pytest.raises(RequestError, match="answered 404"):
            bring(tmp_path, hub)  # the commit that it keeps is gone

        fetched = bring(tmp_path, hub, update=True)

    assert fetched.revision == "d" * 40
    assert files(tmp_path)["data/more.jsonl"] == b"new\n"


def test_parts_are_chosen_by_name_or_pattern_and_add_up(tmp_path: Path) -> None:
    parted = entry(source={"parts": {"few": "data/more.jsonl"}})
    with hub_of(FILES) as hub:
        assert [file.path for file in bring(tmp_path, hub, ["few"], entry=parted).files] == [
            "data/more.jsonl"
        ]
        both = bring(tmp_path, hub, ["data/r*"], entry=parted)
        with pytest.raises(RequestError, match="no part 'fex'") as error:
            bring(tmp_path, hub, ["fex"], entry=parted)

    assert [file.path for file in both.files] == ["data/more.jsonl", "data/rows.jsonl"]
    assert not both.whole
    assert error.value.hint == "there are few"


@pytest.mark.parametrize("path", ["../rows.jsonl", "/etc/rows.jsonl", "a/../../rows.jsonl", "./rows.jsonl"])
def test_a_path_that_leaves_the_corpus_is_refused(path: str) -> None:
    with pytest.raises(RequestError, match="would lie outside"):
        choose([path], ["*"], [], {})


def test_files_with_addresses_are_verified_and_get_no_token(tmp_path: Path) -> None:
    with hub_of(FILES) as hub:
        url = f"{hub.bytes_url}/data/rows.jsonl"
        source = {"kind": "web", "files": [{"url": url, "path": "rows.jsonl"}]}
        sha256 = hashlib.sha256(LARGE).hexdigest()
        plain = entry().model_dump() | {"source": source}
        known = Hub(hub.base_url, SecretStr("hf_mine"))

        fetched = bring(tmp_path, hub, entry=Entry.model_validate(plain), hub=known)
        assert [(file.sha256, file.verified) for file in fetched.files] == [(sha256, False)]
        assert {each.token for each in hub.asked} == {None}

        source["files"] = [{"url": url, "path": "rows.jsonl", "sha256": "0" * 64}]
        with pytest.raises(StoreError, match=f"has the SHA-256 {sha256} and must have 0000"):
            bring(tmp_path / "other", hub, entry=Entry.model_validate(plain | {"source": source}))


def test_a_file_that_changed_at_its_address_is_begun_anew(tmp_path: Path) -> None:
    final = tmp_path / "rows.jsonl"
    with PartialFile(final, 100, "v1") as file, file.writer(0) as writer:
        writer.put(b"x" * 40)

    with PartialFile(final, 100, "v2") as file:
        assert file.received == []
        assert file.holes(60) == [(0, 60), (60, 100)]


@given(pieces=lists(tuples(integers(0, 99), integers(0, 99)), max_size=12), data=data())
def test_a_download_cut_anywhere_keeps_what_it_noted_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[tuple[int, int]], data: DataObject
) -> None:
    final = tmp_path_factory.mktemp("cut") / "rows.jsonl"
    content = bytes(range(100))
    with PartialFile(final, 100, "v1") as file:
        for start, end in map(sorted, pieces):
            with file.writer(start) as writer:
                writer.put(content[start:end])
    notes = file.ranges.read_bytes()
    file.ranges.write_bytes(notes[: data.draw(integers(0, len(notes)))])

    with PartialFile(final, 100, "v1") as file:
        kept = [*file.received, *file.holes(data.draw(integers(1, 100)))]
        assert sorted(at for start, end in kept for at in range(start, end)) == list(range(100))
        assert all(file.data.read_bytes()[start:end] == content[start:end] for start, end in file.received)
        for start, end in file.holes(7):
            file.put(content[start:end], start)
        file.publish()

    assert final.read_bytes() == content
    assert [path.name for path in final.parent.iterdir()] == ["rows.jsonl"]


def test_a_killed_download_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = random.Random(3).randbytes(16 << 20)
    name = "Belle_open_source_0.5M.json"
    arguments = ("corpora", "fetch", "belle-0.5m", "--quiet", "--connections", "2")
    with hub_of({name: content}, repository="BelleGroup/train_0.5M_CN", seconds_a_block=0.01) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.base_url)
        monkeypatch.delenv("HF_HUB_OFFLINE")
        process = start(*arguments, cwd=tmp_path)
        deadline = time.monotonic() + 30
        while hub.sent < len(content) // 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        stop(process)
        before, hub.seconds_a_block = hub.sent, 0
        done = instil(*arguments, cwd=tmp_path)

        # What the server sent and no disk has: at most what was not noted, and what lay in sockets.
        assert hub.sent - before < len(content) - before + (8 << 20)
        assert before < len(content), "it was killed in the middle"
    assert done.returncode == 0, done.stderr
    place = tmp_path / "home/.cache/instil/corpora/belle-0.5m"
    assert (place / "files" / name).read_bytes() == content
    assert sorted(path.name for path in (place / "files").iterdir()) == [name]


def test_a_full_disk_is_one_clear_error_and_the_download_goes_on_later(tmp_path: Path) -> None:
    with hub_of(FILES) as hub:
        with disk_full_after(1 << 20), pytest.raises(StoreError, match="cannot write"):
            bring(tmp_path, hub)
        bring(tmp_path, hub)

    assert files(tmp_path)["data/rows.jsonl"] == LARGE


def test_a_corpus_larger_than_the_disk_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with hub_of(FILES) as hub:
        source = {"kind": "web", "files": [{"url": f"{hub.bytes_url}/data/rows.jsonl", "path": "rows.jsonl"}]}
        source["files"][0]["size"] = 10**18  # type: ignore[index]
        huge = Entry.model_validate(entry().model_dump() | {"source": source})
        with pytest.raises(RequestError, match=r"rows needs 1,000,000,000 GB, and '.*' has .* to give"):
            bring(tmp_path, hub, entry=huge)

        assert hub.asked == []
    assert not (tmp_path / "rows").exists()


def test_a_second_process_is_refused_with_the_number_of_the_first(tmp_path: Path) -> None:
    refused = pytest.raises(RunLocked, match=r"process \d+ is fetching into")
    with hub_of(FILES) as hub, Place(tmp_path / "rows").lock(), refused:
        bring(tmp_path, hub)

    assert files(tmp_path) == {}


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows/fetched.json").write_text('{"corpus": 1')

    with pytest.raises(StoreError, match=r"cannot read .*fetched.json"):
        bring(tmp_path, NOWHERE)


def test_the_environment_says_where_the_hub_is_and_who_asks(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hf_file\n")

    plain = Hub.of({"HF_HOME": str(tmp_path / "none")})
    assert (plain.endpoint, plain.token, plain.offline) == ("https://huggingface.co", None, False)
    mirrored = Hub.of({"HF_ENDPOINT": "https://hf-mirror.com/", "HF_TOKEN": "hf_x", "HF_HUB_OFFLINE": "1"})
    assert mirrored.endpoint == "https://hf-mirror.com"
    assert mirrored.token is not None
    assert mirrored.token.get_secret_value() == "hf_x"
    assert mirrored.offline
    assert "hf_x" not in repr(mirrored)
    logged_in = Hub.of({"HF_HOME": str(tmp_path)})
    assert logged_in.token is not None
    assert logged_in.token.get_secret_value() == "hf_file"


def test_ctrl_c_in_a_download_comes_through_at_once(tmp_path: Path) -> None:
    stopped = asyncio.Event()

    async def run() -> None:
        from instil.corpora.fetch.http import open_http
        from instil.corpora.fetch.transfer import Transfer

        async with open_http(3) as http:
            listing = await list_files(entry().source, None, (), Hub(hub.base_url), http)  # type: ignore[arg-type]
            transfer = Transfer(http, {}, 3, lambda _: stopped.set())
            task = asyncio.create_task(transfer.bring(listing.files, tmp_path))
            await stopped.wait()
            started = time.monotonic()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert time.monotonic() - started < 1

    with hub_of(FILES, seconds_a_block=0.2) as hub:
        asyncio.run(run())
    assert threading.active_count() < 8
    assert not (tmp_path / "data/rows.jsonl").exists()
