"""The adapters of the job, in the hands of one who only looks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from adapters.label_counts import label_counts
from bootstrap.check.storage import JobStorage
from bootstrap.checking import check_environment
from bootstrap.container import Container
from bootstrap.injection import providers
from bootstrap.settings import INCREMENTAL_CASES, Settings
from domain.checking.deployment import CheckDeployment
from domain.checking.messages import CheckMessages
from domain.checking.model import CheckModel
from domain.checking.request import CheckRequest
from domain.errors import ServiceError, SettingsInvalid, Unavailable
from domain.events import ignore
from ports import ModelReader, Trainer

T = TypeVar("T")

_PATIENCE = (
    "STREAMFIT_BROKER_DEADLINE",
    "STREAMFIT_STREAM_DEADLINE",
    "STREAMFIT_HTTP_CONNECT_TIMEOUT",
    "STREAMFIT_HTTP_READ_TIMEOUT",
    "STREAMFIT_HTTP_TOTAL_TIMEOUT",
    "STREAMFIT_REGISTRY_TIMEOUT",
)
"""Variables in seconds: who looks waits no longer than for a step."""

_ONCE = {"STREAMFIT_HTTP_ATTEMPTS": "1", "STREAMFIT_REGISTRY_RETRIES": "0"}
"""Nothing is tried again."""

_NEXT = re.compile(r"; (?=[A-Z][A-Z0-9_]{2,}\b)")
"""Between two faults, each of which begins with its variable."""


def limited(environ: Mapping[str, str], seconds: float) -> dict[str, str]:
    """Return *environ* with a patience of no more than so many *seconds*."""
    least = {name: _less(environ.get(name, ""), seconds) for name in _PATIENCE}
    return {**environ, **least, **_ONCE}


def check_deployment(
    environ: Mapping[str, str], container: Container, patience: float
) -> CheckDeployment:
    """
    Return what looks at a deployment.

    Args:
        environ: The variables of the job.

        container: The job's adapters, with the patience of `limited`.

        patience: Seconds that reading the first records may take.
    """
    # What a job tells of itself, to files or over the network, nobody is told.
    container.on_event.override(providers.Object(ignore))
    faults = _faults(environ)
    return CheckDeployment(
        faults=faults,
        model=_made(partial(_model, container), faults),
        messages=_made(partial(_messages, container, patience), faults),
        storage=_made(partial(_storage, container), faults),
    )


def _less(text: str, seconds: float) -> str:
    try:
        own = float(text)
    except ValueError:
        return f"{seconds:g}"
    return f"{min(own, seconds):g}"


def _faults(environ: Mapping[str, str]) -> list[ServiceError]:
    """Return what is wrong with the variables, fault by fault."""
    try:
        check_environment(environ)
    except SettingsInvalid as error:
        return [SettingsInvalid(text) for text in _NEXT.split(str(error))]
    except Unavailable as error:
        return [error]
    return []


def _made(make: Callable[[], T], faults: list[ServiceError]) -> T | None:
    """Make something of settings; None if they are wrong, which is among *faults*."""
    try:
        return make()
    except SettingsInvalid as error:
        if not faults:
            faults.append(error)
    except OSError as error:  # there is no folder for temporary files
        if not faults:
            faults.append(Unavailable(str(error)))
    return None


def _model(container: Container) -> CheckModel:
    settings: Settings = container.settings()
    trainer: Trainer = (
        container.semi_supervised_trainer()
        if settings.unsupervised
        else container.trainer()
    )
    return CheckModel(
        place=_backend(container, settings),
        model_repository=container.model_repository(),
        trainer=trainer,
        reader=trainer if isinstance(trainer, ModelReader) else None,
    )


def _messages(container: Container, patience: float) -> CheckMessages:
    settings: Settings = container.settings()
    follows = settings.case in INCREMENTAL_CASES
    return CheckMessages(
        place=_broker(container, settings),
        deployment_id=settings.deployment_id,
        control_source=container.control_source(),
        check_request=CheckRequest(
            stream_source=container.stream_source(),
            live_stream=container.live_stream(),
            decoder_for=container.decoder_for(),
            split=container.split(),
            bad_records=settings.streamfit_bad_records.policy,
            count_labels=label_counts,
            unsupervised=settings.unsupervised,
            pace=container.incremental_settings().pace if follows else None,
            patience=patience,
        ),
    )


def _storage(container: Container) -> JobStorage:
    return JobStorage(container.spool_for().settings, container.state_settings())


def _backend(container: Container, settings: Settings) -> str:
    if settings.streamfit_backend != "http":
        return f"back-end {settings.streamfit_backend!r}"
    if settings.models == "chain":
        each = container.http_chain_settings().each
    else:
        each = (container.http_settings(),)
    return ", ".join(one.place for one in each)


def _broker(container: Container, settings: Settings) -> str:
    if settings.streamfit_broker != "kafka":
        return f"broker {settings.streamfit_broker!r}"
    servers: str = container.kafka_settings().bootstrap_servers
    return servers
