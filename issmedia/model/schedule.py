"""When a sync runs by itself: units for systemd, a line for cron. Nothing is installed: somebody reads it first."""

import re
import shlex
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from issmedia.base.errors import UsageError
from issmedia.model.names import shown

SERVICE = "issmedia-sync.service"
TIMER = "issmedia-sync.timer"

_NO_VARIABLES: Mapping[str, str] = MappingProxyType({})

_WORDS = ("minutely", "hourly", "daily", "weekly", "monthly", "quarterly", "semiannually", "yearly", "annually")
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*"
_PARTS = re.compile(
    rf"(?:{_DAY}(?:(?:,|\.\.){_DAY})*)?"
    r"(?:(?:^| )[0-9*,.~/-]*[0-9*][0-9*,.~/-]*)?"
    r"(?:(?:^| )[0-9*,./]+(?::[0-9*,./]+){1,2})?"
    r"(?: (?:UTC|[A-Z][A-Za-z_]*/[A-Za-z_/]+))?"
)
_CRON = {"hourly": "{m} * * * *", "daily": "{m} {h} * * *", "weekly": "{m} {h} * * 0", "monthly": "{m} {h} 1 * *"}
_FIELDS = re.compile(r"[0-9*,/-]+(?: [0-9*,/-]+){4}")
_PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./-]+")
_HINT = "say --schedule daily, hourly, weekly, or as systemd.time does: 'Mon..Fri 03:30'"


def service_unit(
    command: Sequence[str], *, user: str | None, system: bool, environment: Mapping[str, str] = _NO_VARIABLES
) -> str:
    """Write the service that runs a command once, with these variables; everyone may read it.

    `system` says that it is none of a user's own, who has no network.
    """
    lines = ["[Unit]", "Description=Bring upstream's repositories into the depot of issmedia"]
    lines += ["Wants=network-online.target", "After=network-online.target"] if system else []
    lines += ["", "[Service]", "Type=oneshot"]
    lines += [f"Environment={_quoted(f'{name}={value}')}" for name, value in environment.items()]
    lines += [f"ExecStart={' '.join(map(_for_systemd, command))}"]
    lines += [f"User={user}"] if user else []
    return "\n".join([*lines, "NoNewPrivileges=yes"]) + "\n"


def timer_unit(calendar: str) -> str:
    """Write the timer; a time at which the machine was off is made up for. `UsageError` for what is no calendar."""
    if calendar not in _WORDS and (not calendar or not _PARTS.fullmatch(calendar)):
        raise UsageError(f"{shown(calendar)} is no calendar", hint=_HINT)
    delay = "5min" if calendar in ("minutely", "hourly") else "1h"
    lines = ["[Unit]", "Description=Sync the depot of issmedia", "", "[Timer]", f"OnCalendar={calendar}"]
    lines += [f"RandomizedDelaySec={delay}", "Persistent=true", "", "[Install]", "WantedBy=timers.target"]
    return "\n".join(lines) + "\n"


def crontab_line(
    calendar: str, command: Sequence[str], *, spread: int, environment: Mapping[str, str] = _NO_VARIABLES
) -> str:
    """Write the line for a user's crontab; `spread`, any number, chooses the minute, so that not all run at once.

    The variables are this command's alone: a line of their own would be for all that follow in the crontab.

    `UsageError` for what cron cannot say.
    """
    if calendar in _CRON:
        moment = _CRON[calendar].format(m=spread % 60, h=1 + spread // 60 % 5)
    elif _FIELDS.fullmatch(calendar):
        moment = calendar
    else:
        raise UsageError(
            f"{shown(calendar)} is nothing that cron knows",
            hint="with --cron say --schedule hourly, daily, weekly, monthly, or cron's own: '30 3 * * *'",
        )
    if environment:
        command = ["env", *(f"{name}={value}" for name, value in environment.items()), *command]
    _require_one_line(command)
    return f"{moment} {shlex.join(command)}".replace("%", "\\%")


def _for_systemd(word: str) -> str:
    """Quote a word of a command line, where `$` would be put in for, too."""
    return _quoted(word).replace("$", "$$")


def _quoted(word: str) -> str:
    """Quote a word of a unit: `%` would be put in for."""
    _require_one_line([word])
    if _PLAIN.fullmatch(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _require_one_line(command: Sequence[str]) -> None:
    for word in command:
        if not word.isprintable():
            raise UsageError("cannot be written on one line", where=shown(word), hint="choose a path without it")
