"""Which accepted text is most like a new one, by ROUGE-L F1: exact, incremental, in a compiled kernel.

`accepted.py` is what filters and commands use. It makes tokens of texts (`tokens.py`) and asks an index
(`index.py`): the kernel (`kernel.c`, `kernel.py`) or, where it could not be compiled, rapidfuzz
(`plain.py`). Both give the same answers.
"""

from instil.novelty.accepted import AcceptedTexts, Nearest
from instil.novelty.tokens import Tokenization

__all__ = ["AcceptedTexts", "Nearest", "Tokenization"]
