"""Units for systemd and lines for cron: what may stand in them, and what is quoted."""

import subprocess
from pathlib import Path

import pytest

from issmedia.base.errors import UsageError
from issmedia.model.schedule import SERVICE, TIMER, crontab_line, service_unit, timer_unit

COMMAND = ("/usr/bin/issmedia", "--depot", "/srv/depot", "sync", "p/a")
CALENDARS = [
    "daily",
    "weekly",
    "hourly",
    "03:30",
    "Mon..Fri 03:30",
    "Sat,Sun *-*-* 04:00:00",
    "*-*-1 02:00",
    "Mon *-*-* 02:00 UTC",
    "*-*-* 02:00:00 Europe/Berlin",
]


@pytest.mark.parametrize("calendar", CALENDARS)
def test_a_timer_says_when_and_makes_up_for_what_was_missed(calendar: str) -> None:
    lines = timer_unit(calendar).splitlines()

    assert {f"OnCalendar={calendar}", "Persistent=true", "WantedBy=timers.target"} <= set(lines)
    assert any(line.startswith("RandomizedDelaySec=") for line in lines)


@pytest.mark.system("systemd-analyze")
@pytest.mark.parametrize("calendar", CALENDARS)
def test_systemd_knows_each_of_these_calendars(calendar: str) -> None:
    subprocess.run(["systemd-analyze", "calendar", calendar], check=True, capture_output=True)


@pytest.mark.system("systemd-analyze")
@pytest.mark.parametrize("depot", ["/srv/depot", '/srv/100% "my depot" $HOME\\x'])
def test_systemd_takes_the_units(tmp_path: Path, depot: str) -> None:
    command = ("/bin/true", "--depot", depot, "sync")
    variables = {"http_proxy": "http://[::1]:3128", "no_proxy": depot}
    (tmp_path / SERVICE).write_text(service_unit(command, user="root", system=True, environment=variables))
    (tmp_path / TIMER).write_text(timer_unit("daily"))

    units = [str(tmp_path / name) for name in (SERVICE, TIMER)]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True)

    assert (done.returncode, [line for line in done.stderr.splitlines() if "issmedia" in line]) == (0, [])


@pytest.mark.parametrize(
    "calendar",
    ["", "p/zoo", "alma9", "alma9/baseos", "fortnightly", "daily\nExecStart=/x", "03:30\n", "%h", "Mon 3:30;x"],
)
def test_what_is_no_calendar_is_refused(calendar: str) -> None:
    with pytest.raises(UsageError, match="is no calendar"):
        timer_unit(calendar)


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("/srv/depot", "/srv/depot"),
        ("/srv/my depot", '"/srv/my depot"'),
        ("/srv/100%", '"/srv/100%%"'),
        ("/srv/$HOME", '"/srv/$$HOME"'),
        ('/srv/a"b\\c', '"/srv/a\\"b\\\\c"'),
    ],
)
def test_a_word_is_quoted_for_systemd(word: str, written: str) -> None:
    unit = service_unit(["/bin/issmedia", word], user=None, system=False)

    assert f"ExecStart=/bin/issmedia {written}" in unit.splitlines()


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("http://proxy:3128", "http_proxy=http://proxy:3128"),
        ("http://[::1]:3128", '"http_proxy=http://[::1]:3128"'),
        ("http://p/100%$HOME", '"http_proxy=http://p/100%%$HOME"'),
    ],
)
def test_a_variable_is_quoted_for_systemd(value: str, written: str) -> None:
    unit = service_unit(COMMAND, user=None, system=False, environment={"http_proxy": value})

    assert f"Environment={written}" in unit.splitlines()


def test_a_variable_stands_before_the_command_of_cron() -> None:
    line = crontab_line("1 2 * * *", COMMAND, spread=0, environment={"http_proxy": "http://p:1/%", "no_proxy": "a,*"})

    assert line == f"1 2 * * * env http_proxy=http://p:1/\\% 'no_proxy=a,*' {' '.join(COMMAND)}"


@pytest.mark.parametrize("value", ["http://p\nUser=root", "http://p\0"])
def test_a_variable_that_would_begin_a_line_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="cannot be written on one line"):
        service_unit(COMMAND, user=None, system=False, environment={"http_proxy": value})
    with pytest.raises(UsageError, match="cannot be written on one line"):
        crontab_line("daily", COMMAND, spread=0, environment={"http_proxy": value})


def test_a_users_own_service_waits_for_no_network() -> None:
    own, system = (service_unit(COMMAND, user=None, system=kind) for kind in (False, True))

    assert ("network-online" in own, "network-online" in system) == (False, True)


def test_a_service_runs_as_the_depots_owner() -> None:
    assert "User=mirror" in service_unit(COMMAND, user="mirror", system=True).splitlines()


@pytest.mark.parametrize(
    ("calendar", "moment"),
    [
        ("hourly", "40 * * * *"),
        ("daily", "40 2 * * *"),
        ("weekly", "40 2 * * 0"),
        ("monthly", "40 2 1 * *"),
        ("15 4 * * 1-5", "15 4 * * 1-5"),
    ],
)
def test_a_line_for_cron_says_when(calendar: str, moment: str) -> None:
    assert crontab_line(calendar, COMMAND, spread=100) == f"{moment} {' '.join(COMMAND)}"


def test_a_line_for_cron_is_quoted() -> None:
    line = crontab_line("daily", ["/bin/issmedia", "--depot", "/srv/100% mine"], spread=0)

    assert line.endswith(" /bin/issmedia --depot '/srv/100\\% mine'")


@pytest.mark.parametrize("calendar", ["Mon..Fri 03:30", "* * * *", "* * * * * /bin/sh", "@reboot"])
def test_what_cron_does_not_know_is_refused(calendar: str) -> None:
    with pytest.raises(UsageError, match="nothing that cron knows"):
        crontab_line(calendar, COMMAND, spread=0)


def test_a_path_of_two_lines_is_refused() -> None:
    with pytest.raises(UsageError, match="on one line"):
        service_unit(["/bin/issmedia", "/srv/a\nExecStart=/b"], user=None, system=True)
    with pytest.raises(UsageError, match="on one line"):
        crontab_line("daily", ["/srv/a\nb"], spread=0)
