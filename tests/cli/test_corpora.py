"""`instil corpora` as a user meets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from instil.cli import instil
from instil.corpora.catalogue import HubSource, entry
from instil.corpora.known import KnownConfig
from instil.errors import RequestError
from tests.corpora.hub import COMMIT, HubServer, hub_of
from tests.workspace import instil as installed

Golden = Callable[[str, str], None]
ROWS = [
    {"instruction": f"Question {number}?", "input": "", "output": f"Answer {number}."} for number in range(3)
]
ALPACA = json.dumps([*ROWS, {"instruction": "Nothing?", "input": "", "output": ""}]).encode()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Returns what runs a hub with a corpus of the catalogue, and points the command to it."""

    def run(name: str, files: dict[str, bytes], **behaviour: Any) -> Any:
        source = entry(name).source
        assert isinstance(source, HubSource)
        context = hub_of(files, repository=source.id, commit=source.revision or COMMIT, **behaviour)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.setenv("HF_TOKEN", "secret-of-mine")
        return context

    return run


def ask(*arguments: str, **options: Any) -> Result:
    return CliRunner().invoke(instil, ["corpora", *arguments], **options)


def fetch(server: HubServer, *arguments: str) -> Result:
    return ask("fetch", *arguments, env={"HF_ENDPOINT": server.base_url})


def lines(text: str) -> str:
    """Return a text without the blanks that pad tables."""
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def test_the_list_fits_a_page_and_says_what_each_licence_allows(golden: Golden) -> None:
    done = ask("list", "instructions", "--language", "zh")

    assert done.exit_code == 0
    golden("corpora_list.txt", lines(done.stdout))
    assert max(map(len, lines(ask("list").stdout).splitlines())) <= 100


def test_the_list_can_be_narrowed_to_what_may_be_sold() -> None:
    names = {
        each["name"] for each in json.loads(ask("list", "--license-allows", "commercial", "--json").stdout)
    }

    assert {"dolly", "oasst1", "medmcqa"} <= names
    assert not {"alpaca", "alpaca-zh", "belle-1m"} & names


def test_a_search_without_a_result_is_an_error_with_a_way_out() -> None:
    done = ask("list", "klingon")

    assert isinstance(done.exception, RequestError)
    assert done.exception.hint == "`instil corpora list` shows all of them"


def test_one_corpus_is_told_whole(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    golden("corpora_show.txt", ask("show", "belle-0.5m").stdout + ask("show", "oig").stdout)
    shown = json.loads(ask("show", "alpaca", "--json").stdout)
    assert (shown["by_openai"], shown["fetched"]) == (True, None)


def test_what_is_fetched_is_verified_converted_and_ready_for_a_recipe(
    hub: Callable[..., Any], tmp_path: Path
) -> None:
    source = entry("no-robots").source
    assert isinstance(source, HubSource)
    path = source.files[0].replace("*", "0")
    with hub("no-robots", {path: ALPACA}) as server:
        done = fetch(server, "no-robots")

    assert done.exit_code == 0, done.output
    place = tmp_path / "home/.cache/instil/corpora/no-robots/files"
    assert done.stdout.splitlines()[0] == f"no-robots: 1 file, {len(ALPACA)} bytes, in {place}"
    (proposed,) = yaml.safe_load(done.stdout.splitlines()[-1].partition("recipe: ")[2])
    assert len(KnownConfig.model_validate(proposed).parts()) == 1
    assert (place / path).read_bytes() == ALPACA
    assert done.stderr.startswith("no-robots: No Robots"), "the terms come before the download"
    assert f"the hub is {server.base_url} (HF_ENDPOINT, with your HF_TOKEN)" in done.stderr
    assert "secret-of-mine" not in done.output

    again = ask("fetch", "no-robots", env={"HF_HUB_OFFLINE": "1"})
    assert again.stdout.startswith("no-robots: here already: 1 file")
    assert "1 file" in ask("show", "no-robots").stdout
    (as_json,) = json.loads(ask("fetch", "no-robots", "--json").stdout)
    assert as_json["files"][0]["path"] == path


def test_what_lies_elsewhere_is_named_as_files_in_the_recipe(hub: Callable[..., Any], tmp_path: Path) -> None:
    source = entry("no-robots").source
    assert isinstance(source, HubSource)
    with hub("no-robots", {source.files[0].replace("*", "0"): ALPACA}) as server:
        done = fetch(server, "no-robots", "--to", str(tmp_path / "disk"))

    (proposed,) = yaml.safe_load(done.stdout.splitlines()[-1].partition("recipe: ")[2])
    assert proposed["path"].startswith(str(tmp_path / "disk/no-robots/files"))


def test_a_name_that_is_wrong_stops_before_anything_is_fetched(tmp_path: Path) -> None:
    done = ask("fetch", "dolly", "alpacca")

    assert isinstance(done.exception, RequestError)
    assert "did you mean alpaca" in str(done.exception)
    assert not (tmp_path / "home").exists()


def test_without_a_network_the_error_says_what_to_bring_and_where(tmp_path: Path) -> None:
    done = installed("corpora", "fetch", "dolly", cwd=tmp_path)

    assert done.returncode == 2, done.stderr
    assert "error: dolly is not here, and HF_HUB_OFFLINE forbids to ask the hub" in done.stderr
    assert f"{tmp_path}/home/.cache/instil/corpora/dolly/files" in done.stderr
    assert not (tmp_path / "home/.cache/instil/corpora/dolly/files").exists()


def test_a_file_of_rows_is_described(golden: Golden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    chat = [{"role": role, "content": f"{role} says more"} for role in ("user", "assistant") * 4]
    rows = [*ROWS, ROWS[0], {"messages": chat}, {"instruction": "Empty?", "output": " "}, {"unknown": 1}]
    Path("mixed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "broken\n")
    Path("visits.csv").write_text("id,Beschwerde,Rat\nab1,Kopfweh,Ruhe\ncd2,Fieber,Tee\n")

    mixed, table = ask("describe", "mixed.jsonl", "--quiet"), ask("describe", "visits.csv", "--quiet")

    assert (mixed.exit_code, table.exit_code) == (0, 0)
    golden("corpora_describe.txt", lines(mixed.stdout) + "\n" + lines(table.stdout))


def test_a_description_is_json_on_request(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_bytes(ALPACA)

    found = json.loads(ask("describe", str(path), "--json").stdout)

    assert (found["format"], found["rows"], found["failures"]) == ("alpaca", 3, {"'output' is empty": 1})
    assert found["examples"][0][0] == {"role": "user", "content": "Question 0?"}


def test_a_format_that_nobody_knows_is_answered_with_those_that_are_known(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_bytes(ALPACA)

    done = ask("describe", str(path), "--format", "alpacca")

    assert isinstance(done.exception, RequestError)
    assert "alpaca" in (done.exception.hint or "")
