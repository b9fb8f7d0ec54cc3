"""
The platform around the job, as the contract describes it and nothing of ours.

Sender and back-end are written from the contract alone (sections 2 to 6 and 9), so that
a misreading in the job is not repeated here.
"""

from __future__ import annotations

import json
import re
import threading
import time
import urllib.parse
from collections.abc import Mapping, Sequence

import confluent_kafka
import numpy as np
from attrs import define, field
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response


@define
class Backend:
    """
    One result of the platform's back-end.

    Attributes:
        server: What listens.

        model: The untrained model's bytes.

        current: Whether it is today's back-end, or that of 2020.

        conf_mat: Whether the deployment asks for a confusion matrix.
    """

    server: HTTPServer
    model: bytes
    current: bool = True
    conf_mat: bool = False
    downloads: int = field(default=0, init=False)
    progress: list[dict[str, dict[str, list[float]]]] = field(factory=list, init=False)
    results: list[dict[str, object]] = field(factory=list, init=False)
    refused: list[str] = field(factory=list, init=False)
    trained: bytes | None = field(default=None, init=False)
    picture: bytes | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        """Answer at the URLs of result 3."""
        respond = self.server.expect_request("/results/3", method="GET")
        respond.respond_with_handler(self._download)
        respond = self.server.expect_request("/results/3", method="POST")
        respond.respond_with_handler(self._result)
        if self.current:
            respond = self.server.expect_request("/results_metrics/3", method="POST")
            respond.respond_with_handler(self._metrics)

    @property
    def url(self) -> str:
        """What the job gets as RESULT_URL."""
        return self.server.url_for("/results/3")

    def _download(self, _: Request) -> Response:
        self.downloads += 1
        return Response(
            self.model,
            content_type="application/model",
            headers={"Content-Disposition": 'attachment; filename="model.h5"'},
        )

    def _metrics(self, request: Request) -> Response:
        """Section 9.2: urlencoded, one field."""
        assert request.content_type == "application/x-www-form-urlencoded"
        form = urllib.parse.parse_qs(request.get_data().decode(), strict_parsing=True)
        assert set(form) == {"data"}
        self.progress.append(_strict_json(form["data"][0]))
        return Response("")

    def _result(self, request: Request) -> Response:
        """Section 9.3: what the views of either generation check, in their order."""
        data = _strict_json(request.form["data"])
        if "trained_model" not in request.files:
            return self._refuse("no trained_model", 500)
        fault = self._current_fault(data) if self.current else self._2020_fault(data)
        if fault:
            return self._refuse(fault, 400)
        if self.current and self.conf_mat and data.get("test_metrics") != {}:
            if "confussion_matrix" not in request.files:
                return self._refuse("no confussion_matrix", 400)
            self.picture = request.files["confussion_matrix"].read()
        self.trained = request.files["trained_model"].read()
        self.results.append(data)
        return Response("")

    def _refuse(self, why: str, status: int) -> Response:
        self.refused.append(why)
        return Response(why, status)

    @staticmethod
    def _current_fault(data: Mapping[str, object]) -> str | None:
        if not re.fullmatch(r"\d{1,10}(\.\d{1,4})?", repr(data["training_time"])):
            return "training_time has more than 4 decimals"
        return None

    @staticmethod
    def _2020_fault(data: Mapping[str, object]) -> str | None:
        for name in ("train_loss", "val_loss"):
            if name in data and not re.fullmatch(
                r"-?\d{1,5}(\.\d{1,10})?", repr(data[name])
            ):
                return f"{name} is no decimal of 15 digits, 10 of them decimals"
        for name in ("train_metrics", "val_metrics"):
            if name in data and not isinstance(data[name], str):
                return f"{name} is no text"
        return None


@define
class SubModel:
    """
    One of a chain's results at the platform's back-end.

    Attributes:
        number: Its number in URLs.

        models: What it hands out, one after the other; the last one again and again.

        statuses: What it answers to the next results; 200 to those after them.
    """

    number: int
    models: list[bytes]
    statuses: list[int] = field(factory=list)
    downloads: int = field(default=0, init=False)
    progress: list[dict[str, dict[str, list[float]]]] = field(factory=list, init=False)
    results: list[dict[str, object]] = field(factory=list, init=False)
    file_names: list[str | None] = field(factory=list, init=False)
    trained: bytes | None = field(default=None, init=False)

    def answer(self, server: HTTPServer) -> None:
        """Answer at the URLs of this result."""
        for path, method, handler in (
            (f"/results/{self.number}", "GET", self._download),
            (f"/results/{self.number}", "POST", self._result),
            (f"/results_metrics/{self.number}", "POST", self._metrics),
        ):
            server.expect_request(path, method=method).respond_with_handler(handler)

    def _download(self, _: Request) -> Response:
        model = self.models[min(self.downloads, len(self.models) - 1)]
        self.downloads += 1
        return Response(model, content_type="application/model")

    def _metrics(self, request: Request) -> Response:
        """Section 9.2: urlencoded, one field, the sub-model's own metrics."""
        assert request.content_type == "application/x-www-form-urlencoded"
        form = urllib.parse.parse_qs(request.get_data().decode(), strict_parsing=True)
        assert set(form) == {"data"}
        self.progress.append(_strict_json(form["data"][0]))
        return Response("")

    def _result(self, request: Request) -> Response:
        """Section 9.3: of a chain, no picture is asked for."""
        data = _strict_json(request.form["data"])
        assert {"data"} == set(request.form)
        assert {"trained_model"} == set(request.files)
        assert re.fullmatch(r"\d{1,10}(\.\d{1,4})?", repr(data["training_time"]))
        file = request.files["trained_model"]
        self.file_names.append(file.filename)
        self.results.append(data)
        self.trained = file.read()
        return Response("", self.statuses.pop(0) if self.statuses else 200)


@define
class ChainBackend:
    """
    The results of a chain of sub-models at today's back-end.

    Attributes:
        server: What listens.

        parts: The sub-models, the one that takes the data first.
    """

    server: HTTPServer
    parts: list[SubModel]

    def __attrs_post_init__(self) -> None:
        """Answer at the URLs of all of them."""
        for part in self.parts:
            part.answer(self.server)

    @property
    def variables(self) -> dict[str, str]:
        """What the job gets as RESULT_URL and RESULT_ID: Python's own notation."""
        numbers = [str(part.number) for part in self.parts]
        return {
            "RESULT_URL": repr([self.server.url_for(f"/results/{n}") for n in numbers]),
            "RESULT_ID": repr(numbers),
        }


@define
class Sender:
    """
    A data source of the platform.

    Attributes:
        servers: The broker's address.

        topic: Where the data go.

        control: The control topic.
    """

    servers: str
    topic: str
    control: str

    def send(
        self, records: Sequence[tuple[bytes | None, bytes]], partition: int = 0
    ) -> str:
        """Send (key, value) records; returns their range as section 4 writes it."""
        start = self._end(partition)
        producer = confluent_kafka.Producer({"bootstrap.servers": self.servers})
        for key, value in records:
            producer.produce(self.topic, value, key, partition=partition)
        assert producer.flush(60) == 0
        return f"{self.topic}:{partition}:{start}:{self._end(partition)}"

    def announce(self, body: bytes | str | None, key: bytes | None = b"\x07") -> None:
        """Write a control message; by default for deployment 7."""
        producer = confluent_kafka.Producer({"bootstrap.servers": self.servers})
        producer.produce(self.control, body, key)
        assert producer.flush(60) == 0

    def _end(self, partition: int) -> int:
        consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": self.servers, "group.id": "ends"}
        )
        try:
            return consumer.get_watermark_offsets(
                confluent_kafka.TopicPartition(self.topic, partition), timeout=30
            )[1]
        finally:
            consumer.close()


def raw(features: np.ndarray, labels: np.ndarray) -> list[tuple[bytes, bytes]]:
    """Encode examples as section 6.1 says: little-endian elements, label as key."""
    return [
        (label.tobytes(), example.tobytes())
        for example, label in zip(features, labels, strict=True)
    ]


def message(topic: str, total: int | None, *, current: bool = True, **fields) -> str:
    """Write a control message as the sinks of either generation do."""
    body = {
        "topic": topic,
        "unsupervised_topic": None,
        "input_format": "RAW",
        "description": "demo",
        "dataset_restrictions": {},
        "input_config": {},
        "validation_rate": 0.1,
        "test_rate": 0.1,
        "total_msg": total,
        "incremental": False,
    }
    only_current = (
        "unsupervised_topic",
        "dataset_restrictions",
        "test_rate",
        "incremental",
    )
    if not current:
        body = {k: v for k, v in body.items() if k not in only_current}
    return json.dumps({**body, **fields})


def _strict_json(text: str) -> dict:
    """Parse as the back-end's database does: NaN and Infinity are errors."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} in JSON")

    return json.loads(text, parse_constant=refuse)


@define
class OnlineSender:
    """
    A data source of the platform that sends as it goes (sections 3.2, 10.2 and 11).

    Attributes:
        servers: The broker's address.

        topic: Where the data go.

        control: The control topic.

        key: The control message's key: the deployment, one byte.

        validation_rate: Share of every mini-batch.
    """

    servers: str
    topic: str
    control: str
    key: bytes = b"\x07"
    validation_rate: float = 0.1
    _announced: bool = field(default=False, init=False)

    def send(self, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Send (key, value) records, and before the first one the announcement."""
        producer = confluent_kafka.Producer(
            {"bootstrap.servers": self.servers, "queue.buffering.max.messages": 10**6}
        )
        if not self._announced:
            producer.produce(self.control, self.announcement(), self.key)
            assert producer.flush(60) == 0
            self._announced = True
        for key, value in records:
            producer.produce(self.topic, value, key)
        assert producer.flush(60) == 0

    def announcement(self) -> bytes:
        """Return the control message, with the fields in the order of section 11."""
        config = {
            "data_type": "uint8",
            "label_type": "uint8",
            "data_reshape": "8 8",
            "label_reshape": "1",
        }
        return json.dumps(
            {
                "topic": self.topic,
                "unsupervised_topic": None,
                "input_format": "RAW",
                "description": "",
                "input_config": config,
                "validation_rate": self.validation_rate,
                "test_rate": 0,
                "total_msg": None,
                "dataset_restrictions": {},
                "incremental": True,
            }
        ).encode()


@define
class LiveBackend(Backend):
    """
    A back-end that gets better models without end (section 9.3, indefinite).

    Attributes:
        better: Content and model of every row that was made for one, oldest first.

        hold: Seconds that an answer takes.

        asked: Set once a result has come, before it is answered.
    """

    hold: float = 0.0
    better: list[tuple[dict[str, object], bytes]] = field(factory=list, init=False)
    asked: threading.Event = field(factory=threading.Event, init=False)

    def _result(self, request: Request) -> Response:
        """The row of the URL stays as it is; each better model makes a new one."""
        data = _strict_json(request.form["data"])
        if data.get("indefinite") is not True:
            return super()._result(request)
        if fault := self._current_fault(data):
            return self._refuse(fault, 400)
        self.better.append((data, request.files["trained_model"].read()))
        self.asked.set()
        time.sleep(self.hold)
        return Response("")
