"""Control messages out, byte for byte (contract, section 11)."""

from __future__ import annotations

import hashlib

import pytest
from attrs import evolve

from adapters.wire.announcement import announcement_key, announcement_text
from adapters.wire.control_message import parse_key, parse_request
from domain.offsets import OffsetRange
from domain.request import DecoderSpec, DeploymentId
from domain.sending import Announcement

WORKED = Announcement(
    stream=(OffsetRange("automl", 0, 0, 4),),
    decoder=DecoderSpec(
        "RAW",
        {
            "data_type": "float32",
            "label_type": "uint8",
            "data_reshape": "2 2",
            "label_reshape": "1",
        },
    ),
    total_msg=4,
    validation_rate=0.1,
    test_rate=0.2,
    description="demo",
)
ONLINE = (
    b'{"topic": "stream", "unsupervised_topic": null, "input_format": "RAW", '
    b'"description": "", "input_config": {"data_type": "int16", '
    b'"label_type": "float64", "data_reshape": "3", "label_reshape": "1"}, '
    b'"validation_rate": 0.1, "test_rate": 0, "total_msg": null, '
    b'"dataset_restrictions": {}, "incremental": true}'
)


def test_worked_message():
    """The contract's message of four records, to the byte."""
    text = announcement_text(WORKED)

    assert 317 == len(text)
    assert (
        "d64814d86edd22bb17fc84413de6c942df67c7a6119c6133e12987fa155dc1b3"
        == hashlib.sha256(text).hexdigest()
    )


def test_worked_online_message():
    """The contract's message of the online sink, to the byte."""
    assert 305 == len(ONLINE)
    config = {
        "data_type": "int16",
        "label_type": "float64",
        "data_reshape": "3",
        "label_reshape": "1",
    }
    announcement = Announcement(
        stream="stream",
        decoder=DecoderSpec("RAW", config),
        total_msg=None,
        validation_rate=0.1,
        incremental=True,
    )

    assert ONLINE == announcement_text(announcement)


def test_several_ranges():
    """Ranges are joined by commas, without blanks."""
    stream = (OffsetRange("t", 0, 5, 9), OffsetRange("t", 1, 1, 5))

    text = announcement_text(evolve(WORKED, stream=stream, total_msg=8))

    assert text.startswith(b'{"topic": "t:0:5:9,t:1:1:5", "unsupervised_topic": null, ')
    assert b'"total_msg": 8' in text


def test_defaults():
    """Rates that nobody gave are a whole 0, as with the sinks."""
    text = announcement_text(evolve(WORKED, validation_rate=0.0, test_rate=0.0))

    assert b'"validation_rate": 0, "test_rate": 0, ' in text


def test_description():
    """Any text may describe the data; the message stays ASCII."""
    text = announcement_text(evolve(WORKED, description='größer "als"\n'))

    assert text.isascii()
    assert b'"gr\\u00f6\\u00dfer \\"als\\"\\n"' in text


@pytest.mark.parametrize(
    ("unlabelled", "written"),
    [((OffsetRange("u", 0, 2, 3),), "u:0:2:3"), ("u", "u")],
)
def test_unlabelled(unlabelled, written):
    """Records without labels are announced beside the labelled ones."""
    text = announcement_text(evolve(WORKED, unlabelled=unlabelled))

    request = parse_request(text)
    assert f'"unsupervised_topic": "{written}", '.encode() in text
    assert ["u"] == [one.topic for one in request.unlabelled]


def test_read_again():
    """The job reads what was written."""
    request = parse_request(announcement_text(WORKED))

    (found,) = request.ranges
    assert ("automl", 0, 0, 4) == (
        found.topic,
        found.partition,
        found.start,
        found.end,
    )
    assert WORKED.decoder == request.decoder
    assert (0.1, 0.2, 4) == (
        request.validation_rate,
        request.test_rate,
        request.total_msg,
    )


@pytest.mark.parametrize(
    ("number", "key"),
    [
        (0, b"\x00"),
        (7, b"\x07"),
        (255, b"\xff"),
        (256, b"\x01\x00"),
        (65_536, b"\x01\x00\x00"),
    ],
)
def test_key(number, key):
    """One byte, as the sinks write it, and as many as it takes above 255."""
    assert key == announcement_key(DeploymentId(number))
    assert number == parse_key(key)
