"""What the documents show is what happens: their examples, in order, with a real repository."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.makers.extras import AdvisorySpec
from tests.makers.markdown import Example, documents, examples
from tests.makers.openpgp import OpenPGPKey
from tests.makers.repos import PackageSpec, build_repo, sample_repo

SHOWN = [path for path in documents() if examples(path)]

NEEDED = {"media.md": ("xorriso",)}
"""Document → the programs that its examples need, beside those that all of them do."""


@pytest.mark.system("ssh-keygen", "sha256sum", "bash")
@pytest.mark.parametrize(
    "document",
    [pytest.param(path, id=path.name, marks=pytest.mark.system(*NEEDED.get(path.name, ()))) for path in SHOWN],
)
def test_the_examples_of_a_document_run_as_written(tmp_path: Path, key: OpenPGPKey, document: Path) -> None:
    here = tmp_path / "here"
    lay_out(here, key)
    shown = examples(document)

    outcomes = run_in_one_shell(shown, here, tmp_path)

    wrong = [
        f"{one.where}: {one.command}\nexit code {code}, expected {one.code}; it said:\n{said}"
        for one, (code, said) in zip(shown, outcomes, strict=True)
        if code != one.code or not one.fits(said)
    ]
    assert wrong == []


def test_the_readme_shows_the_whole_way() -> None:
    commands = " ".join(one.command for one in examples(next(path for path in SHOWN if path.name == "README.md")))

    for step in ("init", "keys generate", "repo add", "sync", "export", "keys trust", "verify", "import", "publish"):
        assert f"issmedia {step}" in commands


@pytest.mark.parametrize(
    ("shown", "said", "fits"),
    [
        (("a … c",), "a b c\n", True),
        (("a … c",), "a b\nc\n", False),
        (("…", "end"), "one\ntwo\nend\n", True),
        (("…", "end"), "end\n", True),
        (("begin",), "begin\nmore\n", False),
        ((), "anything\n", True),
    ],
)
def test_the_ellipsis_stands_for_anything(shown: tuple[str, ...], said: str, fits: bool) -> None:
    example = Example("x:1", "true", 0, shown)

    assert example.fits(said) == fits


def lay_out(here: Path, key: OpenPGPKey) -> None:
    """Write what the examples start from: `upstream`, its later states `week-2` to `week-4`, `large`, `vendor.asc`.

    `large` has 8 packages of 0.9 MB, of which three fit on a medium of 3 MB.
    """
    sample_repo(here / "upstream", key=key)
    for week in (2, 3, 4):
        library = PackageSpec("library", f"2.{week - 1}", requires=("base",))
        fix = AdvisorySpec(f"TEST-2027:{week:04}", ("library",), title="Fix library", cves=(f"CVE-2027-{week:04}",))
        build_repo(here / f"week-{week}", ["app", library, "base"], advisories=[fix], sign_with=key)
    build_repo(here / "large", [PackageSpec(f"part-{number}", size=900_000) for number in range(1, 9)], sign_with=key)
    (here / "vendor.asc").write_bytes(key.public)


def run_in_one_shell(shown: list[Example], here: Path, scratch: Path) -> list[tuple[int, str]]:
    """Run the examples one after another in one shell; give the exit code and output of each."""
    programs = scratch / "bin"
    programs.mkdir()
    issmedia = programs / "issmedia"
    issmedia.write_text(
        f"#!/bin/sh\nexec {sys.executable} -W error -c 'from issmedia.cli.main import main; main()' \"$@\"\n"
    )
    issmedia.chmod(0o755)
    script = "".join(
        f"{{ {one.command}\n}} >{scratch}/{number}.out 2>&1 </dev/null; echo $? >{scratch}/{number}.code\n"
        for number, one in enumerate(shown)
    )
    own = ("ISSMEDIA_DEPOT", "ISSMEDIA_KEY_PASSPHRASE_FILE", "SOURCE_DATE_EPOCH")
    environment = {name: value for name, value in os.environ.items() if name not in own}
    environment |= {"PATH": f"{programs}:{environment['PATH']}", "LC_ALL": "C.UTF-8"}
    subprocess.run(["bash", "-c", script], cwd=here, env=environment, check=True)
    return [
        (int((scratch / f"{number}.code").read_text()), (scratch / f"{number}.out").read_text())
        for number in range(len(shown))
    ]
