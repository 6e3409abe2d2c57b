"""What a process of ours may use from now on, and for good."""

import os
import resource
from collections.abc import Mapping


def bound(limits: Mapping[int, int]) -> None:
    """Set limits of `resource`, each as low as asked for, or lower where it was lower already."""
    for what, value in limits.items():
        hard = resource.getrlimit(what)[1]
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (least, least))


def fall_silent() -> None:
    """Say nothing more on standard error, whatever libraries print there."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
