"""What librdkafka's errors mean for the job."""
# ruff: noqa: SLF001  codes of librdkafka's own, not the brokers', begin with "_"

from __future__ import annotations

import re

from confluent_kafka import KafkaError

from domain.errors import DeploymentInvalid, ServiceError, StreamUnreadable

ALL_BROKERS_DOWN = KafkaError._ALL_BROKERS_DOWN
PARTITION_EOF = KafkaError._PARTITION_EOF
AUTHENTICATION = {
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError._AUTHENTICATION,
}
CLOSING = KafkaError._DESTROY
CONNECTION = {
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._RESOLVE,
    KafkaError._SSL,
    KafkaError._TIMED_OUT,
    KafkaError._TRANSPORT,
    *AUTHENTICATION,
}
FORBIDDEN = {
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
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

_UNTRUSTED = re.compile(
    r"certificate verify failed|alert (number 4\d|bad certificate|certificate|"
    r"unknown ca|access denied|handshake failure)"
)
"""TLS refuses one side's certificate, or finds nothing that both sides speak."""

_PASSING = re.compile(r"transport failure|timed out|disconnected|OAUTHBEARER token")
"""The connection broke while it was authenticated, or the issuer of tokens did not
answer: the next attempt may succeed."""

_DENIED = re.compile(r"(?i)OAUTHBEARER token.*(\b40[013]\b|invalid|unauthorized)")
"""The issuer of tokens refuses one, or was asked wrongly."""


def refusal(error: KafkaError) -> str | None:
    """Return why the brokers will never let us in, if *error* says so."""
    text = error.str()
    if error.code() in FORBIDDEN or _DENIED.search(text):
        return text
    if _UNTRUSTED.search(text):
        if "certificate verify failed" in text:
            return f"{text}; or it names another host"
        return text
    if error.code() in AUTHENTICATION and not _PASSING.search(text):
        return text
    return None


def final(error: KafkaError, place: str) -> ServiceError | None:
    """Return what *error* at *place* is to the job; None if it may pass by itself."""
    if reason := refusal(error):
        return DeploymentInvalid(f"{place}: {reason}")
    if error.code() in MISSING | UNREADABLE:
        return StreamUnreadable(f"{place}: {error.str()}")
    return None
