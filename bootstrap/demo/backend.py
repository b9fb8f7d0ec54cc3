"""A back-end for one result, on a loopback port: serves the model, keeps the result."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from attrs import define, field, fields, frozen

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
        training_time: Duration of the fit, in seconds.
    """

    train_metrics: Series
    val_metrics: Series
    test_metrics: Series
    training_time: float

    @property
    def history(self) -> History:
        """The metrics, epoch by epoch."""
        return tuple(
            EpochMetrics(_at(epoch, self.train_metrics), _at(epoch, self.val_metrics))
            for epoch in range(len(self.train_metrics["loss"]))
        )


@define
class DemoBackend:
    """
    What the platform's back-end does for one result (contract, section 9).

    Attributes:
        model: The untrained model to hand out.

        folder: Where the parts of the result are kept.

        result: The accepted result; None until there is one.
    """

    model: Path
    folder: Path
    result: Result | None = field(default=None, init=False)

    def accept(self, content_type: str, body: bytes) -> None:
        """Keep the parts of a posted result (contract, section 9.3)."""
        message = BytesParser(policy=HTTP).parsebytes(
            b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body
        )
        parts = {
            part.get_param("name", header="content-disposition"): part
            for part in message.iter_parts()
        }
        files = {
            "trained_model": "trained_model.h5",
            "confussion_matrix": "confusion_matrix.png",
        }
        for name, file_name in files.items():
            if name in parts:
                content = parts[name].get_payload(decode=True)
                (self.folder / file_name).write_bytes(bytes(content))
        data = json.loads(parts["data"].get_content())
        self.result = Result(**{f.name: data[f.name] for f in fields(Result)})

    @contextmanager
    def serve(self) -> Iterator[str]:
        """Serve on a free loopback port; yields the result's URL."""
        handler = type("Handler", (_Handler,), {"backend": self})
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            try:
                yield f"http://127.0.0.1:{server.server_port}/results/1"
            finally:
                server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    """The two URLs of a result."""

    backend: DemoBackend
    timeout = 30  # seconds of silence on a connection

    def do_GET(self) -> None:
        """Hand out the untrained model."""
        self._answer(200, self.backend.model.read_bytes(), "application/model")

    def do_POST(self) -> None:
        """Take metrics of an epoch, or the result."""
        length = int(self.headers["Content-Length"] or 0)
        if length > MAX_RESULT_BYTES:
            self._answer(413)
            return
        body = self.rfile.read(length)
        if self.path.startswith("/results/"):
            self.backend.accept(self.headers["Content-Type"], body)
        self._answer(200)

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


def _at(epoch: int, series: Series) -> Mapping[str, float]:
    return {name: values[epoch] for name, values in series.items()}
