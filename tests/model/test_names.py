"""Labels, and the grammar of paths."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issmedia.base.errors import FormatError, UsageError
from issmedia.model.names import (
    MAX_COMPONENT,
    MAX_PATH,
    checked_label,
    checked_path,
    collisions,
    folded,
    is_label,
    path_fault,
    shown,
)

GOOD = (
    "a",
    "Packages/a/alpha-1.0-1.noarch.rpm",
    ".treeinfo",
    "repodata/repomd.xml.asc",
    "a~b^c+d%e=f@g,h",
    "with space/x y.rpm",
    "naïve-1.0.rpm",
    "日本語/パッケージ.rpm",
    "com/x",
    "console.txt",
    "COM10",
    "a.b.c",
    "...a",
    "a" * MAX_COMPONENT,
    "é" * 127,
    "/".join(["a" * 203] * 5),
)
BAD = {
    "": "empty component",
    "/a": "absolute",
    "a//b": "empty component",
    "a/": "empty component",
    ".": "the component '.'",
    "a/../b": "the component '..'",
    "-rf": "begins with '-'",
    "a/-b": "begins with '-'",
    "a.": "ends with a dot or space",
    "a /b": "ends with a dot or space",
    "a\\b": "the character",
    "c:d": "the character ':'",
    "a*": "the character '*'",
    'a"b': "the character",
    "a\nb": "control",
    "a\0b": "control",
    "a\x1b[31m": "control",
    "a\u202eb": "control, bidi",
    "a\u200bb": "zero-width",
    "a\u2028b": "control",
    "a\ud800": "not valid Unicode",
    "con": "DOS device",
    "a/NUL.txt": "DOS device",
    "com1": "DOS device",
    "lpt³.x": "DOS device",
    "a" * (MAX_COMPONENT + 1): "over 255 bytes",
    "é" * 128: "over 255 bytes",
    "/".join(["a" * 204] * 5 + ["b"]): "1026 bytes long",
    "e\u0301": "normal form C",
}


@pytest.mark.parametrize("path", GOOD)
def test_a_path_of_the_grammar_is_accepted(path: str) -> None:
    assert path_fault(path) is None


@pytest.mark.parametrize("path", BAD, ids=[ascii(path)[:30] for path in BAD])
def test_a_path_outside_the_grammar_is_refused_with_the_reason(path: str) -> None:
    fault = path_fault(path)

    assert fault is not None
    assert BAD[path] in fault
    assert fault.isprintable()


def test_the_longest_path_is_1024_bytes_unless_a_limit_says_otherwise() -> None:
    longest = "/".join(["a" * 204] * 5)

    assert (len(longest), path_fault(longest)) == (MAX_PATH, None)
    assert path_fault(longest + "b", limit=MAX_PATH + 1) is None
    assert path_fault(longest, limit=MAX_PATH - 1) is not None


@given(st.text(max_size=40))
def test_an_accepted_path_names_one_file_below_its_root(path: str) -> None:
    if path_fault(path) is None:
        components = path.split("/")

        assert not {"", ".", ".."} & set(components)
        assert not any(one.startswith("-") or one[-1] in ". " for one in components)
        assert not {"Cc", "Cf", "Cs", "Zl", "Zp"} & {unicodedata.category(one) for one in path}
        assert unicodedata.normalize("NFC", path) == path


@given(st.text(alphabet="aAbcCoOnN.~+-/ :é1\0", max_size=12))
def test_the_quick_way_and_the_whole_grammar_agree(path: str) -> None:
    quick = path_fault(path)

    # The quick way is for ASCII alone: beside a component that is not, the same path goes the long way.
    whole = path_fault("ä/" + path)

    assert (quick is None) == (whole is None) or path.startswith("/")


def test_a_refused_path_is_named_safely() -> None:
    with pytest.raises(FormatError) as caught:
        checked_path("a/\x1b[2J/../b")

    assert caught.value.where == "a/\\x1b[2J/../b"


@pytest.mark.parametrize("label", ["a", "9", "AlmaLinux-9.4_x", "a" * 128])
def test_a_label_is_accepted(label: str) -> None:
    assert checked_label(label) == label


@pytest.mark.parametrize(
    "label",
    ["", "-a", ".a", "_a", "a/b", "a b", "a.", "é", "a" * 129, "a\n", "con", "NUL.x", "issmedia.repo", "ISSMEDIA.repo"],
)
def test_what_is_no_label_is_refused(label: str) -> None:
    assert not is_label(label)
    with pytest.raises(UsageError, match="is not a label"):
        checked_label(label)


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (["a", "b/c", "b/d"], []),
        (["a", "a"], [("a", "is named twice")]),
        (["A", "a"], [("a", "differs from A only in case or form")]),
        (["A/x", "a/y"], [("a/y", "differs from A only in case or form")]),
        (["a/b", "a"], [("a/b", "lies below a path that is a file")]),
        (["a", "a/b/c"], [("a/b/c", "lies below a path that is a file")]),
        (["straße", "STRASSE"], [("STRASSE", "differs from straße only in case or form")]),
        (["d/a", "d/b", "e/a"], []),
    ],
)
def test_collisions_are_found(paths: list[str], found: list[tuple[str, str]]) -> None:
    assert found == [(one.where, one.message) for one in collisions(paths)]


@given(st.lists(st.text(alphabet="aAbB/", min_size=1, max_size=5), max_size=6, unique=True))
def test_paths_without_collisions_stay_apart_where_case_is_folded(paths: list[str]) -> None:
    good = [path for path in paths if path_fault(path) is None]

    collide = len({folded(path) for path in good}) < len(good)

    assert not collide or list(collisions(good))


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain", "plain"),
        ("ünïcode 日本", "ünïcode 日本"),
        ("a\nb", "a\\nb"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\u202etxt", "\\u202etxt"),
        ("\ud800", "\\ud800"),
        ("\ue000", "\\ue000"),
        ("x" * 301, "x" * 300 + "…"),
    ],
)
def test_hostile_text_is_shown_safely(text: str, safe: str) -> None:
    assert safe == shown(text)


@given(st.text())
def test_what_is_shown_is_one_printable_line(text: str) -> None:
    safe = shown(text)

    assert len(safe.splitlines()) <= 1
    safe.encode()


def test_directories_that_differ_only_in_case_collide_though_their_files_do_not() -> None:
    found = list(collisions(["A/x/1.rpm", "a/y/2.rpm"]))

    assert [(one.where, one.message) for one in found] == [("a/y/2.rpm", "differs from A only in case or form")]
