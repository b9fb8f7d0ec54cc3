"""Chains to and from the back-end, on real sockets: one URL for each sub-model."""

from __future__ import annotations

import json
import stat
import threading

import pytest
import stamina
from attrs import evolve
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from adapters.http import HttpChainRepository, HttpChainSettings, HttpChainSink
from domain.errors import DeploymentInvalid, ModelInvalid, Unavailable
from domain.report import ConfusionMatrix, EpochMetrics, TrainingReport
from tests.contracts.model_repository import MODEL
from tests.contracts.result_sink import eventually

EPOCHS = (
    EpochMetrics(
        {"loss": 9.0, "model_1/loss": 0.9, "model_10/loss": 0.7, "model_1/acc": 0.1},
        {"loss": 8.0, "model_1/loss": 0.8, "model_10/loss": 0.6, "model_1/acc": 0.2},
    ),
    EpochMetrics(
        {"loss": 5.0, "model_1/loss": 0.5, "model_10/loss": 0.3, "model_1/acc": 0.3},
        {"loss": 4.0, "model_1/loss": 0.4, "model_10/loss": 0.2, "model_1/acc": 0.4},
    ),
)
REPORT = TrainingReport(
    history=EPOCHS,
    test={"loss": 7.0, "model_1/loss": 0.75, "model_10/loss": 0.5, "model_1/acc": 0.6},
    training_time=30.89081,
    confusion_matrix=ConfusionMatrix((0,), ((1,),)),
)
PROGRESS = (
    {
        "train_metrics": {"loss": [0.9, 0.5], "acc": [0.1, 0.3]},
        "val_metrics": {"loss": [0.8, 0.4], "acc": [0.2, 0.4]},
    },
    {"train_metrics": {"loss": [0.7, 0.3]}, "val_metrics": {"loss": [0.6, 0.2]}},
)
RESULTS = (
    PROGRESS[0]
    | {"test_metrics": {"loss": [0.75], "acc": [0.6]}}
    | {"training_time": 30.8908, "confusion_matrix": None, "indefinite": False},
    PROGRESS[1]
    | {"test_metrics": {"loss": [0.5]}}
    | {"training_time": 30.8908, "confusion_matrix": None, "indefinite": False},
)


@pytest.fixture(autouse=True)
def _at_once():
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


class Backend:
    """Has the results 8 and 9, and answers to those with *statuses* in turn."""

    def __init__(self, server: HTTPServer, *statuses: int):
        self.server = server
        self.statuses = list(statuses)
        self.results: list[tuple[int, dict[str, object], tuple[str, bytes]]] = []
        self.progress: dict[int, list[dict[str, object]]] = {8: [], 9: []}
        self._one = threading.Lock()
        for number in (8, 9):
            self._expect(number)

    @property
    def urls(self) -> str:
        return str([self.server.url_for(f"/results/{number}") for number in (8, 9)])

    def _expect(self, number: int) -> None:
        def on_result(request: Request) -> Response:
            with self._one:
                assert {"trained_model"} == request.files.keys()
                file = request.files["trained_model"]
                data = json.loads(request.form["data"])
                self.results.append((number, data, (file.filename, file.read())))
                return Response("because", self.statuses.pop(0))

        def on_progress(request: Request) -> Response:
            self.progress[number].append(json.loads(request.form["data"]))
            return Response()

        def on_download(_: Request) -> Response:
            return Response(MODEL + str(number).encode())

        for path, method, handler in (
            (f"/results/{number}", "GET", on_download),
            (f"/results/{number}", "POST", on_result),
            (f"/results_metrics/{number}", "POST", on_progress),
        ):
            self.server.expect_request(path, method=method).respond_with_handler(
                handler
            )


@pytest.fixture
def models(tmp_path):
    """What a trainer leaves: the sub-models in a folder, under any ending."""
    folder = tmp_path / "trained"
    folder.mkdir()
    (folder / "trained_model_1.h5").write_bytes(b"first")
    (folder / "trained_model_2.keras").write_bytes(b"second")
    return folder


@pytest.fixture
def sink_to():
    """Return how to make a sink, whose last words stay out of the next test's log."""
    sinks = []

    def make(urls, **changes):
        sinks.append(HttpChainSink(HttpChainSettings(urls, **changes)))
        return sinks[-1]

    yield make
    for sink in sinks:
        for progress in sink._progress:
            progress.stop()


class TestDownload:
    def test_all(self, httpserver, tmp_path):
        """Every sub-model is downloaded once, in the order of the list."""
        backend = Backend(httpserver)

        folder = HttpChainRepository(HttpChainSettings(backend.urls), tmp_path).fetch()

        assert {"1.h5": MODEL + b"8", "2.h5": MODEL + b"9"} == {
            path.name: path.read_bytes() for path in folder.iterdir()
        }
        assert 2 == len(httpserver.log)
        assert 0o700 == stat.S_IMODE(folder.stat().st_mode)

    def test_again(self, httpserver, tmp_path):
        """A later fetch leaves an earlier one's files as they were."""
        backend = Backend(httpserver)
        repository = HttpChainRepository(HttpChainSettings(backend.urls), tmp_path)

        first, second = repository.fetch(), repository.fetch()

        assert first != second
        assert MODEL + b"8" == (first / "1.h5").read_bytes()
        assert not repository.repeats

    @pytest.mark.parametrize(
        ("status", "body", "error", "reason"),
        [
            (200, b"", ModelInvalid, "results/9: an empty answer"),
            (400, b"No such", ModelInvalid, "results/9: no model: status 400"),
            (500, b"", Unavailable, "results/9: status 500"),
        ],
    )
    def test_one_missing(self, httpserver, tmp_path, status, body, error, reason):
        """Without one of them there is no chain, and nothing stays of the others."""
        httpserver.expect_request("/results/8").respond_with_data(MODEL)
        httpserver.expect_request("/results/9").respond_with_data(body, status)
        urls = str([httpserver.url_for(f"/results/{number}") for number in (8, 9)])

        with pytest.raises(error, match=reason):
            HttpChainRepository(HttpChainSettings(urls), tmp_path).fetch()

        assert [] == list(tmp_path.iterdir())

    def test_no_workdir(self, httpserver, tmp_path):
        """A disk that takes no folder is named; a restart may find another one."""
        settings = HttpChainSettings(Backend(httpserver).urls)

        with pytest.raises(Unavailable, match="nowhere"):
            HttpChainRepository(settings, tmp_path / "nowhere").fetch()


class TestProgress:
    def test_each_its_own(self, httpserver, sink_to):
        """Every sub-model's URL gets its own metrics, and the total loss nobody."""
        backend = Backend(httpserver)
        sink = sink_to(backend.urls)

        sink.report_progress(EPOCHS[:1])
        sink.report_progress(EPOCHS)

        assert eventually(lambda: backend.progress[8][-1:] == [PROGRESS[0]])
        assert eventually(lambda: backend.progress[9][-1:] == [PROGRESS[1]])

    def test_one_away(self, httpserver, sink_to):
        """One URL that does not answer costs the others nothing."""
        backend = Backend(httpserver)
        nowhere = httpserver.url_for("/results/10")
        sink = sink_to(str([nowhere, httpserver.url_for("/results/9")]))

        sink.report_progress(EPOCHS)

        assert eventually(lambda: backend.progress[9] == [PROGRESS[1]])

    def test_none_after_the_result(self, httpserver, models, sink_to):
        """Progress under way does not get into the result's way."""
        backend = Backend(httpserver, 200, 200)
        sink, others = sink_to(backend.urls), set(threading.enumerate())

        def under_way():
            found = set(threading.enumerate()) - others
            return [thread for thread in found if thread.name == "progress"]

        sink.report_progress(EPOCHS)
        sink.deliver(REPORT, models)
        told = len(httpserver.log)
        sink.report_progress(EPOCHS)

        assert eventually(lambda: not under_way())
        assert told == len(httpserver.log)


class TestDelivery:
    def test_each_its_own(self, httpserver, models, sink_to):
        """Every URL gets its metrics and its file, in the order of the list."""
        backend = Backend(httpserver, 200, 200)

        sink_to(backend.urls).deliver(REPORT, models)

        assert [
            (8, RESULTS[0], ("trained_model_1.h5", b"first")),
            (9, RESULTS[1], ("trained_model_2.h5", b"second")),
        ] == backend.results

    def test_no_test(self, httpserver, models, sink_to):
        """Without a test part the platform's own job sends an empty list."""
        backend = Backend(httpserver, 200, 200)

        sink_to(backend.urls).deliver(evolve(REPORT, test={}), models)

        assert [[], []] == [data["test_metrics"] for _, data, _ in backend.results]

    def test_no_epochs(self, httpserver, models, sink_to):
        """Nor does a training without epochs cost the result."""
        backend = Backend(httpserver, 200, 200)

        sink_to(backend.urls).deliver(evolve(REPORT, history=()), models)

        assert [{}, {}] == [data["train_metrics"] for _, data, _ in backend.results]

    @pytest.mark.parametrize(
        ("statuses", "order"),
        [
            ((200, 503, 200, 200), [8, 9, 8, 9]),
            ((500, 200, 200), [8, 8, 9]),
            ((200, 500, 500, 200, 200), [8, 9, 8, 8, 9]),
        ],
    )
    def test_all_or_again(self, httpserver, models, sink_to, statuses, order):
        """If one is not accepted, all are sent again, from the first one on."""
        backend = Backend(httpserver, *statuses)

        with stamina.set_testing(True, attempts=10, cap=True):
            sink_to(backend.urls).deliver(REPORT, models)

        assert order == [number for number, _, _ in backend.results]
        assert [] == backend.statuses
        for number, data, file in backend.results:
            name = f"trained_model_{number - 7}.h5"
            assert (RESULTS[number - 8], name) == (data, file[0])

    def test_one_stays_away(self, httpserver, models, sink_to):
        """One that is never accepted is a delivery that failed, and is named."""
        backend = Backend(httpserver, 200, 503, 200, 503, 200, 503)

        with pytest.raises(Unavailable, match=r"results/9: status 503: 'because'"):
            sink_to(backend.urls).deliver(REPORT, models)

        assert [8, 9] * 3 == [number for number, _, _ in backend.results]

    def test_impatience(self, httpserver, models, sink_to):
        """The deadline is that of the delivery as a whole."""
        backend = Backend(httpserver, *[200, 503] * 50)

        with (
            stamina.set_testing(False),
            pytest.raises(Unavailable, match=r"results/9: status 503"),
        ):
            sink_to(backend.urls, streamfit_delivery_deadline=1.0).deliver(
                REPORT, models
            )

        assert 2 <= len(backend.results) < 100

    def test_one_refused(self, httpserver, models, sink_to):
        """A refusal of one is a refusal of all: no restart helps."""
        backend = Backend(httpserver, 200, 400)

        with pytest.raises(DeploymentInvalid) as reason:
            sink_to(backend.urls).deliver(REPORT, models)

        url = httpserver.url_for("/results/9")
        assert f"{url}: the result was refused: status 400: 'because'" == str(
            reason.value
        )
        assert 2 == len(backend.results)

    def test_credentials(self, httpserver, models, sink_to):
        """User and password of a URL go to that URL, and into no message."""
        backend = Backend(httpserver, 200, 503)
        plain = [httpserver.url_for(f"/results/{number}") for number in (8, 9)]
        urls = [url.replace("//", f"//user:secret{i}@") for i, url in enumerate(plain)]

        with (
            stamina.set_testing(True, attempts=1, cap=True),
            pytest.raises(Unavailable) as reason,
        ):
            sink_to(str(urls)).deliver(REPORT, models)

        assert ["secret0", "secret1"] == [
            request.authorization.password for request, _ in httpserver.log
        ]
        assert "***@" in str(reason.value)
        assert "secret" not in str(reason.value)
        assert [8, 9] == [number for number, _, _ in backend.results]
