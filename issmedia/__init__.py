"""issmedia: signed bundles that carry yum repositories across an air gap."""

__version__ = "0.1.0"
