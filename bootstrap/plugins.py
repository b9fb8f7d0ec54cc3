"""Adapters of other distributions, found by entry point."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points

from bootstrap.injection import providers


def adapters(port: str, *arguments: object) -> dict[str, providers.Provider[object]]:
    """
    Return a provider for every plug-in that implements *port*, by its name.

    A plug-in is an entry point in the group ``streamfit.<port>``: a callable that takes
    the environment and returns the adapter.  It is imported when it is selected.

    Args:
        port: The group's last name, for example ``stream_sources``.

        arguments: What the callable is given; providers are resolved.
    """
    return {
        entry.name: providers.Singleton(_call(entry), *arguments)
        for entry in entry_points(group=f"streamfit.{port}")
    }


def decoders() -> dict[str, providers.Provider[object]]:
    """
    Return the formats that plug-ins decode, by their name in ``input_format``.

    Such an entry point is a callable that takes a control message's ``input_config``
    and returns the decoder.
    """
    return {
        entry.name: providers.Object(_call(entry))
        for entry in entry_points(group="streamfit.decoders")
    }


def _call(entry: EntryPoint) -> Callable[..., object]:
    """Put the import of *entry* off until it is called."""

    def call(*arguments: object) -> object:
        adapter: object = entry.load()(*arguments)
        return adapter

    return call
