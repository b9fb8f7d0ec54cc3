"""Every mistake in the environment, found before anything is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import AttrsInstance

from adapters.files import FilesSettings
from adapters.http import HttpChainSettings, HttpSettings
from adapters.kafka import (
    KafkaSettings,
    SchemaRegistrySettings,
    librdkafka_properties,
)
from adapters.report.settings import ReportSettings
from adapters.sampling import SamplingSettings
from adapters.spool import SpoolSettings
from adapters.state import StateSettings
from adapters.status.settings import PushSettings, StatusSettings
from adapters.tensorflow import ChainSettings, ModelSettings, TensorFlowSettings
from adapters.tensorflow.event_files import TensorBoardSettings
from adapters.traces.settings import TracesSettings
from adapters.tracking.settings import MlflowSettings
from bootstrap.container import Container
from bootstrap.incremental import IncrementalSettings
from bootstrap.modes import (
    improvement_rule,
    is_chain,
    is_incremental,
    is_semi_supervised,
)
from bootstrap.semi_supervised import SemiSupervisedSettings
from bootstrap.settings import Settings, check
from bootstrap.temporary import require_temporary_folder
from domain.errors import SettingsInvalid

SETTINGS: Mapping[str, Mapping[str, tuple[type[AttrsInstance], ...]]] = {
    "STREAMFIT_BROKER": {"kafka": (KafkaSettings,)},
    "STREAMFIT_BACKEND": {"http": (HttpSettings,), "file": (FilesSettings,)},
    "STREAMFIT_ENGINE": {"tensorflow": (TensorFlowSettings, ModelSettings)},
}
"""By variable and by what it selects: the settings that the adapters behind it read."""

CHAIN_SETTINGS: Mapping[str, Mapping[str, tuple[type[AttrsInstance], ...]]] = {
    **SETTINGS,
    "STREAMFIT_BACKEND": {
        **SETTINGS["STREAMFIT_BACKEND"],
        "http": (HttpChainSettings,),
    },
    "STREAMFIT_ENGINE": {
        "tensorflow": (TensorFlowSettings, ModelSettings, ChainSettings)
    },
}
"""The same where the model is a chain of sub-models."""


def check_environment(environ: Mapping[str, str]) -> None:
    """
    Check every variable that the selected adapters are going to read.

    Raises:
        SettingsInvalid: Naming every variable that is missing or malformed.

        Unavailable: There is no room for temporary files.
    """
    faults = _faults(require_temporary_folder, environ)
    table = CHAIN_SETTINGS if is_chain(environ) else SETTINGS
    classes: list[type[AttrsInstance]] = [
        Settings,
        SpoolSettings,
        StateSettings,
        SamplingSettings,
        SchemaRegistrySettings,
        ReportSettings,
        StatusSettings,
        PushSettings,
        TracesSettings,
        MlflowSettings,
        TensorBoardSettings,
    ]
    for variable, default, selector in (
        ("STREAMFIT_BROKER", "kafka", Container.stream_source),
        ("STREAMFIT_BACKEND", "http", Container.result_sink),
        ("STREAMFIT_ENGINE", "tensorflow", Container.trainer),
    ):
        selected = environ.get(variable, "").strip() or default
        classes += table[variable].get(selected, ())
        if selected not in selector.providers:
            known = ", ".join(sorted(selector.providers))
            faults.append(f"{variable}: {selected!r} is none of {known}")
        if selected == "kafka":
            faults += _faults(librdkafka_properties, environ)
    if is_incremental(environ):
        classes.append(IncrementalSettings)
    if refused := _faults(is_semi_supervised, environ):
        faults += refused
    elif is_semi_supervised(environ):
        classes.append(SemiSupervisedSettings)
    faults += _faults(check, environ, *classes)
    if not faults and is_incremental(environ):
        faults += _faults(improvement_rule, environ)
    if faults:
        raise SettingsInvalid("; ".join(faults))


def _faults(check: Callable[..., object], *arguments: object) -> list[str]:
    try:
        check(*arguments)
    except SettingsInvalid as error:
        return [str(error)]
    return []
