"""Where the status is shown, as users say it."""

from __future__ import annotations

from attrs import field, frozen, validators


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
