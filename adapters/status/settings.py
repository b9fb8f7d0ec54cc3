"""Where the status is shown, and where it is pushed to, as users say it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from attrs import Attribute, field, frozen, validators

_PLAIN = re.compile(r"[^?#\x00- \x7f-\U0010ffff]+")
"""An address without query, fragment, and whatever needs an escape."""


@frozen
class StatusSettings:
    """
    Where the status is shown.

    Attributes:
        streamfit_status_port: The port; 0 for any that is free.  Without one, nothing
            listens.

        streamfit_status_host: The address to listen at.

        streamfit_status_patience: Seconds without a sign of life after which a job that
            reads or trains is called dead.
    """

    streamfit_status_port: int | None = field(
        default=None,
        validator=validators.optional((validators.ge(0), validators.le(65_535))),
    )
    streamfit_status_host: str = field(
        default="127.0.0.1", validator=validators.min_len(1)
    )
    streamfit_status_patience: float = field(default=900.0, validator=validators.gt(0))


def _is_address(_: object, __: Attribute[str | None], url: str | None) -> None:
    """Refuse what is no address, and repeat none of it: there may be a password."""
    if url is None:
        return
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.port != 0
    except ValueError:  # of the port, or of an address in brackets
        usable = False
    if not (usable and parts.hostname and _PLAIN.fullmatch(url)):
        raise ValueError(
            "want http://host:port or https://user:password@host/path, with %-escapes "
            "for what is special in user and password"
        )


@frozen
class PushSettings:
    """
    Where metrics are pushed to.

    Attributes:
        streamfit_pushgateway: Address of a Prometheus Pushgateway that is told how the
            job ended; ``http://user:password@host:port`` where it wants to know who
            asks.  Without one, nothing is pushed.
    """

    streamfit_pushgateway: str | None = field(
        default=None, validator=_is_address, repr=False
    )
