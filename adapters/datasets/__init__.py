"""Data sets as people have them, one module for each kind."""

from adapters.datasets.arrays import ArraySource
from adapters.datasets.kinds import open_data
from adapters.datasets.options import DataOptions

__all__ = ["ArraySource", "DataOptions", "open_data"]
