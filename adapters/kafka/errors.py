"""What librdkafka's errors mean for the job."""
# ruff: noqa: SLF001  codes of librdkafka's own, not the brokers', begin with "_"

from __future__ import annotations

from confluent_kafka import KafkaError

from domain.errors import DeploymentInvalid, ServiceError, StreamUnreadable

CONNECTION = {
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._RESOLVE,
    KafkaError._SSL,
    KafkaError._TIMED_OUT,
    KafkaError._TRANSPORT,
}
ALL_BROKERS_DOWN = KafkaError._ALL_BROKERS_DOWN
PARTITION_EOF = KafkaError._PARTITION_EOF
REFUSED = {
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError._AUTHENTICATION,
}
MISSING = {
    KafkaError.TOPIC_EXCEPTION,
    KafkaError.UNKNOWN_TOPIC_ID,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_PARTITION,
    KafkaError._UNKNOWN_TOPIC,
}
UNREADABLE = {
    KafkaError.INVALID_MSG,
    KafkaError.OFFSET_OUT_OF_RANGE,
    KafkaError.UNSUPPORTED_COMPRESSION_TYPE,
    KafkaError._AUTO_OFFSET_RESET,
    KafkaError._BAD_COMPRESSION,
    KafkaError._BAD_MSG,
    KafkaError._LOG_TRUNCATION,
}


def final(error: KafkaError, place: str) -> ServiceError | None:
    """Return what *error* at *place* is to the job; None if it may pass by itself."""
    if error.code() in REFUSED:
        return DeploymentInvalid(f"{place}: {error.str()}")
    if error.code() in MISSING | UNREADABLE:
        return StreamUnreadable(f"{place}: {error.str()}")
    return None
