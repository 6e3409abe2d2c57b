"""keys: signing keys of this site, and the keyring of those it trusts."""

from pathlib import Path

import click

from issmedia.base.errors import UsageError
from issmedia.base.units import count_text
from issmedia.cli import clock
from issmedia.cli.face import Face, command
from issmedia.cli.passphrase import new_passphrase
from issmedia.cli.render import table
from issmedia.depot.depot import open_depot
from issmedia.model.names import shown
from issmedia.ops import signing


@click.group("keys")
def keys_command() -> None:
    """Signing keys, and whom this site trusts."""


@command(keys_command, "generate", "issmedia keys generate release-2026")
@click.argument("name")
@click.option(
    "--type", "kind", type=click.Choice(["ed25519", "ecdsa-p256", "ecdsa-p384"]), default="ed25519", show_default=True
)
@click.option(
    "--passphrase", is_flag=True, help="Ask for a passphrase ($ISSMEDIA_KEY_PASSPHRASE_FILE gives it unasked)."
)
def keys_generate(face: Face, name: str, kind: signing.KeyKind, passphrase: bool) -> None:
    """Make a signing key and print its fingerprint."""
    secret = new_passphrase(passphrase)
    with open_depot(face.root).owned("keys generate", now=face.now) as depot:
        public = signing.generate_key(depot, name, kind, passphrase=secret, now=face.now)
    document = {"name": name, "fingerprint": public.fingerprint, "public": public.line}
    face.answer(document, lambda: f"{public.fingerprint}\n{public.line} {name}")


@command(keys_command, "agent", "issmedia keys agent hsm ~/.ssh/id_ed25519.pub")
@click.argument("name")
@click.argument("key", metavar="FILE|'ssh-ed25519 AAAA…'")
def keys_agent(face: Face, name: str, key: str) -> None:
    """Name a signing key whose private half ssh-agent holds."""
    with open_depot(face.root).owned("keys agent", now=face.now) as depot:
        public = signing.register_agent_key(depot, name, key_line(key), now=face.now)
    face.answer(
        {"name": name, "fingerprint": public.fingerprint}, lambda: f"{public.fingerprint} signs through ssh-agent"
    )


@command(keys_command, "list", "issmedia keys list")
def keys_list(face: Face) -> None:
    """List this site's signing keys and the keys it trusts."""
    depot = open_depot(face.root)
    found = signing.list_keys(depot)
    own = [(one.name, one.held, one.fingerprint) for one in found.own]
    trusted = [(shown(one.name), one.state, one.fingerprint) for one in found.trusted]
    parts = [table(("SIGNING KEY", "HELD", "FINGERPRINT"), own), table(("TRUSTED", "STATE", "FINGERPRINT"), trusted)]
    face.answer(found, lambda: "\n\n".join(parts) + f"\n\nthreshold: {found.threshold}")


@command(keys_command, "show", "issmedia keys show release-2026 --public > release-2026.pub")
@click.argument("name")
@click.option("--public", "public_only", is_flag=True, help="Print the OpenSSH public key line alone.")
def keys_show(face: Face, name: str, public_only: bool) -> None:
    """Show a signing key's public half and fingerprint."""
    key = signing.own_key(open_depot(face.root), name)
    text = f"{key.public} {key.name}" if public_only else f"{key.name}: {key.held}\n{key.fingerprint}\n{key.public}"
    face.answer(key, lambda: text)


@command(keys_command, "trust", "issmedia keys trust hq ./release-2026.pub --valid-before 2027-12-31")
@click.argument("name")
@click.argument("key", metavar="FILE|'ssh-ed25519 AAAA…'")
@click.option("--valid-after", metavar="WHEN", help="Its signatures count from this moment.")
@click.option("--valid-before", metavar="WHEN", help="Its signatures count until this moment.")
def keys_trust(face: Face, name: str, key: str, valid_after: str | None, valid_before: str | None) -> None:
    """Trust a public key; compare its fingerprint with the sender by another way than the medium."""
    after, before = clock.moment(valid_after, start=face.now), clock.moment(valid_before, start=face.now)
    with open_depot(face.root).owned("keys trust", now=face.now) as depot:
        public = signing.trust_key(depot, name, key_line(key), valid_after=after, valid_before=before, now=face.now)
    face.answer({"name": name, "fingerprint": public.fingerprint}, lambda: f"trusted: {name} {public.fingerprint}")


@command(keys_command, "revoke", "issmedia keys revoke release-2024")
@click.argument("name", metavar="NAME|FINGERPRINT|'ssh-ed25519 AAAA…'")
def keys_revoke(face: Face, name: str) -> None:
    """Trust a key no more, nor when somebody trusts it again; one that was never trusted here, never."""
    with open_depot(face.root).owned("keys revoke", now=face.now) as depot:
        signing.revoke_key(depot, name, now=face.now)
    face.answer({"revoked": name}, lambda: f"revoked: {name}")


@command(keys_command, "threshold", "issmedia keys threshold 2")
@click.argument("number", type=int)
def keys_threshold(face: Face, number: int) -> None:
    """Say how many distinct trusted keys must have signed a bundle."""
    with open_depot(face.root).owned("keys threshold", now=face.now) as depot:
        signing.set_threshold(depot, number, now=face.now)
    face.answer({"threshold": number}, lambda: f"a bundle needs {count_text(number, 'signature')}")


def key_line(key: str) -> str:
    """Read a public key given as a line or as the name of a file that holds one."""
    if key.startswith(("ssh-", "ecdsa-", "sk-")):
        return key
    path = Path(key)
    if not path.is_file() or path.stat().st_size > 16 << 10:
        raise UsageError(
            f"{shown(key)} is neither a public key line nor a small file with one",
            hint="name the file, or quote the line as issmedia keys show NAME --public prints it: 'ssh-ed25519 AAAA…'",
        )
    return path.read_text(encoding="utf-8", errors="replace").strip()
