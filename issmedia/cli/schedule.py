"""`sync --schedule`: what makes it run by itself, to be read and put in its place by hand."""

import os
import pwd
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from issmedia.base.digest import digest_of
from issmedia.cli.face import Face
from issmedia.model.schedule import SERVICE, TIMER, crontab_line, service_unit, timer_unit
from issmedia.model.transport import Transport

_OPTIONS = {"jobs": "--jobs", "timeout_s": "--timeout", "tries": "--tries", "rate": "--limit-rate", "proxy": "--proxy"}


def answer_schedule(face: Face, calendar: str, what: Sequence[str], transport: Transport, *, cron: bool) -> None:
    """Print a crontab line, or a service with its timer, and which commands enable them."""
    command = [*_program(), "--depot", str(face.root), "sync"]
    said = [word for name, option in _OPTIONS.items() for word in _option(option, getattr(transport, name))]
    if cron:
        spread = int(digest_of(str(face.root).encode())[:8], 16)
        line = crontab_line(calendar, [*command, "--quiet", *said, *what], spread=spread)
        face.answer(
            {"crontab": line}, lambda: f"# crontab -e, as the depot's owner; cron mails what goes wrong\n{line}"
        )
        return
    system = os.geteuid() == 0
    directory = Path("/etc/systemd/system") if system else Path.home() / ".config/systemd/user"
    units = {
        str(directory / SERVICE): service_unit([*command, *said, *what], user=_owner(face.root), system=system),
        str(directory / TIMER): timer_unit(calendar),
    }
    control = "systemctl" if system else "systemctl --user"
    enable = [f"{control} daemon-reload", f"{control} enable --now {TIMER}"]
    enable += [] if system else [f"loginctl enable-linger {_user(os.geteuid())}"]
    face.answer({"files": units, "commands": enable}, lambda: _text(units, enable))


def _text(units: dict[str, str], enable: Sequence[str]) -> str:
    files = [f"# {path}\n{text}" for path, text in units.items()]
    return "\n".join([*files, "# when both files lie there:", *(f"#   {line}" for line in enable)])


def _program() -> list[str]:
    """Say how this program is started from anywhere."""
    found = shutil.which(sys.argv[0])
    if found and Path(found).name == "issmedia":
        return [str(Path(found).absolute())]
    return [sys.executable, "-c", "from issmedia.cli.main import main; main()"]


def _option(name: str, value: object) -> list[str]:
    return [] if value is None else [name, str(value)]


def _owner(root: Path) -> str | None:
    """Name the depot's owner, where it is not who reads this."""
    owner = root.stat().st_uid
    return None if owner == os.geteuid() else _user(owner)


def _user(number: int) -> str:
    """Name a user; by the number where nobody has it."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
