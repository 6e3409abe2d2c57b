"""The nursery: one process for many documents, whatever becomes of a child."""

import contextlib
import os
import re
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest

from issmedia.base.errors import FormatError
from issmedia.content.yum.nursery import Nursery
from issmedia.content.yum.reader import Parser, Unpacked
from tests.makers.repodata import Pkg, primary_xml

ANSWER = "import os, sys; os.write(2, b'refused: ' + str({}).encode()); sys.exit(65)"
"""A child that refuses its document, and says this."""

PARENT = ANSWER.format("os.getppid()")
BY_CONTENT = "import os; text = os.read(0, 100).decode(); exec(text)"
"""A child that does what its document says."""


@pytest.fixture
def document(tmp_path: Path) -> Iterator[BinaryIO]:
    """A small document."""
    with written(tmp_path / "primary.xml", primary_xml([Pkg("a.rpm"), Pkg("b.rpm")])) as file:
        yield file


def written(path: Path, data: bytes) -> BinaryIO:
    """Write a document, and open it for a `with` block."""
    path.write_bytes(data)
    return path.open("rb")


def parser(code: str, *, timeout_s: float = 60) -> Parser:
    """Make a parser whose children say that they are ready, then do this."""
    script = f"print('ready', flush=True)\n{code}"
    serving = f"from issmedia.content.yum.serving import serve\nserve(lambda job: exec({script!r}, {{}}))"
    return Parser((sys.executable, "-c", serving), timeout_s=timeout_s)


def answer(parsing: Parser, document: BinaryIO) -> str:
    """Have a document refused, and give the reason."""
    with pytest.raises(FormatError) as caught:
        parsing.packages(document, Unpacked(), where="primary.xml")
    return caught.value.message


def descriptors() -> list[str]:
    """List the descriptors of this process."""
    return sorted(os.listdir("/proc/self/fd"))


def children() -> set[int]:
    """List the children of this process, dead ones that nobody waited for among them."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.add(int(path.parent.name))
    return found


def kill(pid: int) -> None:
    """Kill a child of this process, and wait until it is dead without reaping it."""
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def test_one_nursery_serves_many_documents(document: BinaryIO) -> None:
    with parser(PARENT) as parsing:
        parents = {answer(parsing, document) for _ in range(5)}

    assert len(parents) == 1
    assert parents.pop().isdecimal()


def test_without_a_block_each_document_has_a_nursery_of_its_own(document: BinaryIO) -> None:
    parsing = parser(PARENT)

    assert len({answer(parsing, document) for _ in range(3)}) == 3


def test_the_nursery_ends_with_the_block(document: BinaryIO) -> None:
    with parser(PARENT) as parsing:
        pid = int(answer(parsing, document))

    assert not Path(f"/proc/{pid}").exists()


def test_a_document_is_read_from_where_it_stands_whatever_was_parsed_before(document: BinaryIO, tmp_path: Path) -> None:
    with Parser() as parsing, (tmp_path / "bad").open("wb+", buffering=0) as bad:
        bad.write(b"<metadata")
        bad.seek(0)
        answer(parsing, bad)

        found = parsing.packages(document, Unpacked(), where="primary.xml")

    assert [one.package.href for one in found] == ["a.rpm", "b.rpm"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("os.kill(os.getpid(), 11)", "signal 11"),
        ("os.abort()", "signal 6"),
        ("os._exit(3)", "exit code 3"),
        ("print('garbage')", "lists what cannot be"),
        ("raise ValueError", "exit code 1"),
    ],
)
def test_a_document_that_ruins_its_child_does_not_ruin_the_next(tmp_path: Path, code: str, reason: str) -> None:
    bad, good = written(tmp_path / "bad", code.encode()), written(tmp_path / "good", PARENT.encode())
    with bad, good, parser(BY_CONTENT) as parsing:
        ruined = answer(parsing, bad)
        after = answer(parsing, good)

    assert reason in ruined
    assert after.isdecimal()


def test_a_child_that_takes_too_long_is_killed_and_the_next_document_parsed(tmp_path: Path) -> None:
    bad, good = written(tmp_path / "bad", b"import time; time.sleep(1000)"), written(tmp_path / "good", PARENT.encode())
    with bad, good, parser(BY_CONTENT, timeout_s=1) as parsing:
        late = answer(parsing, bad)
        parsing.timeout_s = 60

        after = answer(parsing, good)

    assert "takes too much time or memory" in late
    assert after.isdecimal()


def test_a_nursery_that_was_killed_between_documents_is_replaced(document: BinaryIO) -> None:
    with parser(PARENT) as parsing:
        first = int(answer(parsing, document))
        kill(first)

        second = int(answer(parsing, document))

    assert first != second


def test_a_nursery_that_was_killed_before_its_first_document_is_replaced(document: BinaryIO) -> None:
    before = children()
    with Parser() as parsing:
        (pid,) = children() - before
        kill(pid)

        found = parsing.packages(document, Unpacked(), where="primary.xml")

    assert len(found) == 2


@pytest.mark.parametrize("kept", [True, False], ids=["in a block", "alone"])
def test_neither_descriptors_nor_dead_children_are_left(document: BinaryIO, kept: bool) -> None:
    before = descriptors(), children()
    parsing = parser(BY_CONTENT)
    if kept:
        with parsing:
            answer(parsing, document)
            (pid,) = children() - before[1]
            kill(pid)
            answer(parsing, document)
    else:
        answer(parsing, document)

    assert (descriptors(), children()) == before


def test_a_nursery_that_cannot_start_leaves_no_descriptor() -> None:
    before = descriptors()

    with pytest.raises(FileNotFoundError):
        Nursery(("/nothing/python",))

    assert descriptors() == before


def test_a_child_sees_only_document_output_and_refusals(document: BinaryIO) -> None:
    code = ANSWER.format("[fd for fd in range(4096) if os.path.lexists(f'/proc/self/fd/{fd}')]")

    with parser(code) as parsing:
        seen = [answer(parsing, document) for _ in range(2)]

    assert seen == ["[0, 1, 2]"] * 2


def test_a_child_has_no_environment_but_where_to_import_from(
    document: BinaryIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISSMEDIA_KEY_PASSPHRASE_FILE", "/secret")

    names = answer(parser(ANSWER.format("sorted(os.environ)")), document)

    assert set(re.findall(r"\w+", names)) <= {"LC_ALL", "PYTHONPATH", "LC_CTYPE"}


def test_threads_share_a_parser_and_each_gets_its_own_document(tmp_path: Path) -> None:
    def parse(number: int) -> list[str]:
        path = tmp_path / f"{number}.xml"
        path.write_bytes(primary_xml([Pkg(f"{number}.rpm")]))
        with path.open("rb") as file:
            return [one.package.href for one in parsing.packages(file, Unpacked(), where=path.name)]

    with Parser() as parsing, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(parse, range(24)))

    assert found == [[f"{number}.rpm"] for number in range(24)]
