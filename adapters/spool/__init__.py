"""Decoded examples: in memory as long as they fit, else in files; or in a folder."""

from adapters.spool.disk import DiskSpool
from adapters.spool.factory import SpoolFor
from adapters.spool.memory import MemorySpool
from adapters.spool.settings import SpoolSettings

__all__ = ["DiskSpool", "MemorySpool", "SpoolFor", "SpoolSettings"]
