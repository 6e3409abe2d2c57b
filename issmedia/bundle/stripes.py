"""One stripe: k data blocks and m parity blocks, of which any k give the others. The only user of zfec.

zfec's code lets other threads run while it computes, as hashing does: stripes are spread over threads.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from typing import TypeVar

import zfec

T = TypeVar("T")
R = TypeVar("R")

Buffer = bytes | memoryview

_IN_MEMORY = 64 << 20
"""Bytes of the stripes that are worked on at a time; one is always."""


class Code:
    """A Reed-Solomon code over bytes: systematic, so data blocks are themselves. Threads may share it."""

    def __init__(self, k: int, m: int) -> None:
        self.k = k
        self._encoder = zfec.Encoder(k, k + m)
        self._decoder = zfec.Decoder(k, k + m)
        self._numbers = tuple(range(k, k + m))

    def parity(self, data: Sequence[Buffer]) -> list[bytes]:
        """Compute the m parity blocks of k data blocks, all equally long."""
        found: list[bytes] = self._encoder.encode(tuple(data), self._numbers)
        return found

    def missing(self, blocks: Mapping[int, Buffer]) -> dict[int, bytes]:
        """Compute the data blocks that are not among these k, numbered 0 to k - 1 for data, then for parity."""
        spare = iter(sorted(number for number in blocks if number >= self.k))
        numbers = [number if number in blocks else next(spare) for number in range(self.k)]
        found = self._decoder.decode(tuple(blocks[number] for number in numbers), tuple(numbers))
        return {number: found[number] for number in range(self.k) if number not in blocks}


def depth(workers: int, stripe: int) -> int:
    """Say how many stripes of these bytes may be worked on at a time."""
    return max(1, min(workers + 1, _IN_MEMORY // max(1, stripe)))


def in_order(pool: Executor, function: Callable[[T], R], items: Iterable[T], *, ahead: int) -> Iterator[tuple[T, R]]:
    """Call `function` on every item from the pool's threads; give the results in the order of the items.

    At most `ahead` calls are begun before their turn, and no item is drawn earlier.
    """
    begun: deque[tuple[T, Future[R]]] = deque()
    try:
        for item in items:
            begun.append((item, pool.submit(function, item)))
            if len(begun) > ahead:
                first, future = begun.popleft()
                yield first, future.result()
        while begun:
            first, future = begun.popleft()
            yield first, future.result()
    finally:
        for _, future in begun:
            future.cancel()
