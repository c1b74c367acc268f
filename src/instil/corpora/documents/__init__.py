"""The user's own files as passages to ask about: text, Markdown, HTML, PDF and Word.

`read_documents` gives a document, or the reason why there is none, for every file; `passages` cuts a
document into parts that stand alone. To add a format, write its file (bytes to `Parsed`) and put it
into `_READERS` of `formats.py`.
"""

from __future__ import annotations

from instil.corpora.documents.document import Block, Document
from instil.corpora.documents.find import find_files
from instil.corpora.documents.passages import Passage, passages
from instil.corpora.documents.read import preflight, read_documents

__all__ = ["Block", "Document", "Passage", "find_files", "passages", "preflight", "read_documents"]
