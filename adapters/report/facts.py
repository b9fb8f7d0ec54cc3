"""What a report says of the job that is no part of its story."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from attrs import field, frozen

from adapters.report.masking import hidden, masked, secrets

PLATFORM = (
    "BOOTSTRAP_SERVERS",
    "RESULT_URL",
    "RESULT_ID",
    "CONTROL_TOPIC",
    "DEPLOYMENT_ID",
    "BATCH",
    "KWARGS_FIT",
    "KWARGS_VAL",
    "CASE",
    "CONF_MAT_CONFIG",
    "OPTIMIZER",
    "LOSS",
    "METRICS",
    "LEARNING_RATE",
    "STREAM_TIMEOUT",
    "MONITORING_METRIC",
    "CHANGE",
    "IMPROVEMENT",
    "UNSUPERVISED",
    "UNSUPERVISED_ROUNDS",
    "CONFIDENCE",
)
"""The platform's variables, in its own order."""

OURS = (
    "STREAMFIT_",
    "LIBRDKAFKA_",
    "SCHEMA_REGISTRY_",
    "MLFLOW_",
    "OTEL_",
    "TRACE",
)
"""How the others begin that the job reads."""

_PACKAGES = (
    "streamfit",
    "tensorflow",
    "keras",
    "tf_keras",
    "numpy",
    "h5py",
    "fastavro",
    "confluent-kafka",
)


@frozen
class Facts:
    """
    What a report says of the job that is no part of its story.

    Attributes:
        deployment: The deployment's number.

        settings: The variables that are set, secrets masked.

        versions: Of what had a part in the result.

        machine: What it ran on.

        secrets: What must not be seen anywhere.
    """

    deployment: str
    settings: Mapping[str, str]
    versions: Mapping[str, str]
    machine: Mapping[str, str]
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def hide(self, text: str) -> str:
        """Return *text* without secrets."""
        return hidden(text, self.secrets)


def facts_of(environ: Mapping[str, str], **versions: str) -> Facts:
    """
    Collect what there is to say, without importing any of what it is about.

    Args:
        environ: The environment variables.

        versions: Of libraries that are no packages.
    """
    ours = sorted(name for name in environ if name.startswith(OURS))
    known = secrets(environ)
    return Facts(
        deployment=environ.get("DEPLOYMENT_ID", "").strip(),
        settings={
            name: hidden(masked(name, value), known)
            for name in (*PLATFORM, *ours)
            if (value := environ.get(name, "").strip())
        },
        versions={
            "python": platform.python_version(),
            **{name: found for name in _PACKAGES if (found := _version(name))},
            **versions,
        },
        machine={
            "platform": platform.platform(),
            "processors": str(len(os.sched_getaffinity(0))),
        },
        secrets=known,
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
