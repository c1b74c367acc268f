"""What kind of file holds records, in words."""

from __future__ import annotations

from pathlib import Path

from instil.corpora.containers.contents import look
from instil.corpora.containers.shapes import Kind
from instil.errors import StageError

_WORDS: dict[Kind | None, str] = {
    None: "empty",
    "lines": "JSON Lines",
    "values": "JSON",
    "mapping": "JSON",
    "instances": "JSON of LMFlow",
    "table": "table as text",
    "parquet": "Parquet",
    "arrow_file": "Arrow",
    "arrow_stream": "Arrow",
    "zip": "zip archive",
    "tar": "tar archive",
}


def container_of(path: Path) -> str:
    """Return what a file is, told by its content: what is packed is unpacked for that.

    Raises:
        StageError: it cannot be read, or is nothing that is known.
    """
    try:
        with path.open("rb") as file:
            return _WORDS[look(file, path.name, path.stat().st_size).kind]
    except OSError as error:
        raise StageError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
