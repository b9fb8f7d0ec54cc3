"""Apache Kafka: control messages and records, read without a group, written once."""

from adapters.kafka.control_source import KafkaControlSource
from adapters.kafka.embedded import EmbeddedKafka
from adapters.kafka.live_stream import KafkaLiveStream
from adapters.kafka.producer import publish
from adapters.kafka.properties import librdkafka_properties
from adapters.kafka.publisher import KafkaPublisher
from adapters.kafka.rejected_records import KafkaRejectedRecords
from adapters.kafka.schema_registry import SchemaRegistry, SchemaRegistrySettings
from adapters.kafka.settings import KafkaSettings
from adapters.kafka.stream_source import KafkaStreamSource

__all__ = [
    "EmbeddedKafka",
    "KafkaControlSource",
    "KafkaLiveStream",
    "KafkaPublisher",
    "KafkaRejectedRecords",
    "KafkaSettings",
    "KafkaStreamSource",
    "SchemaRegistry",
    "SchemaRegistrySettings",
    "librdkafka_properties",
    "publish",
]
