"""One stripe, and many in order."""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from issmedia.bundle.stripes import Code, depth, in_order


@pytest.mark.parametrize(("k", "m"), [(1, 1), (1, 3), (2, 1), (4, 2), (3, 3)])
def test_any_k_blocks_give_the_data(k: int, m: int) -> None:
    data = [bytes([17 * number + 1] * 9) for number in range(k)]
    blocks = dict(enumerate([*data, *Code(k, m).parity(data)]))

    for kept in itertools.combinations(blocks, k):
        found = Code(k, m).missing({number: blocks[number] for number in kept})

        assert found == {number: data[number] for number in range(k) if number not in kept}


def test_as_many_volumes_as_a_byte_counts_are_possible() -> None:
    data = [bytes([number]) * 3 for number in range(254)]
    code = Code(254, 2)
    one, other = code.parity(data)

    found = code.missing({**{number: data[number] for number in range(2, 254)}, 254: one, 255: other})

    assert found == {0: data[0], 1: data[1]}


def test_results_come_in_order_and_no_item_is_drawn_early() -> None:
    drawn: list[int] = []

    def items() -> Iterator[int]:
        for number in range(9):
            drawn.append(number)
            yield number

    with ThreadPoolExecutor(3) as pool:
        for item, result in in_order(pool, lambda number: number * 2, items(), ahead=2):
            assert result == item * 2
            assert len(drawn) <= item + 3

    assert drawn == list(range(9))


def test_an_error_ends_the_drawing() -> None:
    def fail(number: int) -> None:
        raise ValueError(number)

    with ThreadPoolExecutor(2) as pool, pytest.raises(ValueError, match="0"):
        for _ in in_order(pool, fail, itertools.count(), ahead=2):
            pytest.fail("the first failed")


@pytest.mark.parametrize(("workers", "stripe", "expected"), [(2, 1, 3), (8, 10 << 20, 6), (8, 64 << 20, 1)])
def test_memory_bounds_what_is_begun(workers: int, stripe: int, expected: int) -> None:
    assert depth(workers, stripe) == expected
