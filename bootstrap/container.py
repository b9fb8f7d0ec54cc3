"""Which adapter stands behind which port: a table, selected by environment."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from attrs import AttrsInstance, evolve, fields
from dependency_injector import containers, providers

from adapters.avro import AvroDecoder, Registry
from adapters.files import FilesBackend, FilesSettings
from adapters.formats import Formats
from adapters.http import HttpModelRepository, HttpResultSink, HttpSettings
from adapters.json import JsonDecoder
from adapters.kafka import (
    KafkaControlSource,
    KafkaRejectedRecords,
    KafkaSettings,
    KafkaStreamSource,
    SchemaRegistry,
    SchemaRegistrySettings,
    librdkafka_properties,
)
from adapters.memory.backend import MemoryBackend
from adapters.memory.broker import MemoryBroker
from adapters.memory.journal import MemoryJournal
from adapters.memory.rejected_records import MemoryRejectedRecords
from adapters.memory.trainer import FakeTrainer
from adapters.plots import confusion_matrix_png, learning_curves_png
from adapters.raw import RawDecoder
from adapters.sampling import SamplingSettings, sampler_for
from adapters.spool import SpoolFor, SpoolSettings
from adapters.state import FolderJournal, StateSettings
from adapters.tensorflow import ModelSettings, TensorFlowSettings, TensorFlowTrainer
from bootstrap import plugins
from bootstrap.settings import Settings, check, load
from bootstrap.temporary import require_temporary_folder
from domain.errors import SettingsInvalid
from domain.split import split_batches, split_records
from domain.train_deployment import TrainDeployment, log_phase
from ports import Journal


def _kafka_settings(environ: Mapping[str, str]) -> KafkaSettings:
    properties = librdkafka_properties(environ)
    return evolve(load(KafkaSettings, environ), librdkafka=properties)


def _dead_letters(
    settings: KafkaSettings, topic: str | None
) -> KafkaRejectedRecords | None:
    return None if topic is None else KafkaRejectedRecords(settings, topic)


def _registry(environ: Mapping[str, str]) -> Registry | None:
    settings = load(SchemaRegistrySettings, environ)
    return SchemaRegistry(settings) if settings.schema_registry_url else None


def _journal(settings: StateSettings, workdir: Path) -> Journal:
    folder = settings.streamfit_state_dir
    if folder is None:
        return MemoryJournal(workdir, lasting=False)
    return FolderJournal(folder)


def _fingerprint(environ: Mapping[str, str]) -> str:
    """Tell variables apart on which a result depends."""
    classes: tuple[type[AttrsInstance], ...] = (
        TensorFlowSettings,
        ModelSettings,
        SamplingSettings,
    )
    names = {f.name.upper() for cls in classes for f in fields(cls)}
    names |= {"CASE", "CONF_MAT_CONFIG", "STREAMFIT_BAD_RECORDS", "STREAMFIT_ENGINE"}
    return repr([(name, environ.get(name, "").strip()) for name in sorted(names)])


class Container(containers.DeclarativeContainer):
    """
    The wired service; everything but `environ` may be overridden in tests.

    Attributes:
        environ: The environment variables.
    """

    environ: providers.Dependency[Mapping[str, str]] = providers.Dependency()
    settings = providers.Singleton(load, Settings, environ)
    workdir = providers.Resource(tempfile.TemporaryDirectory, prefix="streamfit-")
    workdir_path = providers.Factory(Path, workdir)

    # Broker

    memory_broker = providers.Singleton(MemoryBroker)
    kafka_settings = providers.Singleton(_kafka_settings, environ)
    control_source = providers.Selector(
        settings.provided.streamfit_broker,
        kafka=providers.Singleton(KafkaControlSource, kafka_settings),
        memory=memory_broker,
        **plugins.adapters("control_sources", environ),
    )
    stream_source = providers.Selector(
        settings.provided.streamfit_broker,
        kafka=providers.Singleton(KafkaStreamSource, kafka_settings),
        memory=memory_broker,
        **plugins.adapters("stream_sources", environ),
    )

    bad_records = settings.provided.streamfit_bad_records
    rejected_records = providers.Selector(
        settings.provided.streamfit_broker,
        kafka=providers.Singleton(_dead_letters, kafka_settings, bad_records.topic),
        memory=providers.Singleton(MemoryRejectedRecords),
        **plugins.adapters("rejected_records", environ),
    )

    # Back-end

    memory_backend = providers.Singleton(MemoryBackend, None, workdir_path)
    draw = providers.Object(confusion_matrix_png)
    files_backend = providers.Singleton(
        FilesBackend,
        providers.Singleton(load, FilesSettings, environ),
        draw,
        providers.Object(learning_curves_png),
    )
    http_settings = providers.Singleton(load, HttpSettings, environ)
    model_repository = providers.Selector(
        settings.provided.streamfit_backend,
        http=providers.Singleton(HttpModelRepository, http_settings, workdir_path),
        file=files_backend,
        memory=memory_backend,
        **plugins.adapters("model_repositories", environ),
    )
    result_sink = providers.Selector(
        settings.provided.streamfit_backend,
        http=providers.Singleton(
            HttpResultSink,
            http_settings,
            settings.provided.dialect,
            draw,
            settings.provided.conf_mat_config,
        ),
        file=files_backend,
        memory=memory_backend,
        **plugins.adapters("result_sinks", environ),
    )

    # Engine and formats

    trainer = providers.Selector(
        settings.provided.streamfit_engine,
        tensorflow=providers.Singleton(
            TensorFlowTrainer,
            providers.Singleton(load, TensorFlowSettings, environ),
            workdir_path,
            repeat=settings.provided.repeats_parts,
            model_settings=providers.Singleton(load, ModelSettings, environ),
        ),
        fake=providers.Singleton(FakeTrainer, workdir=workdir_path),
        **plugins.adapters("trainers", environ),
    )
    schema_registry = providers.Singleton(_registry, environ)
    decoder_for = providers.Singleton(
        Formats,
        providers.Dict(
            {
                "RAW": providers.Object(RawDecoder.from_options),
                "AVRO": providers.Factory(
                    partial, AvroDecoder.from_options, registry=schema_registry
                ),
                "JSON": providers.Object(JsonDecoder.from_options),
                **plugins.decoders(),
            }
        ),
    )
    spool_for = providers.Singleton(
        SpoolFor, providers.Singleton(load, SpoolSettings, environ)
    )

    sampler = providers.Singleton(
        sampler_for, providers.Singleton(load, SamplingSettings, environ)
    )

    # The job

    on_phase = providers.Object(log_phase)
    split = providers.Selector(
        settings.provided.dialect.value,
        current=providers.Object(split_records),
        y2020=providers.Singleton(split_batches, settings.provided.batch),
    )
    state_settings = providers.Singleton(load, StateSettings, environ)
    journal = providers.Singleton(_journal, state_settings, workdir_path)
    train_deployment = providers.Factory(
        TrainDeployment,
        deployment_id=settings.provided.deployment_id,
        control_source=control_source,
        stream_source=stream_source,
        decoder_for=decoder_for,
        spool_for=spool_for,
        split=split,
        model_repository=model_repository,
        trainer=trainer,
        result_sink=result_sink,
        journal=journal,
        fingerprint=providers.Callable(_fingerprint, environ),
        bad_records=bad_records.policy,
        rejected_records=rejected_records,
        sampler=sampler,
        wants_confusion_matrix=settings.provided.conf_mat_config,
        checkpoint_seconds=state_settings.provided.streamfit_checkpoint_seconds,
        on_phase=on_phase,
    )


SETTINGS: Mapping[str, Mapping[str, tuple[type[AttrsInstance], ...]]] = {
    "STREAMFIT_BROKER": {"kafka": (KafkaSettings,)},
    "STREAMFIT_BACKEND": {"http": (HttpSettings,), "file": (FilesSettings,)},
    "STREAMFIT_ENGINE": {"tensorflow": (TensorFlowSettings, ModelSettings)},
}
"""By variable and by what it selects: the settings that the adapters behind it read."""


def check_environment(environ: Mapping[str, str]) -> None:
    """
    Check every variable that the selected adapters are going to read.

    Raises:
        SettingsInvalid: Naming every variable that is missing or malformed.

        Unavailable: There is no room for temporary files.
    """
    faults = _faults(require_temporary_folder, environ)
    classes: list[type[AttrsInstance]] = [
        Settings,
        SpoolSettings,
        StateSettings,
        SamplingSettings,
        SchemaRegistrySettings,
    ]
    for variable, default, selector in (
        ("STREAMFIT_BROKER", "kafka", Container.stream_source),
        ("STREAMFIT_BACKEND", "http", Container.result_sink),
        ("STREAMFIT_ENGINE", "tensorflow", Container.trainer),
    ):
        selected = environ.get(variable, "").strip() or default
        classes += SETTINGS[variable].get(selected, ())
        if selected not in selector.providers:
            known = ", ".join(sorted(selector.providers))
            faults.append(f"{variable}: {selected!r} is none of {known}")
        if selected == "kafka":
            faults += _faults(librdkafka_properties, environ)
    faults += _faults(check, environ, *classes)
    if faults:
        raise SettingsInvalid("; ".join(faults))


def _faults(check: Callable[..., object], *arguments: object) -> list[str]:
    try:
        check(*arguments)
    except SettingsInvalid as error:
        return [str(error)]
    return []
