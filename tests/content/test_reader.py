"""The parent's side of the parsing child, with children that misbehave."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from issmedia.base.errors import FormatError, IssmediaError
from issmedia.content.yum.reader import Parser, Unpacked
from tests.makers.repodata import Pkg, primary_xml


@pytest.fixture
def document(tmp_path: Path) -> Iterator[BinaryIO]:
    path = tmp_path / "primary.xml"
    path.write_bytes(primary_xml([Pkg("a.rpm"), Pkg("b.rpm", summary="Ünïcode &amp; more")]))
    with path.open("rb") as file:
        yield file


def child(code: str, *, timeout_s: float = 60, max_said: int = 1 << 20) -> Parser:
    """Make a parser whose children say that they are ready, then do this."""
    script = f"print('ready', flush=True)\n{code}"
    serving = f"from issmedia.content.yum.serving import serve\nserve(lambda job: exec({script!r}, {{}}))"
    return Parser((sys.executable, "-c", serving), timeout_s=timeout_s, max_said=max_said)


def test_packages_come_in_order_with_what_primary_says(document: BinaryIO) -> None:
    first, second = Parser().packages(document, Unpacked(), where="primary.xml")

    assert (first.package.nevra, first.package.href, first.base) == ("a-1-1.noarch", "a.rpm", None)
    assert (second.package.href, second.package.summary) == ("b.rpm", "Ünïcode & more")


def test_nothing_of_the_librarys_chatter_reaches_us(document: BinaryIO, capfd: pytest.CaptureFixture[str]) -> None:
    Parser().packages(document, Unpacked(), where="primary.xml")

    assert capfd.readouterr() == ("", "")


def test_the_child_is_the_only_one_that_loads_createrepo_c() -> None:
    code = "import sys, issmedia.content.yum; sys.exit('createrepo_c' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[2]).returncode == 0


def test_a_child_that_never_answers_is_killed(document: BinaryIO) -> None:
    with pytest.raises(FormatError, match="signal 9"):
        child("import time; time.sleep(1000)", timeout_s=2).packages(document, Unpacked(), where="x")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("print('garbage')", "lists what cannot be"),
        ("print('[]')", "lists what cannot be"),
        ('print(\'{"package":{"name":1},"base":null}\')', "lists what cannot be"),
        ("print('[' * 100000)", "lists what cannot be"),
        ("import sys; sys.stdout.buffer.write(b'\\xff\\n')", "lists what cannot be"),
        ("print('x', end='')", "said too much"),
        ("while True: print('null' * 1000, end='')", "said too much"),
        ("import sys; sys.exit(1)", r"failed \(exit code 1\)"),
        ("import sys; print('noise refused: a\\x1bb', end='', file=sys.stderr); sys.exit(65)", r"^a\\x1bb$"),
        ("import sys; print('noise', file=sys.stderr); sys.exit(65)", r"failed \(exit code 65\)"),
        ("import os; os.kill(os.getpid(), 11)", "signal 11"),
    ],
)
def test_a_child_that_misbehaves_is_an_error(document: BinaryIO, code: str, reason: str) -> None:
    with pytest.raises(FormatError, match=reason) as caught:
        child(code).packages(document, Unpacked(), where="primary.xml")

    assert caught.value.where == "primary.xml"


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ((sys.executable, "-c", "import nothing_such"), "ModuleNotFoundError: No module named 'nothing_such'"),
        ((sys.executable, "-c", "raise SystemExit(1)"), "it said nothing"),
        ((sys.executable, "-c", "print('something else')"), "it said nothing"),
        (("/nothing/python",), "No such file or directory"),
    ],
)
def test_a_child_that_does_not_start_is_no_fault_of_the_document(
    document: BinaryIO, command: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(IssmediaError, match=f"did not start: .*{reason}") as caught:
        Parser(command).packages(document, Unpacked(), where="x")

    assert type(caught.value) is IssmediaError


def test_the_child_imports_from_where_we_import(
    document: BinaryIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/only_here.py").touch()
    monkeypatch.setattr(sys, "path", ["", "relative", *sys.path, str(tmp_path / "site")])

    code = "import only_here, sys; sys.exit('relative' in ' '.join(sys.path) or '' in sys.path[1:])"
    assert child(code).packages(document, Unpacked(), where="x") == []


def test_a_child_that_says_much_is_stopped(document: BinaryIO) -> None:
    with pytest.raises(FormatError, match="said too much"):
        Parser(max_said=300).packages(document, Unpacked(), where="x")


def test_a_size_beyond_the_limit_is_refused_before_a_child_runs(document: BinaryIO) -> None:
    with pytest.raises(FormatError, match="declares 1,073,741,825 bytes unpacked, at most 1,073,741,824"):
        child("raise SystemExit(1)").packages(document, Unpacked((1 << 30) + 1), where="x")


def test_the_child_cannot_write_run_or_dump() -> None:
    code = """
import os, resource
from issmedia.content.yum import child
from issmedia.content.yum.parsed import Job
child.limit_resources(Job("primary", 100))
memory = os.memfd_create("x")
try:
    os.write(memory, b"x" * 200)
    os.write(memory, b"x")
except OSError as error:
    print(error.errno)
child.forbid_writing()
os.ftruncate(memory, 0)
try:
    os.write(memory, b"x")
except OSError as error:
    print(error.errno)
print(*(resource.getrlimit(getattr(resource, "RLIMIT_" + what))[1] for what in ("NPROC", "CORE", "FSIZE", "NOFILE")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=Path(__file__).parents[2], check=True)

    assert done.stdout.split() == [b"27", b"27", b"0", b"0", b"0", b"16"]
