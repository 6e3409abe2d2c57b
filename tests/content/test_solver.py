"""The parent's side of solving, with children that misbehave."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from issmedia.base.errors import FormatError, IssmediaError
from issmedia.content.yum.parsed import Related
from issmedia.content.yum.solver import Settling, Solver
from tests.content.test_dependencies import related
from tests.content.test_nursery import children, descriptors

ROOT = Path(__file__).parents[2]
APP, LIBRARY = related("app", "library"), related("library")


def child(code: str, *, timeout_s: float = 60, max_said: int = 1 << 20) -> Solver:
    """Make a solver whose children say that they are ready, then do this."""
    script = f"print('ready', flush=True)\n{code}"
    serving = f"from issmedia.content.yum.serving import serve\nserve(lambda job: exec({script!r}, {{}}))"
    return Solver((sys.executable, "-c", serving), timeout_s=timeout_s, max_said=max_said)


def answering(*lines: str, count: int = 1) -> str:
    """Write a child that answers its first question, whatever it is, with these lines."""
    first, *others = lines
    return asked(f"sys.stdout.write({first + chr(10)!r} * {count}); print(*{others!r}, sep=chr(10), flush=True)")


def asked(code: str) -> str:
    """Write a child that does this at its first question."""
    return f"import os, sys\nfor line in sys.stdin:\n  if '?' in line: {code}"


def dying(place: str) -> str:
    """Write a child that dies over a package."""
    return asked(f"""os.write(1, b'{{"type":"at","place":{place}}}\\n'); os.abort()""")


@contextmanager
def told(*repositories: list[Related], solver: Solver | None = None) -> Iterator[Settling]:
    """Tell a child of repositories, and ask it in the block."""
    with (solver or Solver()).settling(hint="do this") as settling:
        for number, packages in enumerate(repositories):
            settling.add(number, packages, where=f"primary {number}")
        yield settling


def fault(solver: Solver, *packages: Related) -> FormatError:
    """Ask what a child cannot tell, and give the error."""
    with pytest.raises(FormatError) as caught, told(list(packages or (APP, LIBRARY)), solver=solver) as settling:
        settling.closed([(0, APP.href)])
    return caught.value


def test_it_says_what_is_needed_again_and_again() -> None:
    with told([APP, LIBRARY, related("other")]) as settling:
        found = [settling.closed(wanted) for wanted in ([], [(0, LIBRARY.href)], [(0, APP.href)])]

    assert found == [set(), {(0, LIBRARY.href)}, {(0, APP.href), (0, LIBRARY.href)}]


def test_what_is_wanted_and_is_not_there_needs_nothing() -> None:
    with told([APP, LIBRARY]) as settling:
        assert settling.closed([(0, "gone"), (7, APP.href)]) == set()


def test_it_says_what_is_required_in_vain_of_each_repository() -> None:
    with told([APP], [related("top", "gone")]) as settling:
        found = settling.unmet()

    assert found == {(0, APP.href): ("library",), (1, "top.x86_64"): ("gone",)}
    assert [settling.names[place] for place in found] == ["app-1-1.x86_64", "top-1-1.x86_64"]


def test_a_file_that_a_package_has_is_required_in_vain_no_more() -> None:
    with told([related("app", "/usr/bin/a", "/usr/bin/b"), LIBRARY]) as settling:
        before = settling.files_lacking()
        settling.add_files([((0, LIBRARY.href), "/usr/bin/b")], where="filelists")
        found = settling.files_lacking(), settling.closed([(0, "app.x86_64")])

    assert before == {"/usr/bin/a", "/usr/bin/b"}
    assert found == ({"/usr/bin/a"}, {(0, "app.x86_64"), (0, LIBRARY.href)})


def test_the_child_is_the_only_one_that_loads_libsolv() -> None:
    code = "import sys, issmedia.content.yum.content; sys.exit('solv' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0


def test_a_child_that_never_answers_is_killed() -> None:
    assert "signal 9" in fault(child("import time; time.sleep(1000)", timeout_s=2)).message


def test_a_child_that_does_not_listen_is_killed() -> None:
    deaf = child("import time; time.sleep(1000)", timeout_s=2)

    found = fault(deaf, *(related(f"{number}", "x" * 100_000) for number in range(20)))

    assert "signal 9" in found.message


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (answering("garbage"), "said what cannot be"),
        (answering("[" * 10_000), "said what cannot be"),
        (answering('{"type":"needed","place":7}'), "said what cannot be"),
        (answering('{"type":"needed","place":[0,"gone"]}', '{"type":"end"}'), "said what cannot be"),
        (answering('{"type":"lacking","path":"/a"}', '{"type":"end"}'), "said what cannot be"),
        (answering('{"type":"needed","place":[0,"app.x86_64"]}', count=100_000), "said too much"),
        (answering('{"type":"at","place":[0,"app.x86_64"]}', count=100_000), "said too much"),
        ("import os; os.write(1, b'x' * 100); os._exit(0)", "said too much|exit code 0"),
        ("import os; os._exit(3)", r"takes too much time or memory to settle \(exit code 3\)"),
        ("import os; os.kill(os.getpid(), 11)", r"\(signal 11\)"),
        ("import os; os.write(2, b'noise refused: a\\x1bb'); os._exit(65)", r"^a\\x1bb$"),
    ],
)  # fmt: skip
def test_a_child_that_misbehaves_is_an_error(code: str, reason: str) -> None:
    found = fault(child(code))

    assert re.search(reason, found.message)
    assert found.where == "primary 0"


def test_a_child_that_dies_has_named_the_package_over_which() -> None:
    solver = child(dying('[1,"evil.x86_64"]'))

    with pytest.raises(FormatError) as caught, told([APP], [related("evil")], [APP], solver=solver) as settling:
        settling.unmet()

    assert caught.value.message == "what evil-1-1.x86_64 needs takes too much time or memory to settle (signal 6)"
    assert (caught.value.where, caught.value.hint) == ("primary 1", "do this")


def test_a_child_that_names_a_package_that_is_not_is_not_believed() -> None:
    found = fault(child(dying('[7,"evil"]')))

    assert (found.message.startswith("what its packages need"), found.where) == (True, "primary 0")


@pytest.mark.parametrize("command", [(sys.executable, "-c", "import nothing_such"), ("/nothing/python",)])
def test_a_child_that_does_not_start_is_no_fault_of_the_packages(command: tuple[str, ...]) -> None:
    with (
        pytest.raises(IssmediaError, match=r"solver of dependencies did not start: .*(No such|nothing_such)") as caught,
        told([APP], solver=Solver(command)),
    ):
        pass

    assert type(caught.value) is IssmediaError


@pytest.mark.parametrize("code", ["import time; time.sleep(1000)", "import os; os.abort()"])
def test_neither_descriptors_nor_children_are_left_whatever_was_not_read(code: str) -> None:
    before = descriptors(), children()

    with pytest.raises(KeyError), child(code).settling(hint="") as settling:
        settling._line.write(b"x" * 10_000)
        raise KeyError

    assert (descriptors(), children()) == before
