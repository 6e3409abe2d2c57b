"""Work that several threads want at once: one does it, the others wait."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from issmedia.base.once import Once


def test_who_comes_while_it_is_done_gets_what_the_first_gets() -> None:
    once, began, end, done = Once[int](), threading.Event(), threading.Event(), list[int]()

    def work() -> int:
        done.append(1)
        began.set()
        assert end.wait(10)
        return 7

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(once.do, "a", work)
        assert began.wait(10)
        second = pool.submit(once.do, "a", work)
        end.set()

    assert (first.result(), second.result()) == (7, 7)
    assert len(done) <= 2  # the second may have come when the first had ended


def test_another_name_is_other_work() -> None:
    once = Once[int]()

    assert once.do("a", lambda: once.do("b", lambda: 2) + 1) == 3


def test_who_waited_for_one_that_failed_does_it_itself() -> None:
    once, began, end = Once[int](), threading.Event(), threading.Event()

    def fails() -> int:
        began.set()
        assert end.wait(10)
        raise ValueError("mine")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(once.do, "a", fails)
        assert began.wait(10)
        second = pool.submit(once.do, "a", lambda: 2)
        end.set()

        assert second.result(10) == 2
        with pytest.raises(ValueError, match="mine"):
            first.result(10)


def test_nothing_is_remembered() -> None:
    once = Once[int]()

    assert [once.do("a", lambda: 1), once.do("a", lambda: 2)] == [1, 2]
