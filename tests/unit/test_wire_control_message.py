"""Control messages in."""

from __future__ import annotations

import hashlib

import pytest

from adapters.wire.control_message import parse_key, parse_ranges, parse_request
from domain.errors import MalformedRequest
from domain.offsets import RequestedRange
from domain.request import DecoderSpec, TrainingRequest
from tests.builders import control_message

ONLINE = (
    b'{"topic": "stream", "unsupervised_topic": null, "input_format": "RAW", '
    b'"description": "", "input_config": {"data_type": "int16", "label_type": '
    b'"float64", "data_reshape": "3", "label_reshape": "1"}, "validation_rate": 0.1, '
    b'"test_rate": 0, "total_msg": null, "dataset_restrictions": {}, '
    b'"incremental": true}'
)
CURRENT = (
    b'{"topic": "automl:0:0:4", "unsupervised_topic": null, "input_format": "RAW", '
    b'"description": "demo", "dataset_restrictions": {}, "input_config": {"data_type": '
    b'"float32", "label_type": "uint8", "data_reshape": "2 2", "label_reshape": "1"}, '
    b'"validation_rate": 0.1, "test_rate": 0.2, "total_msg": 4, "incremental": false}'
)
Y2020 = (
    b'{"topic": "automl:0:0:4", "input_format": "RAW", "description": "demo", '
    b'"input_config": {"data_type": "uint8", "label_type": "uint8", "data_reshape": '
    b'"28 28", "label_reshape": ""}, "validation_rate": 0.1, "total_msg": 4}'
)


class TestKey:
    @pytest.mark.parametrize(
        ("key", "deployment"),
        [
            (None, None),
            (b"\x07", 7),
            (b"1", 49),
            (b"\x01\x00", 256),
            (b"\x00\x00\x00\x07", 7),
        ],
    )
    def test_key(self, key, deployment):
        """A key is a big-endian number of any length; null names nobody."""
        assert deployment == parse_key(key)


class TestBody:
    def test_online_sink(self):
        """The contract's worked message names the topic alone; others do not."""
        request = parse_request(ONLINE)

        assert 305 == len(ONLINE)
        assert "stream" == request.topic
        assert request.total_msg is None
        assert (RequestedRange("stream", 0, 0, None),) == request.ranges
        assert parse_request(CURRENT).topic is None
        assert parse_request(control_message(topic="stream:0")).topic is None
        assert parse_request(control_message(topic="stream,others")).topic is None

    def test_unlabelled(self):
        """Ranges without labels are told apart from those with."""
        body = control_message(unsupervised_topic="more:0:2:4,more:1:0:3")

        assert (
            RequestedRange("more", 0, 2, 4),
            RequestedRange("more", 1, 0, 3),
        ) == parse_request(body).unlabelled
        assert () == parse_request(CURRENT).unlabelled
        assert () == parse_request(Y2020).unlabelled
        assert () == parse_request(control_message(unsupervised_topic="")).unlabelled
        assert repr(parse_request(body)) == repr(parse_request(control_message()))

    @pytest.mark.parametrize("text", ["more:0:4:2", "more topics"])
    def test_unlabelled_malformed(self, text):
        """What is wrong is named with the field that it stands in."""
        with pytest.raises(MalformedRequest, match=r"^unsupervised_topic: "):
            parse_request(control_message(unsupervised_topic=text))

    def test_current_sink(self):
        """The contract's worked message, checked by its digest."""
        assert "d64814d86edd22bb" == hashlib.sha256(CURRENT).hexdigest()[:16]
        assert TrainingRequest(
            ranges=(RequestedRange("automl", 0, 0, 4),),
            decoder=DecoderSpec(
                "RAW",
                {
                    "data_type": "float32",
                    "label_type": "uint8",
                    "data_reshape": "2 2",
                    "label_reshape": "1",
                },
            ),
            validation_rate=0.1,
            test_rate=0.2,
            total_msg=4,
        ) == parse_request(CURRENT)

    def test_2020_sink(self):
        """A message without test rate, as the sinks of 2020 write it."""
        request = parse_request(Y2020)

        assert 220 == len(Y2020)
        assert (0.1, 0.0, 4) == (
            request.validation_rate,
            request.test_rate,
            request.total_msg,
        )

    def test_nulls(self):
        """Rates that the back-end re-sends as null count as 0, total_msg is unknown."""
        request = parse_request(
            control_message(validation_rate=None, test_rate=None, total_msg=None)
        )

        assert (0.0, 0.0, None) == (
            request.validation_rate,
            request.test_rate,
            request.total_msg,
        )

    @pytest.mark.parametrize(
        ("body", "fault"),
        [
            (None, "not JSON"),
            (b"", "not JSON"),
            (b"{", "not JSON"),
            (b"\xff\xfe", "not UTF-8"),
            (b"[" * 100_000, "nested too deep"),
            (b"[1]", "want an object"),
            (b"null", "want an object"),
            (control_message(topic=3), "control message.topic: want text, got 3"),
            (control_message(input_config=[]), "input_config: want an object"),
            (control_message(total_msg=True), "total_msg: want a whole number"),
            (control_message(total_msg=-1), "total_msg must not be negative"),
            (control_message(validation_rate="0.1"), "validation_rate: want a number"),
            (control_message(validation_rate=1.1), "must be from 0 to 1, not 1.1"),
            (control_message(test_rate=float("nan")), "want a finite number"),
        ],
    )
    def test_malformed(self, body, fault):
        """A body that is not of the contract is refused by the name of the fault."""
        with pytest.raises(MalformedRequest, match=fault):
            parse_request(body)

    def test_all_faults_at_once(self):
        """Everything that is missing is named together."""
        with pytest.raises(
            MalformedRequest, match=r"\.topic: .*\.input_format: .*\.input_config: "
        ):
            parse_request(b"{}")


class TestRanges:
    @pytest.mark.parametrize(
        ("text", "ranges"),
        [
            ("t:0:0:4", [("t", 0, 0, 4)]),
            ("t:0:4:7", [("t", 0, 4, 7)]),
            ("t:0:5:9,t:1:1:5", [("t", 0, 5, 9), ("t", 1, 1, 5)]),
            ("a:1:5:5,b.c-d_e:0:2:3", [("a", 1, 5, 5), ("b.c-d_e", 0, 2, 3)]),
            ("t:3:8", [("t", 3, 8, None)]),
            ("t:3", [("t", 3, 0, None)]),
            ("t", [("t", 0, 0, None)]),
            ("t:0:0:9223372036854775807", [("t", 0, 0, 2**63 - 1)]),
        ],
    )
    def test_forms(self, text, ranges):
        """Every form of the contract, section 4."""
        assert tuple(RequestedRange(*r) for r in ranges) == parse_ranges(text)

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("", "'' names no topic"),
            ("t:0:0:4,", "'' names no topic"),
            ("t:0:0:4, t:1:0:4", "' t:1:0:4' names no topic"),
            (":0:0:4", "names no topic"),
            ("..:0:0:4", "names no topic"),
            ("t:0:0:4:5", "more than four parts"),
            ("t:0:-1:4", "no number"),
            ("t::0:4", "no number"),
            ("t:0:0x0:4", "no number"),
            ("t:0:0:９", "no number"),
            ("t:0:5:4", "ends before it starts"),
            ("t:0:0:9223372036854775808", "cannot count to"),
            ("t:2147483648:0:1", "cannot count to"),
        ],
    )
    def test_malformed(self, text, fault):
        """Anything else is refused, never guessed at."""
        with pytest.raises(MalformedRequest, match=fault):
            parse_ranges(text)

    def test_all_faults_at_once(self):
        """Every malformed range is named."""
        with pytest.raises(MalformedRequest, match=r"'t:x'.*'t:0:5:4'"):
            parse_ranges("t:x,ok:0:0:1,t:0:5:4")
