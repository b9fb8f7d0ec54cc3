"""How long brokers have been away, and whether they let us in."""

from __future__ import annotations

import logging
import time

from attrs import define
from confluent_kafka import KafkaError

from adapters.kafka.errors import (
    ALL_BROKERS_DOWN,
    CLOSING,
    CONNECTION,
    final,
    refusal,
)
from domain.errors import DeploymentInvalid, Unavailable

log = logging.getLogger(__name__)


@define
class Brokers:
    """
    Whether the brokers are there, and since when they are not.

    librdkafka reconnects by itself, for ever, whatever it is told; somebody has to look
    at the clock, and to listen.

    Attributes:
        servers: Their addresses, for messages.

        deadline: Seconds that they may be away.
    """

    servers: str
    deadline: float
    _away_since: float | None = None
    _cause: str = ""
    _refusal: str = ""

    @property
    def silent(self) -> bool:
        """Whether something went wrong since they last answered."""
        return self._away_since is not None

    def heard(self) -> None:
        """Note that they answered."""
        if self._away_since is not None:
            log.info("brokers answer again", extra={"servers": self.servers})
        self._away_since, self._cause, self._refusal = None, "", ""

    def on_error(self, error: KafkaError) -> None:
        """Take librdkafka's news, which it tells while it is polled."""
        if error.code() not in CONNECTION:
            return
        self._refusal = self._refusal or refusal(error) or ""
        if error.code() != ALL_BROKERS_DOWN:
            self._cause = error.str()  # more telling than what a call returns
        self.missed(error)

    def missed(self, error: KafkaError) -> None:
        """Note that they did not answer, and why."""
        self._cause = self._cause or error.str()
        if self._away_since is None:
            self._away_since = time.monotonic()
            extra = {"servers": self.servers, "reason": error.str()}
            hung_up = error.code() == CLOSING  # it is we who close the client
            level = logging.DEBUG if hung_up else logging.WARNING
            log.log(level, "brokers do not answer", extra=extra)

    def failed(self, error: KafkaError, place: str) -> None:
        """
        Take the failure of a question about *place*; return if it may be asked again.

        Raises:
            Unavailable: They have been away for too long.

            StreamUnreadable: There is no such place.

            DeploymentInvalid: They do not let us in.
        """
        reason = final(error, place)
        if reason is not None:
            raise reason
        self.missed(error)
        self.require()

    def require(self) -> None:
        """
        Look at the clock.

        Raises:
            Unavailable: They have been away for too long.

            DeploymentInvalid: They do not let us in.
        """
        if self._refusal:
            raise DeploymentInvalid(f"{self.servers}: {self._refusal}")
        if self._away_since is None:
            return
        away = time.monotonic() - self._away_since
        if away > self.deadline:
            raise Unavailable(
                f"{self.servers}: away for {away:.0f} seconds: {self._cause}"
            )
