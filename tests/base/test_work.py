"""One function over many items on a few threads."""

import threading
from collections.abc import Iterator

import pytest

from issmedia.base.digest import hash_all
from issmedia.base.work import each, each_apart
from issmedia.base.workers import Workers
from tests.makers.streams import giving


@pytest.mark.parametrize("workers", [1, 4])
def test_every_item_is_taken_once(workers: int) -> None:
    taken: list[int] = []

    each(taken.append, range(1000), workers=workers)

    assert sorted(taken) == list(range(1000))


def test_the_first_exception_is_raised_and_no_more_items_are_drawn() -> None:
    drawn: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1000):
            drawn.append(number)
            yield number

    def fail(number: int) -> None:
        if number == 3:
            raise ValueError("three")

    with pytest.raises(ValueError, match="three"):
        each(fail, items(), workers=1)

    assert drawn == [0, 1, 2, 3]


def test_an_exception_of_the_items_themselves_is_raised() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        each(lambda number: None, items(), workers=2)


def test_what_is_being_copied_is_given_up_at_the_first_exception() -> None:
    begun = threading.Event()

    def endless(size: int) -> bytes:
        begun.set()
        return b"x" * size

    def work(name: str) -> None:
        if name == "copy":
            hash_all(giving(endless), limit=1 << 60)
        begun.wait()
        raise ValueError(name)

    with pytest.raises(ValueError, match="fails"):
        each(work, ["copy", "fails"], workers=2)


def test_a_thread_that_finds_no_more_items_ends_no_other() -> None:
    chunks, idle = iter([b"x", b"y"]), list[threading.Thread]()
    both = threading.Barrier(2, timeout=30)
    copied: list[bytes] = []

    def read(_size: int) -> bytes:
        idle[0].join()
        return next(chunks, b"")

    def work(name: str) -> None:
        if name == "idle":
            idle.append(threading.current_thread())
        both.wait()
        if name == "copy":
            hash_all(giving(read), limit=2, hand=lambda part: copied.append(bytes(part)))

    each(work, ["copy", "idle"], workers=2)

    assert copied == [b"x", b"y"]


def test_items_are_worked_on_at_once() -> None:
    both = threading.Barrier(2, timeout=30)

    each(lambda number: both.wait(), range(2), workers=2)

    assert not both.broken


def test_several_queues_are_worked_on_at_once_each_in_its_order() -> None:
    both = threading.Barrier(2, timeout=30)
    taken: dict[str, list[int]] = {"a": [], "b": []}

    def take(item: tuple[str, int]) -> None:
        both.wait()
        taken[item[0]].append(item[1])

    each_apart(take, [[("a", 1), ("a", 2)], [("b", 1), ("b", 2)]])

    assert taken == {"a": [1, 2], "b": [1, 2]}


def test_a_queue_that_fails_ends_the_others() -> None:
    def endless(size: int) -> bytes:
        return b"x" * size

    def work(name: str) -> None:
        if name == "fails":
            raise ValueError(name)
        hash_all(giving(endless), limit=1 << 60)

    with pytest.raises(ValueError, match="fails"):
        each_apart(work, [["copy"], ["fails"]])


def test_workers_give_results_and_exceptions() -> None:
    workers = Workers(2, name="test")

    three, fails = workers.submit(int, "3"), workers.submit(int, "x")
    workers.finish()

    assert three.result() == 3
    with pytest.raises(ValueError, match="invalid literal"):
        fails.result()
    assert [one.name for one in threading.enumerate() if one.name == "test"] == []


def test_workers_that_are_given_up_begin_nothing_new_and_hold_up_nobody() -> None:
    workers, blocked, begun = Workers(1, name="test"), threading.Event(), threading.Event()
    ran: list[int] = []

    def block() -> None:
        begun.set()
        blocked.wait()

    workers.submit(block)
    workers.submit(ran.append, 1)
    begun.wait()
    workers.give_up(within_s=0.01)

    assert [one.daemon for one in threading.enumerate() if one.name == "test"] == [True]
    blocked.set()
    workers.finish()
    assert ran == []
