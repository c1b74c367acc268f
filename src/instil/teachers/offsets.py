"""Where in a file each of very many keys stands, in a few bytes a key."""

from __future__ import annotations

from array import array

_EMPTY = (1 << 64) - 1


class Offsets:
    """A map from 64-bit keys to positions: two machine words a slot, at most four fifths of them taken.

    A dictionary of the same needs 150 bytes a key; a journal of a million answers would not fit into the
    memory that everything else needs. Open addressing with linear probing; keys are hashes already.
    """

    def __init__(self) -> None:
        self._count = 0
        self._make_room(1 << 10)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: int) -> bool:
        return self.get(key) is not None

    def get(self, key: int) -> int | None:
        """Return the position of a key, or None."""
        position = self._positions[self._slot(key)]
        return None if position == _EMPTY else position

    def __setitem__(self, key: int, position: int) -> None:
        slot = self._slot(key)
        if self._positions[slot] == _EMPTY:
            self._count += 1
        self._keys[slot], self._positions[slot] = key, position
        if 5 * self._count > 4 * len(self._keys):
            keys, positions = self._keys, self._positions
            self._make_room(2 * len(keys))
            for old, where in zip(keys, positions, strict=True):
                if where != _EMPTY:
                    slot = self._slot(old)
                    self._keys[slot], self._positions[slot] = old, where

    def _make_room(self, size: int) -> None:
        self._keys = array("Q", bytes(8 * size))
        self._positions = array("Q", b"\xff" * (8 * size))

    def _slot(self, key: int) -> int:
        """Return where a key stands, or the empty slot where it belongs."""
        mask = len(self._keys) - 1
        slot = key & mask
        while self._positions[slot] != _EMPTY and self._keys[slot] != key:
            slot = slot + 1 & mask
        return slot
