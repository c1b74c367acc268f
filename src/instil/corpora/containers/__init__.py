"""Any file to records: what a file holds decides how it is read, not its name.

    a file ─► streams.py     unpacked (gzip, zstd, bzip2, xz), in UTF-8, within limits
           ─► shapes.py      which container that is
           ─► json_lines.py  json_values.py  tables.py  columnar.py  archives.py
           ─► RawRecord, or a Failure with place and reason

Files are streamed: memory is bounded by the longest record, whatever the file's size. To add a container,
write its reader, tell its beginning in `shapes.py`, and name it in `read` and `count` of `contents.py`.
"""

from __future__ import annotations

from instil.corpora.containers.parts import Records, count_records, open_part, read_records, split
from instil.corpora.containers.record import RawRecord
from instil.corpora.containers.shapes import SUFFIXES

__all__ = ["SUFFIXES", "RawRecord", "Records", "count_records", "open_part", "read_records", "split"]
