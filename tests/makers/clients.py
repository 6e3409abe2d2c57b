"""A host that uses a repository: the real dnf, in a root of its own."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.makers.openpgp import OpenPGPKey
from tests.makers.programs import run, try_run

_MAIN = """[main]
gpgcheck=1
localpkg_gpgcheck=1
reposdir={root}/none
cachedir={root}/cache
logdir={root}/log
persistdir={root}/persist
varsdir={root}/none
{plugins}
metadata_expire=0
install_weak_deps=0
tsflags=nodocs
"""


@dataclass
class DnfClient:
    """A host beneath `root`; needs dnf, rpm and root. Repositories are used with the checks their keys allow.

    `plugins` lets dnf load those of this machine: `dnf reposync` is one.
    """

    root: Path
    repositories: list[str] = field(default_factory=list)
    plugins: bool = False

    def use(self, label: str, url: str, *, key: OpenPGPKey | None = None, metadata_signed: bool = True) -> None:
        """Configure a repository. With a key `gpgcheck=1`, and `repo_gpgcheck=1` where the metadata are signed."""
        checks = "gpgcheck=0\nrepo_gpgcheck=0\n"
        if key:
            path = self.root / f"{label}.asc"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(key.public)
            checks = f"gpgcheck=1\nrepo_gpgcheck={int(metadata_signed)}\ngpgkey=file://{path}\n"
        self.repositories.append(f"[{label}]\nname={label}\nbaseurl={url}\nenabled=1\n{checks}")

    def dnf(self, *arguments: str) -> str:
        """Run dnf, and give its output; the test fails where dnf does."""
        return run(*self._command(arguments))

    def try_dnf(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run dnf, and give what came of it."""
        return try_run(*self._command(arguments))

    def installed(self) -> list[str]:
        """List installed packages as `name-[epoch:]version-release.arch`, sorted, keys left out."""
        output = run(
            "rpm",
            "--root",
            self.root / "host",
            "-qa",
            "--qf",
            "%{NAME}-%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}.%{ARCH}\n",
        )
        return sorted(line for line in output.splitlines() if not line.startswith("gpg-pubkey-"))

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        host = self.root / "host"
        host.mkdir(parents=True, exist_ok=True)
        config = self.root / "dnf.conf"
        plugins = "plugins=1" if self.plugins else f"plugins=0\npluginpath={self.root}/none"
        config.write_text(_MAIN.format(root=self.root, plugins=plugins) + "\n" + "\n".join(self.repositories))
        return [
            "dnf", "-y", "-q", "--config", str(config), "--installroot", str(host), "--releasever", "1",
            "--setopt", "module_platform_id=platform:el9", *arguments,
        ]  # fmt: skip
