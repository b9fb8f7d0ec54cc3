"""What is otherwise in each of the platform's training modes (contract, section 10)."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import AttrsInstance, fields

from adapters.sampling import SamplingSettings
from adapters.tensorflow import ChainSettings, ModelSettings, TensorFlowSettings
from bootstrap.incremental import IncrementalSettings
from bootstrap.settings import CHAIN_CASES, INCREMENTAL_CASES, load
from domain.improvement import ImprovementRule


def is_chain(environ: Mapping[str, str]) -> bool:
    """Whether the model is a chain; the variables need not have been checked."""
    return _case(environ) in map(str, CHAIN_CASES)


def is_incremental(environ: Mapping[str, str]) -> bool:
    """Whether a stream is trained on as it comes; nothing need have been checked."""
    return _case(environ) in map(str, INCREMENTAL_CASES)


def chain_settings(environ: Mapping[str, str]) -> ChainSettings | None:
    """Return how a chain is compiled, if the model is one."""
    return load(ChainSettings, environ) if is_chain(environ) else None


def improvement_rule(environ: Mapping[str, str]) -> ImprovementRule | None:
    """
    Return when a model is better; None if nobody says so, and nobody need.

    Raises:
        SettingsInvalid: It must be known, as the stream never ends.
    """
    settings = load(IncrementalSettings, environ)
    return settings.chain_rule if is_chain(environ) else settings.rule


def fingerprint(environ: Mapping[str, str]) -> str:
    """Tell variables apart on which a result depends."""
    classes: tuple[type[AttrsInstance], ...] = (
        TensorFlowSettings,
        ModelSettings,
        SamplingSettings,
        *((ChainSettings,) if is_chain(environ) else ()),
        *((IncrementalSettings,) if is_incremental(environ) else ()),
    )
    names = {f.name.upper() for cls in classes for f in fields(cls)}
    names |= {"CASE", "CONF_MAT_CONFIG", "STREAMFIT_BAD_RECORDS", "STREAMFIT_ENGINE"}
    return repr([(name, environ.get(name, "").strip()) for name in sorted(names)])


def _case(environ: Mapping[str, str]) -> str:
    return environ.get("CASE", "").strip()
