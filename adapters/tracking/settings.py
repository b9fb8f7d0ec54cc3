"""Where runs are tracked, as users say it."""

from __future__ import annotations

from attrs import field, frozen, validators


@frozen
class MlflowSettings:
    """
    Where runs are tracked; what else MLflow's library reads counts as well.

    Attributes:
        mlflow_tracking_uri: The server's address; without one, nothing is tracked.

        mlflow_experiment_name: The experiment, made if it is not there.

        mlflow_experiment_id: The experiment by its number, instead of its name.

        mlflow_run_id: A run that is there already, to track everything in; without one,
            each training has a run of its own.

        streamfit_mlflow_patience: Seconds that the end of the job waits until model and
            report are sent, at most; two after a signal.
    """

    mlflow_tracking_uri: str | None = field(default=None, repr=False)
    mlflow_experiment_name: str = "streamfit"
    mlflow_experiment_id: str | None = None
    mlflow_run_id: str | None = None
    streamfit_mlflow_patience: float = field(default=30.0, validator=validators.gt(0))
