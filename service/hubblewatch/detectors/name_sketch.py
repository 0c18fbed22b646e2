"""How many different names were asked for under one domain, in constant space.

The lowest hashes of all names seen are kept: ``k`` of them below ``h`` of a range ``r`` tell of
about ``(k - 1) * r / h`` names, to within a fifth for k = 32 (Z. Bar-Yossef et al., Counting
Distinct Elements in a Data Stream, 2002). A name asked for again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

from msgspec import Struct, field

SIZE = 32
_RANGE = 1 << 32


class NameSketch(Struct):
    """The names under one domain since window ``first``.

    ``asked`` adds up the distinct names of each of ``windows`` windows, ``found`` tells whether
    they were found to be a tunnel's. ``hashes`` are the lowest, in order.
    """

    first: int
    last: int
    windows: int = 0
    asked: int = 0
    found: bool = False
    hashes: list[int] = field(default_factory=list)

    @classmethod
    def read(cls, numbers: list[float]) -> NameSketch:
        """Give the sketch of its stored numbers."""
        first, last, windows, asked, found, *hashes = map(int, numbers)
        return cls(first, last, windows, asked, bool(found), hashes)

    def stored(self) -> list[float]:
        """Give the numbers by which it is stored."""
        return [self.first, self.last, self.windows, self.asked, int(self.found), *self.hashes]

    def add(self, names: Iterable[str], number: int) -> None:
        """Take the distinct names of a window."""
        listed = list(names)
        hashes = {crc32(name.encode(errors="surrogatepass")) for name in listed}
        self.hashes = sorted(hashes.union(self.hashes))[:SIZE]
        self.last = number
        self.windows += 1
        self.asked += len(listed)

    @property
    def distinct(self) -> float:
        """About how many different names there were."""
        if len(self.hashes) < SIZE:
            return float(len(self.hashes))
        return (SIZE - 1) * _RANGE / self.hashes[-1]

    @property
    def ever_new(self) -> float:
        """Share of the names that were new in their window: 1 for a tunnel, 1 / windows for a set
        that is asked for again and again."""
        return min(1.0, self.distinct / self.asked) if self.asked else 0.0
