"""issmedia: signed bundles that carry yum repositories across an air gap."""

import gc

__version__ = "0.1.0"

gc.set_threshold(50_000, 20, 20)
"""Python's rounds for cyclic garbage are made rarer before other modules are loaded: some ms of each process."""
