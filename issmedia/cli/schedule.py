"""`sync --schedule`: what makes it run by itself, to be read and put in its place by hand."""

import os
import pwd
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from issmedia.base.digest import digest_of
from issmedia.base.events import Warned
from issmedia.cli.clock import proxies
from issmedia.cli.face import Face
from issmedia.depot.depot import open_depot
from issmedia.model.schedule import SERVICE, TIMER, crontab_line, service_unit, timer_unit
from issmedia.model.transport import Transport
from issmedia.net.upstream import require_sane
from issmedia.ops.sync_many import sources

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_OPTIONS = {"jobs": "--jobs", "timeout_s": "--timeout", "tries": "--tries", "rate": "--limit-rate", "proxy": "--proxy"}


def answer_schedule(face: Face, calendar: str, what: Sequence[str], transport: Transport, *, cron: bool) -> None:
    """Print a crontab line, or a service with its timer, and which commands enable them.

    Proxies that the environment names go along: what runs by itself has another environment.
    """
    require_sane(transport)
    sources(open_depot(face.root), what)
    command = [*_program(), "--depot", str(face.root), "sync"]
    said = [word for name, option in _OPTIONS.items() for word in _option(option, getattr(transport, name))]
    environment = {} if transport.proxy else _proxies(face)
    if cron:
        spread = int(digest_of(str(face.root).encode())[:8], 16)
        line = crontab_line(calendar, [*command, "--quiet", *said, *what], spread=spread, environment=environment)
        face.answer(
            {"crontab": line}, lambda: f"# crontab -e, as the depot's owner; cron mails what goes wrong\n{line}"
        )
        return
    system = os.geteuid() == 0
    directory = Path("/etc/systemd/system") if system else Path.home() / ".config/systemd/user"
    service = service_unit([*command, *said, *what], user=_owner(face.root), system=system, environment=environment)
    units = {
        str(directory / SERVICE): service,
        str(directory / TIMER): timer_unit(calendar),
    }
    control = "systemctl" if system else "systemctl --user"
    enable = [f"{control} daemon-reload", f"{control} enable --now {TIMER}"]
    enable += [] if system else [f"loginctl enable-linger {_user(os.geteuid())}"]
    face.answer({"files": units, "commands": enable}, lambda: _text(units, enable))


def _proxies(face: Face) -> dict[str, str]:
    """Give the variables of proxies that are set; one with a user name or password stays out, and that is said."""
    found = {name: value for name, value in sorted(proxies().items()) if name.lower() in _PROXIES and value}
    with face.reporting() as report:
        for name in [name for name, value in found.items() if "@" in value]:
            del found[name]
            report(
                Warned(
                    f"{name} holds a user name or password and is left out: others may read what is printed here; "
                    "name the proxy by --proxy URL, and put proxy_username and proxy_password in the file of "
                    "issmedia repo set PRODUCT/REPO --credentials FILE"
                )
            )
    return found


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
