"""What threads give is taken in bunches, and an error of one ends the taking."""

import threading

import pytest

from issmedia.base.workers import Gathered, Workers


def gathered(workers: Workers, *, most: int = 4) -> Gathered[int]:
    """Gather what these threads give."""
    return Gathered(workers, most=most)


def test_all_results_are_given_once() -> None:
    workers = Workers(3, name="test")
    results, found = gathered(workers), list[int]()
    for number in range(100):
        results.submit(int, number)
        found += results.surplus()
    found += results.rest()
    workers.finish()

    assert sorted(found) == list(range(100))


def test_while_fewer_are_under_way_than_allowed_nobody_waits() -> None:
    workers, gate = Workers(1, name="test"), threading.Event()
    results = gathered(workers)
    for _ in range(3):
        results.submit(lambda: int(gate.wait(10)))
        assert results.surplus() == []
    gate.set()

    assert list(results.rest()) == [1, 1, 1]
    workers.finish()


def test_a_bunch_is_half_of_what_may_be_under_way() -> None:
    workers = Workers(1, name="test")
    results = gathered(workers)
    for number in range(4):
        results.submit(int, number)

    assert len(results.surplus()) >= 2
    assert len(list(results.rest())) <= 2
    workers.finish()


def test_a_result_does_not_wait_for_a_bunch_that_takes_long() -> None:
    workers, gate = Workers(2, name="test"), threading.Event()
    results = gathered(workers)
    results.submit(int, 7)
    for _ in range(3):
        results.submit(lambda: int(gate.wait(10)))

    assert results.surplus() == [7]
    gate.set()
    assert list(results.rest()) == [1, 1, 1]
    workers.finish()


def test_an_error_is_raised_where_results_are_taken() -> None:
    workers = Workers(1, name="test")
    results = gathered(workers)
    results.submit(int, "no number")

    with pytest.raises(ValueError, match="no number"):
        list(results.rest())
    workers.finish()
