"""Jobs on a machine that runs out of room, or lets them write hardly anywhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.end_to_end.process import Job, run, running
from tests.faults.backend_jobs import EPOCHS
from tests.faults.halting_engine import SAVED, epoch
from tests.faults.machine import (
    Halts,
    confined,
    fill_disk,
    kill,
    make_room,
    wait_until,
)
from tests.faults.scripted_backend import (
    GET_MODEL,
    POST_RESULT,
    Exchange,
    ScriptedBackend,
    ok,
    sends,
    stalls,
    status,
)

pytestmark = pytest.mark.kafka

EVERY_CHECKPOINT = {"STREAMFIT_CHECKPOINT_SECONDS": "0"}
TINY = b"\x89HDF\r\n\x1a\n" + b"for an engine that takes any file"
"""A model much smaller than the examples."""

HALF = 6_000
"""Bytes of a disk that takes that model, but only half of the features."""

KEPT = "examples are kept"
NOT_KEPT = "examples are not kept: a killed job reads them again"
TRAINED_BEFORE = "trained before: the result is delivered now"


@pytest.fixture
def state(tmp_path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def variables(announced, state):
    """Return the variables of a job with a state folder."""

    def variables(backend, **more: str) -> dict[str, str]:
        folder = {"STREAMFIT_STATE_DIR": str(state)}
        return announced.variables(backend.url, **folder, **more)

    return variables


@pytest.fixture
def halts(tmp_path):
    """Return a function that makes the engine halt."""
    return lambda engine: Halts(tmp_path / "halts", engine)


class TestFull:
    """The disk is full from some moment on."""

    def test_from_the_beginning(self, variables, undisturbed):
        """Where not even temporary files have room, there is nothing to wait for."""
        with ScriptedBackend() as backend:
            with confined(variables(backend), largest_file=0) as job:
                code = job.wait()
            again = run(variables(backend))

        assert 75 == code
        assert re.fullmatch(
            r"TMPDIR: want a folder that takes temporary files, \S+: File too large",
            reason(job),
        )
        assert [] == job.logged("waiting for a control message")
        assert 0 == again.process.returncode
        assert [undisturbed("fake")] == backend.accepted

    def test_when_the_message_comes(self, unannounced, state, undisturbed):
        """A run that cannot even begin ends before it has read anything."""
        folder = {"STREAMFIT_STATE_DIR": str(state)}
        with ScriptedBackend() as backend:
            with running(unannounced.variables(backend.url, **folder)) as job:
                job.wait_for("waiting for a control message")
                fill_disk(job)
                unannounced.announce()
                code = job.wait()
            again = run(unannounced.variables(backend.url, **folder))

        assert 75 == code
        assert re.fullmatch(
            rf"{state}/v1-\w+: File too large, \d+ bytes free", reason(job)
        )
        assert [] == job.logged(KEPT)
        assert 0 == again.process.returncode
        assert [undisturbed("fake")] == backend.accepted

    @pytest.mark.parametrize("killed", [False, True])
    def test_while_reading(self, unannounced, state, halts, undisturbed, killed):
        """Examples go elsewhere, with a warning; a killed job reads them again."""
        halts, folder = halts("fake"), {"STREAMFIT_STATE_DIR": str(state)}
        with ScriptedBackend(2 * [(GET_MODEL, sends(ok(TINY)))]) as backend:
            environ = unannounced.variables(backend.url, **folder)
            with running(environ | halts.variables(epoch(2))) as job:
                job.wait_for("waiting for a control message")
                fill_disk(job, HALF)
                unannounced.announce()
                halts.wait_for(job, epoch(2))
                if killed:
                    kill(job)
                    again = run(environ | halts.variables())
                    assert again.logged(KEPT)  # not those of the first job
                    assert 2 == len(again.logged("epoch ended"))
                else:
                    halts.go_on(epoch(2))
                    assert 0 == job.wait()

        (line,) = job.logged(NOT_KEPT)
        assert re.fullmatch(rf"{state}/v1-\w+/spool", line["path"])
        assert 200 * 65 == line["needed_bytes"]
        assert 0 < line["free_bytes"]
        (accepted,) = backend.accepted
        assert undisturbed("fake").report == accepted.report
        assert accepted.model.startswith(TINY)

    def test_at_a_checkpoint(self, variables, halts, undisturbed):
        """Training goes on without; there are checkpoints again once there is room."""
        halts = halts("fake")
        moments = halts.variables(epoch(1), epoch(2))
        with (
            ScriptedBackend() as backend,
            running(variables(backend, **moments)) as job,
        ):
            halts.wait_for(job, epoch(1))
            fill_disk(job)
            halts.go_on(epoch(1))
            halts.wait_for(job, epoch(2))
            missed = job.wait_for("checkpoint not kept")
            make_room(job)
            halts.go_on(epoch(2))
            code = job.wait()

        assert "File too large" in missed["reason"]
        assert {1} == {line["epochs"] for line in job.logged("checkpoint not kept")}
        assert 0 == code
        assert [undisturbed("fake")] == backend.accepted

    @pytest.mark.parametrize("engine", ["fake", "tensorflow"])
    def test_killed_at_a_checkpoint(self, variables, halts, undisturbed, engine):
        """A killed job goes on from the last one for which there was room."""
        halts = halts(engine)
        moments = halts.variables(epoch(2), epoch(3))
        with ScriptedBackend() as backend:
            environ = variables(backend, **EVERY_CHECKPOINT, **moments)
            with running(environ) as job:
                halts.wait_for(job, epoch(2))
                fill_disk(job)
                halts.go_on(epoch(2))
                halts.wait_for(job, epoch(3))
                kill(job)
            again = run(variables(backend, **halts.variables()))

        assert job.logged("checkpoint not kept")
        assert 0 == again.process.returncode
        epochs = {"fake": 3, "tensorflow": EPOCHS}[engine]
        assert epochs - 1 == len(again.logged("epoch ended"))
        assert [undisturbed(engine)] == backend.accepted

    @pytest.mark.parametrize("killed", [False, True])
    def test_with_the_result(self, variables, halts, undisturbed, killed):
        """A result that cannot be made safe is delivered; else it is made anew."""
        halts = halts("fake")
        acts = [(POST_RESULT, stalls(b""))] if killed else []
        with (
            ScriptedBackend(acts) as backend,
            running(variables(backend, **halts.variables(SAVED))) as job,
        ):
            halts.wait_for(job, SAVED)
            fill_disk(job)
            halts.go_on(SAVED)
            if killed:
                wait_until(lambda: backend.asked[POST_RESULT])
                kill(job)
                again = run(variables(backend, **halts.variables()))
            else:
                assert 0 == job.wait()

        (line,) = job.logged("result is not safe")
        assert "File too large" in line["reason"]
        if killed:
            assert [] == again.logged("epoch ended")  # all of them were kept
            assert again.logged("result is safe")
        else:
            assert job.logged("delivery not noted")
        assert [undisturbed("fake")] == backend.accepted

    @pytest.mark.parametrize("engine", ["fake", "tensorflow"])
    def test_for_the_trained_model(self, variables, halts, undisturbed, engine):
        """A model that cannot even be written ends the job, and costs nothing else."""
        halts = halts(engine)
        last = epoch({"fake": 3, "tensorflow": EPOCHS}[engine])
        with ScriptedBackend() as backend:
            with running(variables(backend, **halts.variables(last))) as job:
                halts.wait_for(job, last)
                fill_disk(job)
                halts.go_on(last)
                code = job.wait()
            again = run(variables(backend, **halts.variables()))

        assert 75 == code
        assert re.fullmatch(r"\S+/streamfit-\S+: .*File too large.*", reason(job))
        assert 0 == again.process.returncode
        assert [undisturbed(engine)] == backend.accepted

    def test_when_delivered(self, variables, undisturbed):
        """A delivery that cannot be noted is made once more, without a training."""

        def accept(exchange: Exchange) -> None:
            exchange.store()
            fill_disk(job)
            exchange.send(status(200))

        with ScriptedBackend([(POST_RESULT, accept)]) as backend:
            with running(variables(backend)) as job:
                code = job.wait()
            second, third = run(variables(backend)), run(variables(backend))

        assert [0, 0, 0] == [code, second.process.returncode, third.process.returncode]
        (line,) = job.logged("delivery not noted")
        assert "File too large" in line["reason"]
        assert second.logged(TRAINED_BEFORE)
        assert third.logged("result was delivered before")
        assert 2 * [undisturbed("fake")] == backend.accepted


class TestUnusable:
    """The state folder takes no files."""

    @pytest.mark.parametrize(
        ("name", "complaint"),
        [
            ("file", "'{}/file' is no folder"),
            ("file/state", "'{0}/file/state' cannot be made: '{0}/file' is no folder"),
            ("sealed", "'{}/sealed' may not be written to"),
            ("sealed/a/b", "'{0}/sealed/a/b' cannot be made: '{0}/sealed' may not be"),
            ("dangling", "'{}/dangling' leads nowhere"),
            ("x" * 300, "'{}/" + "x" * 300 + "': File name too long"),
        ],
    )
    def test_from_the_beginning(self, announced, tmp_path, name, complaint):
        """It is said before the model is downloaded, and before the wait."""
        (tmp_path / "file").write_text("in the way")
        (tmp_path / "sealed").mkdir(mode=0o555)
        (tmp_path / "dangling").symlink_to("nowhere")
        folder = {"STREAMFIT_STATE_DIR": str(tmp_path / name)}
        with (
            ScriptedBackend() as backend,
            confined(announced.variables(backend.url, **folder)) as job,
        ):
            code = job.wait()

        assert 78 == code
        expected = f"STREAMFIT_STATE_DIR: {complaint.format(tmp_path)}"
        assert reason(job).startswith(expected)
        assert 0 == backend.asked[GET_MODEL]

    def test_when_the_message_comes(self, unannounced, state):
        """If that happens during the wait, it is said then."""
        folder = {"STREAMFIT_STATE_DIR": str(state)}
        state.mkdir()
        with (
            ScriptedBackend() as backend,
            confined(unannounced.variables(backend.url, **folder)) as job,
        ):
            job.wait_for("waiting for a control message")
            state.chmod(0o555)
            unannounced.announce()
            code = job.wait()

        assert 75 == code
        assert f"STREAMFIT_STATE_DIR: {state}: Permission denied" == reason(job)

    def test_while_training(self, variables, state, halts, undisturbed):
        """Afterwards it is no longer needed: the result is delivered."""
        halts = halts("fake")
        with ScriptedBackend() as backend:
            environ = variables(backend, **halts.variables(epoch(2)))
            with confined(environ) as job:
                halts.wait_for(job, epoch(2))
                (folder,) = state.glob("v1-*")
                folder.chmod(0o555)
                halts.go_on(epoch(2))
                code = job.wait()
            folder.chmod(0o755)
            again = run(variables(backend, **halts.variables()))

        assert [0, 0] == [code, again.process.returncode]
        for event in "checkpoint not kept", "result is not safe", "delivery not noted":
            assert "Permission denied" in job.logged(event)[0]["reason"]
        assert 2 == len(again.logged("epoch ended"))
        assert 2 * [undisturbed("fake")] == backend.accepted

    @pytest.mark.parametrize("engine", ["fake", "tensorflow"])
    def test_nothing_but_that_is_usable(self, announced, tmp_path, undisturbed, engine):
        """With the state folder and TMPDIR, a job has all the room that it needs."""
        elsewhere, temporary = tmp_path / "elsewhere", tmp_path / "temporary"
        elsewhere.mkdir(mode=0o555)
        temporary.mkdir()
        more = {
            "HOME": str(elsewhere),
            "TMPDIR": str(temporary),
            "STREAMFIT_STATE_DIR": str(temporary / "state"),
            "CONF_MAT_CONFIG": "true",  # which is drawn
        }
        with (
            ScriptedBackend() as backend,
            confined(
                announced.variables(backend.url, engine, **more), folder=elsewhere
            ) as job,
        ):
            code = job.wait()

        assert 0 == code, job.lines
        assert [] == job.foreign
        warned = {line["logger"] for line in job.lines if line["level"] == "warning"}
        assert warned <= {"matplotlib"}  # which would keep settings for next time
        (accepted,) = backend.accepted
        assert undisturbed(engine).model == accepted.model


def reason(job: Job) -> str:
    """Return what it says of its end, which is no traceback."""
    (line,) = job.logged("job failed")
    assert "exception" not in line
    return str(line["reason"])
