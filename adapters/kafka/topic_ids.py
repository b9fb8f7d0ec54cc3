"""Tells a topic from a later one of the same name."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import wait

from attrs import define, field
from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from adapters.kafka.brokers import Brokers
from adapters.kafka.client import PATIENCE, PAUSE
from adapters.kafka.options import make, producer_options
from adapters.kafka.settings import KafkaSettings
from domain.errors import StreamUnreadable

USUAL = 0.1
"""Seconds after which it is asked whether the question can be answered at all."""


@define
class TopicIds:
    """
    The identities of topics, which no later topic has, as they were first seen.

    A topic that is deleted and made again while it is read is read on by librdkafka,
    offset by offset.

    Attributes:
        settings: Whom to ask.
    """

    settings: KafkaSettings
    _known: dict[str, str] = field(factory=dict, init=False)
    _brokers: Brokers = field(init=False)
    _admin: AdminClient = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._connect()

    def _connect(self) -> None:
        settings = self.settings
        servers, properties = settings.bootstrap_servers, settings.librdkafka
        self._brokers = Brokers(servers, settings.streamfit_broker_deadline)
        options = producer_options(servers, properties)
        options["error_cb"] = self._brokers.on_error
        self._admin = make(AdminClient, options, properties)

    def note(self, topics: Iterable[str]) -> None:
        """Remember the identities that *topics* have now."""
        for topic in dict.fromkeys(topics):
            try:
                self._known[topic] = self._insist(topic)
            except StreamUnreadable:
                self._known.pop(topic, None)  # others say better what is missing

    def known(self, topics: Iterable[str]) -> dict[str, str]:
        """Return the identities of *topics*; those that are not known are asked for."""
        wanted = list(dict.fromkeys(topics))
        self.note(topic for topic in wanted if topic not in self._known)
        return {topic: self._known.get(topic, "") for topic in wanted}

    def require(self, known: dict[str, str]) -> None:
        """
        Compare *known* identities with those of now.

        Raises:
            StreamUnreadable: A topic was deleted, and maybe made again.
        """
        # Over a new connection: that from before the reading may be half-open by now,
        # which only a time-out would tell.
        self._connect()
        for topic, before in known.items():
            if before and self._insist(topic) != before:
                raise StreamUnreadable(f"{topic}: the topic was made again meanwhile")

    def _insist(self, topic: str) -> str:
        while (found := self._ask(topic)) is None:
            self._admin.poll(PAUSE)  # which takes news of the brokers
        return found

    def _ask(self, topic: str) -> str | None:
        """Return None if nobody answered yet, and nothing if nobody ever can."""
        asked = TopicCollection([topic])
        try:
            answers = self._admin.describe_topics(asked, request_timeout=PATIENCE)
            (answer,) = answers.values()
            wait([answer], USUAL)
            if not answer.done():
                cluster = self._admin.list_topics(topic, PATIENCE)
                if cluster.controller_id not in cluster.brokers:
                    return ""  # the embedded cluster has no controller to be asked
            found: object = answer.result().topic_id
        except KafkaException as failure:
            self._brokers.failed(failure.args[0], topic)
            return None
        self._brokers.heard()
        return str(found)
