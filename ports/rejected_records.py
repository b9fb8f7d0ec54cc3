"""Where records go that do not decode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from domain.batches import RecordBatch, RejectedRecord


class RejectedRecords(Protocol):
    """A place where somebody may look at bad records later."""

    def divert(self, records: RecordBatch, rejected: Sequence[RejectedRecord]) -> None:
        """
        Keep the *rejected* ones among *records*, with their origin and what is wrong.

        They are safe once it returns.

        Raises:
            Unavailable: The place stayed away.

            DeploymentInvalid: It refuses them.
        """
        ...
