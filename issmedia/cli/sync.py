"""sync: the command; what it does is `cli.syncing`."""

import click

from issmedia.base.errors import UsageError
from issmedia.cli.face import Face, command
from issmedia.cli.transport import how_options
from issmedia.content.yum.reader import Parser
from issmedia.model.transport import Transport


@command(None, "sync", "issmedia sync alma9/baseos")
@click.argument("what", nargs=-1, metavar="[PRODUCT[/REPO]]...")
@how_options
@click.option(
    "--schedule",
    metavar="CALENDAR",
    help="Only print what makes it run by itself: daily, weekly, 'Mon..Fri 03:30': a service and a timer for systemd.",
)
@click.option("--cron", is_flag=True, help="With --schedule: print a line for crontab instead.")
def sync_command(face: Face, what: tuple[str, ...], transport: Transport, schedule: str | None, cron: bool) -> int:
    """Bring upstream's state into the depot; nothing named means all repositories.

    Several are synced at once, over --jobs connections in all. One that fails does not stop the others.
    """
    if schedule is not None:
        from issmedia.cli.schedule import answer_schedule

        answer_schedule(face, schedule, what, transport, cron=cron)
        return 0
    if cron:
        raise UsageError("--cron says how, not when", hint="issmedia sync --schedule daily --cron")
    with Parser() as parser:
        from issmedia.cli.syncing import run  # while this loads, so does the parser, in a process of its own

        return run(face, what, transport, parser)
