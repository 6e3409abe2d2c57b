"""issmedia sync --schedule: what it prints, and that it does nothing else."""

import os
import shlex
from pathlib import Path

import pytest

from issmedia.cli.main import cli
from tests.makers.sites import Site


def exec_start(text: str) -> list[str]:
    """Give the command line of a service."""
    (line,) = [line for line in text.splitlines() if line.startswith("ExecStart=")]
    return shlex.split(line.removeprefix("ExecStart="))


def test_it_prints_a_service_and_a_timer_and_how_to_enable_them(hq: Site) -> None:
    text = hq.do("sync", "p/zoo", "--schedule", "weekly").out

    assert exec_start(text)[-4:] == ["--depot", str(hq.root), "sync", "p/zoo"]
    assert "OnCalendar=weekly" in text.splitlines()
    assert "enable --now issmedia-sync.timer" in text.splitlines()[-1 if os.geteuid() == 0 else -2]


def test_it_syncs_nothing_and_installs_nothing(hq: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = hq.state()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    hq.do("sync", "--schedule", "daily")

    assert before == hq.state()
    assert not (tmp_path / "home").exists()


def test_what_was_said_for_this_sync_is_said_each_time(hq: Site) -> None:
    command = exec_start(hq.do("sync", "--jobs", "4", "--limit-rate", "5M", "--schedule", "daily").out)

    assert command[-5:] == ["sync", "--jobs", "4", "--limit-rate", "5000000"]


def test_the_program_it_names_is_there(hq: Site) -> None:
    program = exec_start(hq.do("sync", "--schedule", "daily").out)[0]

    assert Path(program).is_absolute()
    assert os.access(program, os.X_OK)


def test_as_json_the_files_stand_by_their_paths(hq: Site) -> None:
    document = hq.do("sync", "--schedule", "daily", "--json").document

    assert [Path(path).name for path in document["files"]] == ["issmedia-sync.service", "issmedia-sync.timer"]
    assert document["commands"][0].endswith("daemon-reload")


def test_cron_gets_one_line_that_says_only_what_goes_wrong(hq: Site) -> None:
    line = hq.do("sync", "p", "--schedule", "daily", "--cron").out.splitlines()[-1]

    words = shlex.split(line)
    assert words[2:5] == ["*", "*", "*"]
    assert words[-5:] == ["--depot", str(hq.root), "sync", "--quiet", "p"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--cron",), "--cron says how, not when"),
        (("--schedule", "p/zoo"), "p/zoo is no calendar"),
        (("p/nothing", "--schedule", "daily"), "p/nothing"),
    ],
)
def test_what_cannot_be_scheduled_is_refused(hq: Site, arguments: tuple[str, ...], message: str) -> None:
    outcome = hq.call("sync", *arguments)

    assert (outcome.code, message in outcome.err) == (2, True)


def test_the_command_it_prints_is_one_that_parses(hq: Site) -> None:
    command = exec_start(hq.do("sync", "p/zoo", "--tries", "2", "--timeout", "9.5", "--schedule", "daily").out)
    arguments = command[command.index("--depot") :]

    context = cli.make_context("issmedia", arguments)

    assert context.params["depot"] == hq.root


@pytest.mark.parametrize("said", [("--jobs", "0"), ("--proxy", "http://u:geheim@p:3128"), ("--timeout", "1e11")])
def test_what_the_sync_would_refuse_is_not_scheduled(hq: Site, said: tuple[str, str]) -> None:
    outcome = hq.call("sync", *said, "--schedule", "daily")

    assert outcome.code == 2
    assert "geheim" not in outcome.out + outcome.err


def test_proxies_of_the_environment_go_along(hq: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("https_proxy", "http://p:3128"), ("NO_PROXY", "lan,10.0.0.0/8"), ("ftp_proxy", "http://f")):
        monkeypatch.setenv(name, value)

    unit = hq.do("sync", "--schedule", "daily")
    line = hq.do("sync", "--schedule", "daily", "--cron").out.splitlines()[-1]

    assert [one for one in unit.out.splitlines() if one.startswith("Environment=")] == [
        "Environment=NO_PROXY=lan,10.0.0.0/8",
        "Environment=https_proxy=http://p:3128",
    ]
    assert " env NO_PROXY=lan,10.0.0.0/8 https_proxy=http://p:3128 " in line
    assert unit.err == ""


@pytest.mark.parametrize("how", [(), ("--cron",), ("--json",), ("--quiet",)], ids=" ".join)
def test_a_proxy_with_a_password_is_left_out_and_that_is_said(
    hq: Site, monkeypatch: pytest.MonkeyPatch, how: tuple[str, ...]
) -> None:
    monkeypatch.setenv("http_proxy", "http://alice:geheim@p:3128")
    monkeypatch.setenv("https_proxy", "http://q:3128")

    outcome = hq.do("sync", "--schedule", "daily", *how)

    assert not any(word in outcome.out + outcome.err for word in ("alice", "geheim"))
    assert "http_proxy holds a user name or password and is left out" in outcome.err
    assert "--credentials" in outcome.err
    assert ("https_proxy=http://q:3128" in outcome.out) == ("--quiet" not in how)


def test_a_proxy_that_was_named_goes_before_the_environments(hq: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://alice:geheim@p:3128")

    outcome = hq.do("sync", "--proxy", "http://q:3128", "--schedule", "daily")

    assert ("Environment=" in outcome.out, outcome.err) == (False, "")


@pytest.mark.root
def test_an_owner_without_a_name_is_a_number(hq: Site) -> None:
    os.chown(hq.root, 54321, -1)

    assert "User=54321" in hq.do("sync", "--schedule", "daily").out
