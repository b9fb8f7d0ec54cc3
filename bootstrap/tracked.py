"""Those who keep what happens where people compare trainings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from adapters.tensorflow import TensorFlowSettings
from adapters.tensorflow.event_files import EventFiles, TensorBoardSettings
from adapters.tracking.settings import MlflowSettings
from adapters.tracking.wording import run_name
from bootstrap.settings import load
from domain.errors import SettingsInvalid
from domain.events import Listener

if TYPE_CHECKING:  # most jobs wait, and save the memory
    from adapters.report.document import Document
    from adapters.report.facts import Facts

log = logging.getLogger(__name__)


def tracked(
    environ: Mapping[str, str],
    facts: Callable[[], Facts],
    document: Callable[[], Document],
    shown: ExitStack,
) -> Iterator[Listener]:
    """
    Return who is to hear of everything for TensorBoard and MLflow, if they are wanted.

    Args:
        environ: The environment variables.

        facts: Says what is no part of the job's story.

        document: Makes the report.

        shown: Ends them.
    """
    folder = load(TensorBoardSettings, environ).streamfit_tensorboard_dir
    if folder is not None:
        deployment = facts().deployment
        yield EventFiles(folder, lambda identity: run_name(deployment, identity))
    settings = load(MlflowSettings, environ)
    if settings.mlflow_tracking_uri is None:
        return
    from adapters.tracking import library
    from adapters.tracking.listening import About, tracking

    if not library.is_there():
        reason = "MLflow is not installed: pip install 'streamfit[mlflow]'"
        log.warning("nothing is tracked", extra={"reason": reason})
        return

    def report() -> dict[str, str]:
        from adapters.report.page import html
        from adapters.report.writing import name_of

        made = document()
        name = name_of(made)
        return {f"{name}.json": made.json(), f"{name}.html": html(made)}

    about = About(
        facts().deployment,
        tags(environ, facts()),
        parameters(environ, facts()),
        report,
        facts().hide,
    )
    resumes = bool(environ.get("STREAMFIT_STATE_DIR", "").strip())
    yield shown.enter_context(tracking(settings, about, resumes=resumes))


def tags(environ: Mapping[str, str], facts: Facts) -> dict[str, str]:
    """Return what tells a job from others."""
    told = {
        "mlflow.source.name": "streamfit",
        "mlflow.source.type": "JOB",
        "streamfit.deployment": facts.deployment,
        "streamfit.result": environ.get("RESULT_ID", "").strip(),
        **{f"version.{name}": version for name, version in facts.versions.items()},
        **{f"machine.{name}": value for name, value in facts.machine.items()},
    }
    return {name: text for name, text in told.items() if text}


def parameters(environ: Mapping[str, str], facts: Facts) -> dict[str, str]:
    """Return what a training is made with; the arguments of a fit one by one, too."""
    try:
        fit = load(TensorFlowSettings, environ).kwargs_fit
    except SettingsInvalid:  # of another engine, or of a job that does not even begin
        fit = {}
    return {
        **facts.settings,
        **{f"fit.{name}": str(value) for name, value in fit.items()},
    }
