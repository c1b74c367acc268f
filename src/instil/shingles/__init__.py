"""Words, shingles, MinHash signatures and n-gram lookups of whole batches of text, in a compiled kernel.

`Shingler` computes what near-duplicate search needs, `Ngrams` looks texts up in other texts; both read
`Texts`, which `texts` makes of Arrow arrays without a copy. Below them `hashing.py` says what is computed, by
the kernel (`kernel.c`, `kernel.py`, `letters.py`) or, where it could not be compiled, by Python and numpy
(`plain.py`). Both give the same numbers, on every machine.
"""

from instil.shingles.banding import banding
from instil.shingles.ngrams import Found, Ngrams
from instil.shingles.shingler import Shingler, jaccard
from instil.shingles.texts import Texts, texts

__all__ = ["Found", "Ngrams", "Shingler", "Texts", "banding", "jaccard", "texts"]
