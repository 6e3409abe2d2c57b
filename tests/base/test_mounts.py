"""What the system says of a file system and its device."""

import os
import stat
from pathlib import Path

import pytest

from issmedia.base.mounts import Device, cluster_of, device_of, forget_device, kind_at, mount_point
from tests.makers.sticks import ext4_stick, memory_stick


def as_system(root: Path, directory: Path) -> Path:
    """Make what sysfs has for the device below a directory, here a partition of a disk at a USB port; give the port."""
    number = os.stat(directory).st_dev
    port = root / "sys/devices/usb1/1-2"
    disk = port / "1-2:1.0/host0/block/sdb"
    (disk / "sdb1").mkdir(parents=True)
    (port / "idVendor").write_text("0951\n")
    (root / "sys/dev/block").mkdir(parents=True)
    link = root / f"sys/dev/block/{os.major(number)}:{os.minor(number)}"
    link.symlink_to(disk / "sdb1")
    return port


@pytest.mark.root
@pytest.mark.system("mkfs.ext4", "mount")
def test_a_file_system_is_named_and_found(tmp_path: Path) -> None:
    with ext4_stick(tmp_path) as stick, memory_stick(tmp_path, size=1 << 20) as memory:
        (stick.path / "deep/down").mkdir(parents=True)

        found = (kind_at(stick.path), kind_at(memory), mount_point(stick.path / "deep/down"))

    assert found == ("ext4", "tmpfs", stick.path)


@pytest.mark.root
@pytest.mark.system("mkfs.ext4", "mount")
def test_room_is_given_out_in_the_clusters_that_a_device_says_and_elsewhere_in_usual_ones(tmp_path: Path) -> None:
    with ext4_stick(tmp_path) as stick, memory_stick(tmp_path, size=1 << 20) as memory:
        assert (cluster_of(stick.path), cluster_of(memory)) == (1024, 4096)


def test_a_device_that_we_may_not_read_or_that_is_another_is_not_said_to_be_forgotten(tmp_path: Path) -> None:
    system = tmp_path / "root"
    nothing = forget_device(tmp_path, system=system)
    as_system(system, tmp_path)
    absent = forget_device(tmp_path, system=system)
    (system / "dev").mkdir()
    (system / "dev/sdb1").touch()

    another = forget_device(tmp_path, system=system)

    assert (nothing, absent, another) == (False, False, False)


def test_the_serial_of_a_usb_stick_is_that_of_its_port(tmp_path: Path) -> None:
    port = as_system(tmp_path / "root", tmp_path)
    (port / "serial").write_text("1C6F654E4\n")

    assert device_of(tmp_path, system=tmp_path / "root").serial == "1C6F654E4"


def test_a_stick_without_a_serial_has_not_that_of_its_host(tmp_path: Path) -> None:
    port = as_system(tmp_path / "root", tmp_path)
    (port.parent / "serial").write_text("0000:00:14.0\n")

    assert device_of(tmp_path, system=tmp_path / "root").serial is None


def test_a_serial_longer_than_any_is_cut(tmp_path: Path) -> None:
    port = as_system(tmp_path / "root", tmp_path)
    (port / "serial").write_text("x" * 10_000)

    assert device_of(tmp_path, system=tmp_path / "root").serial == "x" * 128


@pytest.mark.root
def test_a_label_is_found_by_the_device_that_its_link_leads_to(tmp_path: Path) -> None:
    links = tmp_path / "root/dev/disk/by-label"
    links.mkdir(parents=True)
    number = os.stat(tmp_path).st_dev
    os.mknod(tmp_path / "other", stat.S_IFBLK | 0o600, os.makedev(1, 15))
    os.mknod(tmp_path / "sdb1", stat.S_IFBLK | 0o600, number)
    (links / "OTHER").symlink_to(tmp_path / "other")
    (links / "FIELD").symlink_to(tmp_path / "sdb1")

    assert device_of(tmp_path, system=tmp_path / "root") == Device(label="FIELD")


def test_where_the_system_says_nothing_nothing_is_known(tmp_path: Path) -> None:
    assert device_of(tmp_path, system=tmp_path / "nowhere") == Device()
