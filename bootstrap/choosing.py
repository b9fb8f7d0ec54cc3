"""Adapters whose choice takes more than a line of the container's table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from attrs import evolve

from adapters.avro import Registry
from adapters.kafka import (
    KafkaRejectedRecords,
    KafkaSettings,
    SchemaRegistry,
    SchemaRegistrySettings,
    librdkafka_properties,
)
from adapters.memory.journal import MemoryJournal
from adapters.state import FolderJournal, StateSettings
from bootstrap.settings import load
from ports import Journal


def kafka_settings(environ: Mapping[str, str]) -> KafkaSettings:
    """Return how to reach Kafka, with librdkafka's own properties."""
    properties = librdkafka_properties(environ)
    return evolve(load(KafkaSettings, environ), librdkafka=properties)


def dead_letters(
    settings: KafkaSettings, topic: str | None
) -> KafkaRejectedRecords | None:
    """Return where bad records go; None if they are not kept."""
    return None if topic is None else KafkaRejectedRecords(settings, topic)


def registry(environ: Mapping[str, str]) -> Registry | None:
    """Return where schemas are; None if nobody says so."""
    settings = load(SchemaRegistrySettings, environ)
    return SchemaRegistry(settings) if settings.schema_registry_url else None


def journal(settings: StateSettings, workdir: Path) -> Journal:
    """Return where runs are kept: in a folder, or as long as the process lives."""
    folder = settings.streamfit_state_dir
    if folder is None:
        return MemoryJournal(workdir, lasting=False)
    return FolderJournal(folder)
