"""Which adapter stands behind which port: a table, selected by environment."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from adapters.avro import AvroDecoder
from adapters.files import FilesBackend, FilesSettings
from adapters.formats import Formats
from adapters.http import (
    HttpChainRepository,
    HttpChainSettings,
    HttpChainSink,
    HttpModelRepository,
    HttpResultSink,
    HttpSettings,
)
from adapters.json import JsonDecoder
from adapters.kafka import (
    KafkaControlSource,
    KafkaLiveStream,
    KafkaStreamSource,
)
from adapters.labelling import NumpyLabeller
from adapters.memory.backend import MemoryBackend
from adapters.memory.broker import MemoryBroker
from adapters.memory.rejected_records import MemoryRejectedRecords
from adapters.memory.trainer import FakeTrainer
from adapters.plots import confusion_matrix_png, learning_curves_png
from adapters.raw import RawDecoder
from adapters.sampling import SamplingSettings, sampler_for
from adapters.spool import SpoolFor, SpoolSettings
from adapters.state import StateSettings
from adapters.tensorflow import (
    ModelSettings,
    TensorFlowSettings,
    TensorFlowTrainer,
)
from bootstrap import choosing, plugins
from bootstrap.incremental import IncrementalSettings
from bootstrap.injection import containers, providers
from bootstrap.listening import Listeners
from bootstrap.modes import (
    chain_settings,
    fingerprint,
    improvement_rule,
    semi_supervised_order,
    semi_supervised_training,
)
from bootstrap.phase_board import BOARD
from bootstrap.semi_supervised import SemiSupervisedSettings
from bootstrap.settings import Settings, load
from bootstrap.watching import progress, watchers
from domain.chronicle import Chronicle
from domain.split import split_batches, split_records
from domain.train_deployment import TrainDeployment
from domain.train_incrementally import TrainIncrementally
from domain.train_semi_supervised import TrainSemiSupervised
from domain.train_semi_supervised_live import TrainSemiSupervisedLive


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
    kafka_settings = providers.Singleton(choosing.kafka_settings, environ)
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
    live_stream = providers.Selector(
        settings.provided.streamfit_broker,
        kafka=providers.Singleton(KafkaLiveStream, kafka_settings),
        memory=memory_broker,
        **plugins.adapters("live_streams", environ),
    )

    bad_records = settings.provided.streamfit_bad_records
    rejected_records = providers.Selector(
        settings.provided.streamfit_broker,
        kafka=providers.Singleton(
            choosing.dead_letters, kafka_settings, bad_records.topic
        ),
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
    http_chain_settings = providers.Singleton(load, HttpChainSettings, environ)
    model_repository = providers.Selector(
        settings.provided.streamfit_backend,
        http=providers.Selector(
            settings.provided.models,
            single=providers.Singleton(
                HttpModelRepository, http_settings, workdir_path
            ),
            chain=providers.Singleton(
                HttpChainRepository, http_chain_settings, workdir_path
            ),
        ),
        file=files_backend,
        memory=memory_backend,
        **plugins.adapters("model_repositories", environ),
    )
    result_sink = providers.Selector(
        settings.provided.streamfit_backend,
        http=providers.Selector(
            settings.provided.models,
            single=providers.Singleton(
                HttpResultSink,
                http_settings,
                settings.provided.dialect,
                draw,
                settings.provided.conf_mat_config,
            ),
            chain=providers.Singleton(HttpChainSink, http_chain_settings),
        ),
        file=files_backend,
        memory=memory_backend,
        **plugins.adapters("result_sinks", environ),
    )

    # Who hears what happens

    chronicle = providers.Singleton(Chronicle)
    watching = providers.Resource(watchers, environ, chronicle)
    on_event = providers.Singleton(
        Listeners,
        providers.List(
            providers.Object(BOARD),
            chronicle,
            providers.Singleton(progress, settings, chronicle),
            watching,
        ),
    )

    # Engine and formats

    model_settings = providers.Singleton(load, ModelSettings, environ)
    chain_options = providers.Singleton(chain_settings, environ)
    trainer = providers.Selector(
        settings.provided.streamfit_engine,
        tensorflow=providers.Singleton(
            TensorFlowTrainer,
            providers.Singleton(load, TensorFlowSettings, environ),
            workdir_path,
            repeat=settings.provided.repeats_parts,
            model_settings=model_settings,
            chain_settings=chain_options,
            on_event=on_event,
        ),
        fake=providers.Singleton(FakeTrainer, workdir=workdir_path),
        **plugins.adapters("trainers", environ),
    )
    semi_supervised_trainer = providers.Selector(
        settings.provided.streamfit_engine,
        tensorflow=providers.Singleton(
            TensorFlowTrainer,
            providers.Singleton(semi_supervised_training, environ),
            workdir_path,
            repeat=settings.provided.repeats_parts,
            model_settings=model_settings,
            chain_settings=chain_options,
            on_event=on_event,
        ),
        fake=trainer,
        **dict.fromkeys(plugins.adapters("trainers"), trainer),
    )
    schema_registry = providers.Singleton(choosing.registry, environ)
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

    split = providers.Selector(
        settings.provided.dialect.value,
        current=providers.Object(split_records),
        y2020=providers.Singleton(split_batches, settings.provided.batch),
    )
    state_settings = providers.Singleton(load, StateSettings, environ)
    journal = providers.Singleton(choosing.journal, state_settings, workdir_path)
    common: Mapping[str, object] = {
        "deployment_id": settings.provided.deployment_id,
        "control_source": control_source,
        "decoder_for": decoder_for,
        "spool_for": spool_for,
        "model_repository": model_repository,
        "result_sink": result_sink,
        "journal": journal,
        "fingerprint": providers.Callable(fingerprint, environ),
        "bad_records": bad_records.policy,
        "rejected_records": rejected_records,
        "sampler": sampler,
        "on_event": on_event,
    }
    train_deployment = providers.Factory(
        TrainDeployment,
        **common,
        stream_source=stream_source,
        split=split,
        trainer=trainer,
        wants_confusion_matrix=settings.provided.wants_confusion_matrix,
        checkpoint_seconds=state_settings.provided.streamfit_checkpoint_seconds,
    )
    incremental_settings = providers.Singleton(load, IncrementalSettings, environ)
    train_incrementally = providers.Factory(
        TrainIncrementally,
        **common,
        live_stream=live_stream,
        trainer=trainer,
        pace=incremental_settings.provided.pace,
        rule=providers.Callable(improvement_rule, environ),
        checkpoint_seconds=state_settings.provided.streamfit_checkpoint_seconds,
    )
    semi_supervised_settings = providers.Singleton(
        load, SemiSupervisedSettings, environ
    )
    semi_supervised: Mapping[str, object] = {
        "stream_source": stream_source,
        "split": split,
        "trainer": semi_supervised_trainer,
        "labeller": providers.Singleton(
            NumpyLabeller, semi_supervised_settings.provided.confidence
        ),
        "order": providers.Singleton(semi_supervised_order, environ).provided.order,
        "wants_confusion_matrix": settings.provided.wants_confusion_matrix,
        "checkpoint_seconds": state_settings.provided.streamfit_checkpoint_seconds,
    }
    train_semi_supervised = providers.Factory(
        TrainSemiSupervised,
        **common,
        **semi_supervised,
        supervised=train_deployment.provided.serve,
        rounds=semi_supervised_settings.provided.unsupervised_rounds,
    )
    train_semi_supervised_live = providers.Factory(
        TrainSemiSupervisedLive,
        **common,
        **semi_supervised,
        supervised=train_incrementally.provided.serve,
        live_stream=live_stream,
        pace=incremental_settings.provided.pace,
        rule=providers.Callable(improvement_rule, environ),
    )
    job = providers.Selector(
        settings.provided.job,
        deployment=train_deployment,
        incrementally=train_incrementally,
        semi_supervised=train_semi_supervised,
        semi_supervised_live=train_semi_supervised_live,
    )
