"""What follows from whose rows a data set holds: the hub's names of licences, and what they ask for.

No legal advice: sentences say what a licence or a publisher states, not what a court would.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from instil.corpora.catalogue import Entry, catalogue
from instil.export.contents import Origins

# The identifiers that the hub knows (its documentation, "Licenses"), without those of single models.
_HUB = frozenset(
    """
    apache-2.0 mit openrail bigscience-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause
    bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0
    cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
    cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0
    epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc
    llama2 llama3 llama3.1 llama3.2 llama3.3 gemma ms-pl mpl-2.0 odc-by odbl osl-3.0 postgresql ofl-1.1 ncsa
    unlicense zlib pddl
    """.split()  # noqa: SIM905 (a line for each would hide the code below)
)
_OTHER_NAMES = {"odc-by-1.0": "odc-by", "odbl-1.0": "odbl", "pddl-1.0": "pddl", "gfdl-1.3": "gfdl"}
_OR_LATER = re.compile(r"-(?:only|or-later)$")
_ATTRIBUTION = re.compile(r"^(?:cc-by|odc-by|apache|mit|bsd|odbl|cdla)")
_SHARE_ALIKE = re.compile(r"-sa\b|^a?gpl|^odbl|^cdla-sharing")


def hub_id(license: str | None) -> str:  # noqa: A002 (the field's word)
    """Return the hub's identifier of a licence: `other` where it has none, `unknown` where none is stated."""
    if not license:
        return "unknown"
    plain = _OR_LATER.sub("", "-".join(license.lower().split()))
    plain = _OTHER_NAMES.get(plain, plain)
    return plain if plain in _HUB else "other"


def hub_ids(origins: Iterable[Origins]) -> list[str]:
    """Return the identifiers of all licences, `unknown` among them where rows state none."""
    return sorted({hub_id(each.license) for each in origins})


def consequences(origins: Iterable[Origins]) -> list[str]:
    """Return a sentence for each thing that licences and terms ask for, with the sources that it is about."""
    found: dict[str, list[str]] = {}
    for origin in origins:
        for rule in _rules(origin):
            found.setdefault(rule, []).append(origin.name)
    return [f"{', '.join(names)}: {rule}" for rule, names in found.items()]


def _rules(origin: Origins) -> Iterator[str]:
    if origin.kind == "teacher":
        yield ("written by a model; the terms of whoever offers it say what may be trained on its answers.")
        return
    entry = catalogue().get(origin.name)
    if origin.license is None:
        if origin.kind == "corpus":
            yield from _unstated(entry)
        return
    # A file of the user's may only be called as a corpus of the catalogue.
    entry = entry if entry is not None and entry.license == origin.license else None
    licence, plain = origin.license, "-".join(origin.license.lower().split())
    if "nc" in plain.split("-") or (entry is not None and entry.allows.commercial == "no"):
        yield f"{licence} forbids commercial use, also of this data set and of what is trained on it."
    if "-nd" in plain:
        yield f"{licence} does not allow to pass changed rows on."
    if _SHARE_ALIKE.search(plain):
        yield f"{licence} asks that what is passed on carries the same licence, and names its authors."
    elif _ATTRIBUTION.search(plain):
        yield f"{licence} asks to name its authors."
    if entry is not None and entry.by_openai:
        yield (
            f"answers written by {entry.written_by}, whose terms forbid to train models with them that "
            "compete with its own."
        )
    elif entry is not None and entry.written_by:
        yield f"answers written by {entry.written_by}."


def _unstated(entry: Entry | None) -> Iterator[str]:
    yield (
        "states no licence; ask its publisher before rows of it are passed on."
        if entry is None
        else (
            f"states no licence here; the corpus of this name in the catalogue has "
            f"{entry.license or 'none either'}."
        )
    )
