"""What is otherwise in each of the platform's training modes (contract, section 10)."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import AttrsInstance, evolve, fields

from adapters.sampling import NumpySampler, SamplingSettings
from adapters.tensorflow import ChainSettings, ModelSettings, TensorFlowSettings
from bootstrap.incremental import IncrementalSettings
from bootstrap.semi_supervised import KERAS_BATCH, SemiSupervisedSettings
from bootstrap.settings import CHAIN_CASES, INCREMENTAL_CASES, load
from domain.errors import SettingsInvalid
from domain.improvement import ImprovementRule


def is_chain(environ: Mapping[str, str]) -> bool:
    """Whether the model is a chain; the variables need not have been checked."""
    return _case(environ) in map(str, CHAIN_CASES)


def is_incremental(environ: Mapping[str, str]) -> bool:
    """Whether a stream is trained on as it comes; nothing need have been checked."""
    return _case(environ) in map(str, INCREMENTAL_CASES)


def is_semi_supervised(environ: Mapping[str, str]) -> bool:
    """
    Whether examples without labels count; nothing need have been checked.

    Raises:
        SettingsInvalid: That is not served in this training mode.
    """
    if environ.get("UNSUPERVISED", "").strip().lower() != "true":
        return False
    if not _case(environ):
        raise SettingsInvalid(
            "UNSUPERVISED: without CASE this is the platform of 2020, which knows no "
            "semi-supervised training; set CASE to 1, 2, 3 or 4, or UNSUPERVISED to "
            "False"
        )
    return True


def semi_supervised_training(environ: Mapping[str, str]) -> TensorFlowSettings:
    """Return how to train where examples without labels count."""
    settings = load(TensorFlowSettings, environ)
    return evolve(settings, batch=KERAS_BATCH) if _like_arrays(environ) else settings


def semi_supervised_order(environ: Mapping[str, str]) -> NumpySampler:
    """Return what knows the order to train in where examples without labels count."""
    seed = load(SamplingSettings, environ).streamfit_shuffle
    if seed is None and _like_arrays(environ):
        seed = 0  # Keras shuffles arrays; ours is an order that can be made again
    return NumpySampler(seed, stratified=False)


def _like_arrays(environ: Mapping[str, str]) -> bool:
    settings = load(SemiSupervisedSettings, environ)
    return settings.streamfit_semi_supervised_fit == "arrays"


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
        *((SemiSupervisedSettings,) if is_semi_supervised(environ) else ()),
    )
    names = {f.name.upper() for cls in classes for f in fields(cls)}
    names |= {"CASE", "CONF_MAT_CONFIG", "STREAMFIT_BAD_RECORDS", "STREAMFIT_ENGINE"}
    return repr([(name, environ.get(name, "").strip()) for name in sorted(names)])


def _case(environ: Mapping[str, str]) -> str:
    return environ.get("CASE", "").strip()
