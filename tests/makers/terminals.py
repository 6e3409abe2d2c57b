"""Programs on a pseudo terminal: what they say there, and a keyboard."""

import os
import re
import select
from dataclasses import dataclass

PATIENCE_S = 60.0


@dataclass
class Terminal:
    """A command on a pseudo terminal: what it `said` so far, and a keyboard."""

    pid: int
    fd: int
    said: str = ""
    code: int | None = None

    def until(self, pattern: str) -> str:
        """Read on until this was said after what was matched before; give what was said until then."""
        while not (match := re.search(pattern, self.said, re.DOTALL)):
            assert self._read(), f"ended, and never said {pattern!r}: {self.said}"
        before, self.said = self.said[: match.end()], self.said[match.end() :]
        return before

    def end(self) -> str:
        """Read on until the command ends, keep its exit code, and give what it said last."""
        while self._read():
            pass
        _, status = os.waitpid(self.pid, 0)
        self.code = os.waitstatus_to_exitcode(status)
        return self.said

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self.fd, keys.encode())

    def _read(self) -> bool:
        assert select.select([self.fd], [], [], PATIENCE_S)[0], f"silent for {PATIENCE_S} s: {self.said}"
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # what Linux answers when the other side is gone
            return False
        self.said += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)
