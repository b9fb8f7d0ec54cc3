"""A back-end on a loopback port: hands out models, keeps metrics and results."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

from attrs import define, field, frozen

from domain.report import EpochMetrics, History

MAX_RESULT_BYTES = 64 * 2**20
"""More than any result of the demo; a longer one is refused."""

Series = Mapping[str, Sequence[float]]
"""Values per epoch, by metric."""


@frozen
class Result:
    """
    The metrics of an accepted result (contract, section 9.3).

    Attributes:
        test_metrics: One value each; empty if nothing was tested.

        training_time: Duration of the fit, in seconds.

        labelled: How many records each round labelled, if any did.
    """

    train_metrics: Series
    val_metrics: Series
    test_metrics: Series
    training_time: float
    labelled: Sequence[int] = ()

    @property
    def history(self) -> History:
        """The metrics, epoch by epoch."""
        return _history(self.train_metrics, self.val_metrics)


@define
class ModelResult:
    """
    What the platform's back-end does for one result (contract, section 9).

    Attributes:
        model: The untrained model to hand out.

        folder: Where the parts of the result are kept.

        progress: The metrics of all epochs so far; mini-batches follow each other.

        result: The accepted result; None until there is one.

        files: What was kept of it.
    """

    model: Path
    folder: Path
    progress: History = field(default=(), init=False)
    result: Result | None = field(default=None, init=False)
    files: list[Path] = field(factory=list, init=False)

    def note(self, body: bytes) -> None:
        """Keep the metrics so far (contract, section 9.2)."""
        data = json.loads(parse_qs(body.decode(), strict_parsing=True)["data"][0])
        self.progress = _history(data["train_metrics"], data["val_metrics"])

    def accept(self, content_type: str, body: bytes) -> None:
        """Keep the parts of a posted result (contract, section 9.3)."""
        message = BytesParser(policy=HTTP).parsebytes(
            b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body
        )
        parts = {
            part.get_param("name", header="content-disposition"): part
            for part in message.iter_parts()
        }
        model = parts["trained_model"]
        files = {
            # The name is the job's, the folder is not.
            "trained_model": Path(model.get_filename() or "trained_model.h5").name,
            "confussion_matrix": "confusion_matrix.png",
        }
        self.files = [
            self.folder / file for part, file in files.items() if part in parts
        ]
        for part, file in files.items():
            if part in parts:
                content = parts[part].get_payload(decode=True)
                (self.folder / file).write_bytes(bytes(content))
        data = json.loads(parts["data"].get_content())
        self.result = Result(
            train_metrics=data["train_metrics"],
            val_metrics=data["val_metrics"],
            test_metrics=data["test_metrics"] or {},  # [] where there is no test
            training_time=data["training_time"],
            labelled=data.get("labelled_per_round", ()),
        )


@define
class DemoBackend:
    """
    The platform's back-end, as far as a job sees it.

    Attributes:
        results: By their number in URLs.
    """

    results: Mapping[int, ModelResult]

    @contextmanager
    def serve(self) -> Iterator[Sequence[str]]:
        """Serve on a free loopback port; yields the results' URLs, in order."""
        handler = type("Handler", (_Handler,), {"results": self.results})
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            place = f"http://127.0.0.1:{server.server_port}"
            try:
                yield [f"{place}/results/{number}" for number in self.results]
            finally:
                server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    """The two URLs of every result."""

    results: Mapping[int, ModelResult]
    timeout = 30  # seconds of silence on a connection

    def do_GET(self) -> None:
        """Hand out the untrained model."""
        if place := self._place():
            self._answer(200, place[1].model.read_bytes(), "application/model")

    def do_POST(self) -> None:
        """Take metrics of an epoch, or the result."""
        length = int(self.headers["Content-Length"] or 0)
        if length > MAX_RESULT_BYTES:
            self._answer(413)
            return
        body = self.rfile.read(length)
        if place := self._place():
            kind, result = place
            if kind == "results":
                result.accept(self.headers["Content-Type"], body)
            else:
                result.note(body)
            self._answer(200)

    def _place(self) -> tuple[str, ModelResult] | None:
        """Return which of its URLs was asked for, and the result; or refuse."""
        asked = re.fullmatch(r"/(results|results_metrics)/([0-9]{1,9})", self.path)
        if asked is None or int(asked[2]) not in self.results:
            self._answer(400)
            return None
        return asked[1], self.results[int(asked[2])]

    def _answer(
        self, status: int, body: bytes = b"", content_type: str = "text/plain"
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # its name
        """Keep requests out of the job's log."""


def _history(training: Series, validation: Series) -> History:
    """Return metrics epoch by epoch."""
    return tuple(
        EpochMetrics(_at(epoch, training), _at(epoch, validation))
        for epoch in range(len(training["loss"]))
    )


def _at(epoch: int, series: Series) -> Mapping[str, float]:
    return {name: values[epoch] for name, values in series.items()}
