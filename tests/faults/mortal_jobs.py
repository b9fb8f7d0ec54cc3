"""Jobs that die where they are told to, and those that go on from what they left."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from attrs import frozen

from domain.phases import Phase
from tests.end_to_end.process import COMMAND, Job, run, running
from tests.faults import dying_job
from tests.faults.backend_jobs import Announced
from tests.faults.scripted_backend import GET_MODEL, ScriptedBackend, ok, sends

SETTINGS = {
    "STREAMFIT_SEED": "5",
    "STREAMFIT_STEPS_PER_EXECUTION": "3",
    "STREAMFIT_CHECKPOINT_SECONDS": "0",
}
"""Of jobs that keep themselves at every opportunity."""


@frozen
class Place:
    """
    Back-ends and a state folder, in which jobs come and go.

    Attributes:
        backends: Who hand out models and take results: one, or one for each sub-model.

        variables: Those of a job here.
    """

    backends: Sequence[ScriptedBackend]
    variables: Mapping[str, str]

    def die(self, phase: Phase, at: int, number: int) -> Job:
        """Run a job that gets the signal *number* at a phase, to its end."""
        variables = {**self.variables, **dying_job.death(phase, at, number)}
        with running(variables, dying_job.COMMAND) as job:
            job.wait()
        return job

    def live(self) -> Job:
        """Run a job to its end."""
        job = run(self.variables)
        assert 0 == job.process.returncode
        return job

    def die_within(self, seconds: float) -> bool:
        """Kill a job after so many *seconds*, unless it has ended; say whether."""
        process = subprocess.Popen(
            [COMMAND], env=dict(self.variables), stderr=subprocess.DEVNULL
        )
        try:
            assert 0 == process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        else:
            return False
        finally:
            process.kill()
            process.wait()


@contextmanager
def place(
    announced: Announced,
    downloads: Sequence[Sequence[bytes]],
    state: Path,
    variables: Mapping[str, str],
) -> Iterator[Place]:
    """
    Make room for jobs that are trained by TensorFlow.

    Args:
        announced: The stream that they are trained on.

        downloads: The models that each back-end hands out, one after the other; the
            last one again and again.

        state: The folder.

        variables: What else is set.
    """
    with ExitStack() as stack:
        backends = [
            stack.enter_context(ScriptedBackend(_hands_out(models)))
            for models in downloads
        ]
        urls = [backend.url for backend in backends]
        yield Place(
            backends,
            announced.variables(
                urls[0] if len(urls) == 1 else repr(urls),
                "tensorflow",
                **{
                    **SETTINGS,
                    "STREAMFIT_STATE_DIR": str(state),
                    **variables,
                },
            ),
        )


def _hands_out(models: Sequence[bytes]):
    *first, last = [(GET_MODEL, sends(ok(model))) for model in models]
    return [*first, *([last] * 60)]
