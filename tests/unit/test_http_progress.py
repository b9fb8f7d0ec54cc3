"""Progress beside training, on real sockets; see also the contract."""

from __future__ import annotations

import json
import threading

import pytest
import stamina
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from adapters.http import HttpResultSink, HttpSettings
from adapters.http.progress import metrics_url
from adapters.wire.dialect import Dialect
from adapters.wire.result import progress_text
from domain.report import EpochMetrics
from tests.contracts.result_sink import HISTORY, REPORT, TRAINED, eventually
from tests.scripted_server import ScriptedServer, ok


@pytest.fixture(autouse=True)
def _at_once():
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture
def server():
    """A server that can answer while another answer is still pending."""
    with HTTPServer(threaded=True) as server:
        yield server


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "trained.h5"
    path.write_bytes(TRAINED)
    return path


@pytest.fixture
def sink_to():
    """Return how to make a sink, whose last words stay out of the next test's log."""
    sinks = []

    def make(url, dialect=Dialect.CURRENT, **changes):
        sinks.append(
            HttpResultSink(HttpSettings(url, **changes), dialect, lambda _: b"")
        )
        return sinks[-1]

    yield make
    for sink in sinks:
        if sink._progress is not None:
            sink._progress.stop()


def epochs(number):
    return number * (EpochMetrics({"loss": 0.5}),)


def posting_threads():
    return [thread for thread in threading.enumerate() if thread.name == "progress"]


def warnings(caplog):
    return [record for record in caplog.records if record.levelname == "WARNING"]


class Metrics:
    """Takes progress; the first one only once *gate* is open."""

    def __init__(self, server: HTTPServer):
        self.gate = threading.Event()
        self.arrived = threading.Event()
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        server.expect_request("/results_metrics/3").respond_with_handler(self._on)

    def _on(self, request: Request) -> Response:
        self.requests.append(
            (request.method, request.content_type, request.form.to_dict())
        )
        self.arrived.set()
        self.gate.wait(30)
        return Response()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://backend:8000/results/3", "http://backend:8000/results_metrics/3"),
        ("http://results/results/3", "http://results/results_metrics/3"),
        ("http://h/results/x/results/3", "http://h/results/x/results_metrics/3"),
        ("http://h/results/results/3", "http://h/results/results_metrics/3"),
        (
            "http://me:pw@h/a/results/3?b=/results/",
            "http://me:pw@h/a/results_metrics/3?b=/results/",
        ),
        ("http://results/result/3", None),
    ],
)
def test_metrics_url(url, expected):
    """Only the last such folder of the path is another one."""
    assert expected == metrics_url(url)


def test_form(sink_to, server):
    """It is an ordinary form of one field, not multipart and not JSON."""
    metrics = Metrics(server)
    metrics.gate.set()

    sink_to(server.url_for("/results/3")).report_progress(HISTORY)

    assert eventually(lambda: metrics.requests != [])
    assert [
        (
            "POST",
            "application/x-www-form-urlencoded",
            {"data": progress_text(HISTORY)},
        )
    ] == metrics.requests


def test_overtaken_states_are_skipped(sink_to, server):
    """What comes while a post is under way is posted once, in its last state."""
    metrics = Metrics(server)
    sink = sink_to(server.url_for("/results/3"))
    sink.report_progress(epochs(1))
    assert metrics.arrived.wait(10)

    for number in range(2, 50):
        sink.report_progress(epochs(number))
    metrics.gate.set()

    assert eventually(lambda: len(metrics.requests) == 2)
    assert [
        {"data": progress_text(epochs(1))},
        {"data": progress_text(epochs(49))},
    ] == [form for _, _, form in metrics.requests]


def test_training_does_not_wait(sink_to):
    """Progress is handed over, not carried out: the post still hangs afterwards."""
    with ScriptedServer(ScriptedServer.hang) as server:
        sink = sink_to(server.url, streamfit_http_total_timeout=5)
        sink.report_progress(HISTORY)

        assert server.arrived.wait(10)
        assert not server.left.wait(0.2)


def test_failure_is_logged_only(sink_to, server, caplog):
    """A lost state is not repeated; the next one is posted as if nothing were."""
    server.expect_ordered_request("/results_metrics/3").respond_with_data(status=500)
    server.expect_ordered_request("/results_metrics/3").respond_with_data(status=400)
    server.expect_ordered_request("/results_metrics/3").respond_with_data("fine")
    sink = sink_to(server.url_for("/results/3"))

    for number in (1, 2, 3):
        sink.report_progress(epochs(number))
        assert eventually(lambda number=number: len(server.log) == number)

    assert eventually(lambda: len(warnings(caplog)) == 2)
    first, second = warnings(caplog)
    assert 2 * ["progress not published"] == [first.message, second.message]
    assert "status 500" in first.reason
    assert "status 400" in second.reason


def test_complete_at_the_end(sink_to, server, model):
    """Whatever became of the posts, the result has every epoch."""
    server.expect_request("/results_metrics/3").respond_with_data(status=500)
    server.expect_request("/results/3").respond_with_data()
    sink = sink_to(server.url_for("/results/3"))
    for number in range(1, len(HISTORY) + 1):
        sink.report_progress(HISTORY[:number])

    sink.deliver(REPORT, model)

    request, _ = server.log[-1]
    result = json.loads(request.form["data"])
    assert "/results/3" == request.path
    assert json.loads(progress_text(HISTORY)).items() <= result.items()


def test_nothing_after_the_result(sink_to, server, model):
    """Once the result is in, nobody is left to post progress."""
    threads = posting_threads()
    metrics = Metrics(server)
    metrics.gate.set()
    server.expect_request("/results/3").respond_with_data()
    sink = sink_to(server.url_for("/results/3"))
    sink.report_progress(HISTORY)

    sink.deliver(REPORT, model)
    posts = len(metrics.requests)
    sink.report_progress(HISTORY)

    assert threads == posting_threads()
    assert posts == len(metrics.requests)
    assert "/results/3" == server.log[-1][0].path


def test_result_waits_for_the_post_under_way(sink_to, server, model):
    """Progress that is on its way arrives before the result."""
    metrics = Metrics(server)
    result_arrived = threading.Event()

    def on_result(_: Request) -> Response:
        result_arrived.set()
        return Response()

    server.expect_request("/results/3").respond_with_handler(on_result)
    sink = sink_to(server.url_for("/results/3"))
    sink.report_progress(epochs(1))
    assert metrics.arrived.wait(10)
    sink.report_progress(epochs(2))

    delivery = threading.Thread(target=sink.deliver, args=(REPORT, model))
    delivery.start()
    early = result_arrived.wait(0.3)
    metrics.gate.set()
    delivery.join(10)

    assert not early
    assert result_arrived.is_set()
    assert 1 == len(metrics.requests)  # the second state is in the result anyway


def test_result_does_not_wait_for_ever(sink_to, model):
    """A post that hangs costs the result its time-out, no more."""
    with ScriptedServer(ScriptedServer.hang, ok(b"")) as server:
        sink = sink_to(server.url, streamfit_http_total_timeout=0.3)
        sink.report_progress(HISTORY)
        assert server.arrived.wait(10)

        sink.deliver(REPORT, model)

        assert b"POST /results/3 " in server.requests[1]


def test_2020_knows_no_progress(sink_to, server):
    """The platform of 2020 has no such address: nobody posts."""
    threads = posting_threads()

    sink_to(server.url_for("/results/3"), Dialect.Y2020).report_progress(HISTORY)

    assert threads == posting_threads()


def test_unusual_url(sink_to, server, model, caplog):
    """Where the address of progress is unknown, there is none, and the result goes."""
    server.expect_request("/r/3").respond_with_data()
    sink = sink_to(server.url_for("/r/3"))

    sink.report_progress(HISTORY)
    sink.deliver(REPORT, model)

    assert ["/r/3"] == [request.path for request, _ in server.log]
    assert ["no progress without /results/"] == [
        record.message for record in warnings(caplog)
    ]
