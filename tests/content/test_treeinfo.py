import pytest

from issmedia.base.errors import FormatError
from issmedia.content.yum.treeinfo import files_named, repositories_within

SHA = "a" * 64
TEXT = f"""
[general]
packagedir =
family = Test: A Family

[checksums]
images/boot.iso = sha256:{SHA}
Images/Boot.iso = SHA256:{SHA.upper()}

[images-x86_64]
boot.iso = images/boot.iso
kernel = images/pxeboot/vmlinuz
upgrade =

[stage2]
mainimage = images/install.img

[variant-BaseOS]
packages = Packages
"""


def test_images_are_named_with_and_without_checksums() -> None:
    assert files_named(TEXT.encode(), where=".treeinfo") == {
        "images/boot.iso": ("sha256", SHA),
        "Images/Boot.iso": ("sha256", SHA),
        "images/pxeboot/vmlinuz": None,
        "images/install.img": None,
    }


def test_percent_signs_mean_nothing() -> None:
    assert files_named(b"[stage2]\nmainimage = a%(b)s\n", where="x") == {"a%(b)s": None}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"no section\n", "not a treeinfo"),
        (b"[a]\nno delimiter\n", "not a treeinfo"),
        (b"[checksums]\nx = sha256:1\nx = sha256:2\n", "not a treeinfo"),
        (b"[a]\n[a]\n", "not a treeinfo"),
        (b"[a]\nx = \xff\n", "not a treeinfo"),
        (b"[checksums]\nx = 12345\n", "expected type:checksum, got '12345'"),
        (b"[a]\nx" + b" " * 2000 + b"x\n", "a line is longer"),
    ],
)
def test_what_is_no_treeinfo_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(FormatError, match=reason) as caught:
        files_named(data, where=".treeinfo")

    assert caught.value.where == ".treeinfo"
    assert caught.value.message.isprintable()


def test_repositories_of_variants_are_those_below_the_tree() -> None:
    paths = ("AppStream", "./", "", ".", "AppStream/", "../../other/os", "/abs/", "a//b")
    text = "".join(f"[variant-{number}]\nrepository = {path}\n" for number, path in enumerate(paths))

    assert repositories_within(f"[a]\n{text}".encode(), where="x") == ["AppStream", "abs"]
