"""A job whose run a real MLflow server keeps."""

from __future__ import annotations

import json
import signal
import time

import pytest

from tests.end_to_end.platform import ChainBackend, SubModel, message, raw
from tests.end_to_end.process import run, running
from tests.end_to_end.test_current import RAW_DIGITS, digits
from tests.models import chain_files
from tests.oracles.mlflow_server import mlflow_server
from tests.scripted_server import ScriptedServer, closed_port

pytestmark = [pytest.mark.kafka, pytest.mark.oracle]

CHAIN = {
    "CASE": "3",
    "OPTIMIZER": "adam",
    "LEARNING_RATE": "0.250000",
    "LOSS": "sparse_categorical_crossentropy",
    "METRICS": "sparse_categorical_accuracy",
}
CANARY = "c4n4ry-in-a-c0al-mine"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as server:
        yield server


@pytest.fixture
def tracked(variables, backend, server, request, tmp_path):
    """The variables of a job that is tracked, in an experiment of its own."""
    return {
        **variables,
        "RESULT_URL": backend.url,
        "MLFLOW_TRACKING_URI": server.url,
        "MLFLOW_EXPERIMENT_NAME": request.node.name,
        "STREAMFIT_TERMINATION_LOG": str(tmp_path / "termination"),
    }


def told(sender, count=150):
    """Send and announce a stream; returns its range."""
    ranges = sender.send(raw(*digits(count)))
    sender.announce(message(ranges, count, input_config=RAW_DIGITS))
    return ranges


def untracked(job):
    """Return why not everything is tracked; it is said once."""
    (line,) = job.logged("not everything is tracked")
    return line["reason"]


def test_whole_job(backend, sender, tracked, server):
    """What the back-end got, the server has as well: numbers, and the very model."""
    ranges = told(sender)

    job = run(tracked)

    assert 0 == job.process.returncode
    (result,) = backend.results
    kept = server.run(tracked["MLFLOW_EXPERIMENT_NAME"])
    assert "FINISHED" == kept.status
    for part, prefix in (("train_metrics", ""), ("val_metrics", "val_")):
        assert {"loss", "accuracy"} == result[part].keys()
        for name, values in result[part].items():
            wanted = [(n, pytest.approx(v)) for n, v in enumerate(values, 1)]
            assert wanted == kept.history(f"{prefix}{name}")
    for name, (value,) in result["test_metrics"].items():
        assert [(3, pytest.approx(value))] == kept.history(f"test_{name}")
    files = kept.files
    assert backend.trained == files["model/trained_model.h5"]
    (name,) = [n for n in files if n.startswith("report/") and n.endswith(".json")]
    report = json.loads(files[name])
    assert "delivered" == report["run"]["state"]
    assert b"</html>" in files[name.replace(".json", ".html")]
    assert ("16", "3", "RAW") == tuple(
        kept.parameters[name] for name in ("BATCH", "fit.epochs", "input_format")
    )
    assert ("7", "3", ranges, "0") == tuple(
        kept.tags[f"streamfit.{name}"]
        for name in ("deployment", "result", "ranges", "exit_code")
    )
    assert report["run"]["identity"] == kept.tags["streamfit.identity"]
    assert [] == [line for line in job.lines if line["level"] in {"warning", "error"}]


def test_stopped_and_gone_on(backend, sender, tracked, server, tmp_path):
    """SIGTERM ends the run as killed; the next process goes on in it."""
    told(sender)
    tracked |= {
        "KWARGS_FIT": '{"epochs": 200}',
        "STREAMFIT_STATE_DIR": str(tmp_path / "state"),
    }
    name = tracked["MLFLOW_EXPERIMENT_NAME"]
    with running(tracked) as job:
        job.wait_for("epoch ended")
        _until(lambda: _history(server, name))
        job.process.send_signal(signal.SIGTERM)
        assert 143 == job.wait()
    killed = server.run(name)
    before = len(killed.history("loss"))
    assert ("KILLED", "143") == (killed.status, killed.tags["streamfit.exit_code"])
    assert 0 < before < 200

    job = run(tracked)

    assert 0 == job.process.returncode
    kept = server.run(name)
    assert (killed.id, "FINISHED") == (kept.id, kept.status)
    (result,) = backend.results
    assert [
        (n, pytest.approx(v)) for n, v in enumerate(result["train_metrics"]["loss"], 1)
    ] == kept.history("loss")
    assert backend.trained == kept.files["model/trained_model.h5"]


def test_chain(httpserver, sender, tracked, server):
    """Of a chain, each sub-model's file as its own result got it."""
    models = [path.read_bytes() for path in chain_files(2)]
    parts = [SubModel(number, [model]) for number, model in enumerate(models, 8)]
    backend = ChainBackend(httpserver, parts)
    told(sender)

    job = run({**tracked, **CHAIN, **backend.variables})

    assert 0 == job.process.returncode
    kept = server.run(tracked["MLFLOW_EXPERIMENT_NAME"])
    files = {k: v for k, v in kept.files.items() if k.startswith("model/")}
    assert {
        f"model/trained_model_{number}.h5": sub.trained
        for number, sub in enumerate(parts, 1)
    } == files
    assert "adam" == kept.parameters["OPTIMIZER"]
    losses = parts[0].results[0]["train_metrics"]["loss"]
    wanted = [(n, pytest.approx(v)) for n, v in enumerate(losses, 1)]
    assert wanted in [kept.history(name) for name in kept.metrics]


def _history(server, name):
    """Return what is known of the loss, as long as there may be nothing yet."""
    found = server.tell("experiments/search", max_results=1000).get("experiments", [])
    if name not in {each["name"] for each in found}:
        return []
    runs = server.runs(name)
    return runs[0].history("loss") if runs else []


def _until(holds, timeout=120):
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_failed(backend, sender, tracked, server):
    """A result that is refused fails the run, too; there is no model then."""
    told(sender, 40)
    backend.server.expect_oneshot_request(
        "/results/3", method="POST"
    ).respond_with_data("no", status=400)

    job = run({**tracked, "STREAMFIT_ENGINE": "fake"})

    assert 78 == job.process.returncode
    kept = server.run(tracked["MLFLOW_EXPERIMENT_NAME"])
    assert ("FAILED", "78") == (kept.status, kept.tags["streamfit.exit_code"])
    assert "refused" in kept.tags["streamfit.reason"]
    assert [1, 2, 3] == [step for step, _ in kept.history("loss")]
    assert {"report"} == {name.split("/")[0] for name in kept.files}


@pytest.mark.parametrize("fault", ["away", "hangs"])
def test_no_server(fault, backend, sender, tracked):
    """A server that is away costs one warning, and the job nothing else."""
    told(sender, 40)
    tracked["STREAMFIT_MLFLOW_PATIENCE"] = "3"

    with closed_port() as away, ScriptedServer(ScriptedServer.hang) as hangs:
        uri = (away if fault == "away" else hangs.url).removesuffix("/results/3")
        job = run({**tracked, "STREAMFIT_ENGINE": "fake", "MLFLOW_TRACKING_URI": uri})

    assert 0 == job.process.returncode
    assert 1 == len(backend.results)
    assert untracked(job)
    assert 1 == len([line for line in job.lines if line["level"] == "warning"])


@pytest.mark.parametrize("signals", [1, 2])
def test_stopped_at_the_end(signals, backend, sender, tracked, tmp_path):
    """A signal while the end is told: it comes sooner; the result stays accepted."""
    told(sender)
    with ScriptedServer(ScriptedServer.hang) as hangs:
        tracked["MLFLOW_TRACKING_URI"] = hangs.url.removesuffix("/results/3")
        tracked["STREAMFIT_MLFLOW_PATIENCE"] = "200"
        with running(tracked) as job:
            job.wait_for("result delivered")
            _until((tmp_path / "termination").exists)
            for _ in range(signals):
                job.process.send_signal(signal.SIGTERM)
                time.sleep(0.5)  # two of a kind that are not taken yet may be one
            code = job.wait(60)

    assert 0 == code
    assert 1 == len(backend.results)
    assert 0 == json.loads((tmp_path / "termination").read_text())["code"]


def test_not_installed(backend, sender, tracked, tmp_path):
    """Without the library, one warning names what to install."""
    told(sender, 40)
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "sitecustomize.py").write_text(
        "import sys\nsys.modules['mlflow'] = None\n"
    )

    job = run(
        {
            **tracked,
            "STREAMFIT_ENGINE": "fake",
            "PYTHONPATH": str(tmp_path / "hidden"),
        }
    )

    assert 0 == job.process.returncode
    assert 1 == len(backend.results)
    (line,) = job.logged("nothing is tracked")
    assert "pip install 'streamfit[mlflow]'" in line["reason"]


@pytest.mark.parametrize("fault", ["none", "away", "refuses"])
def test_canary(fault, sender, tracked, server):
    """Neither the password in the address nor those beside it show anywhere."""
    told(sender, 40)
    refused = b'{"error_code": "PERMISSION_DENIED", "message": "not with %s"}' % (
        CANARY.encode()
    )
    head = b"HTTP/1.1 403 No\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    with (
        closed_port() as away,
        ScriptedServer(
            lambda _, connection: connection.sendall(head % len(refused) + refused)
        ) as refuses,
    ):
        urls = {"none": server.url, "away": away, "refuses": refuses.url}
        uri = urls[fault].removesuffix("/results/3")
        job = run(
            {
                **tracked,
                "STREAMFIT_ENGINE": "fake",
                "STREAMFIT_LOG": "json",
                "STREAMFIT_REPORT_DIR": tracked["STREAMFIT_TERMINATION_LOG"] + "-dir",
                "MLFLOW_TRACKING_URI": uri.replace("//", f"//user:{CANARY}@"),
                "MLFLOW_TRACKING_USERNAME": "user",
                "MLFLOW_TRACKING_PASSWORD": CANARY,
                "MLFLOW_TRACKING_TOKEN": f"{CANARY}-token",
                "MLFLOW_LOGGING_LEVEL": "DEBUG",
            }
        )

    assert 0 == job.process.returncode
    seen = [json.dumps(job.lines), *job.foreign]
    if fault == "none":
        kept = server.run(tracked["MLFLOW_EXPERIMENT_NAME"])
        seen += [repr(kept.data), repr(kept.info), *map(repr, kept.files.values())]
        assert "FINISHED" == kept.status
    else:
        assert untracked(job)
    assert [] == [text for text in seen if CANARY in text]
