"""The real job on real data, with nothing but this package installed."""

from bootstrap.demo.command import add_arguments, run

__all__ = ["add_arguments", "run"]
