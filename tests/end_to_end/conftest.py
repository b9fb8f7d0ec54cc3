"""A platform around the job: back-end, sender, and the variables that it sets."""

from __future__ import annotations

import pytest

from tests.broker.topics import KafkaTopics, unique
from tests.end_to_end.platform import Backend, Sender
from tests.models import model_file


@pytest.fixture
def sender(kafka):
    """A sender to a topic of two partitions."""
    topics = KafkaTopics(kafka)
    sender = Sender(kafka, unique("data"), unique("control"))
    topics.create(sender.topic, partitions=2)
    topics.create(sender.control)
    return sender


@pytest.fixture
def backend(httpserver):
    """Today's back-end with the digits model, asking for a confusion matrix."""
    return Backend(httpserver, model_file("digits").read_bytes(), conf_mat=True)


@pytest.fixture
def backend_2020(httpserver):
    """The back-end of 2020 with the digits model of its TensorFlow."""
    return Backend(httpserver, model_file("digits", "2.2").read_bytes(), current=False)


@pytest.fixture
def variables_2020(kafka, sender):
    """The eight variables of 2020, but for the URL."""
    return {
        "BOOTSTRAP_SERVERS": kafka,
        "RESULT_ID": "3",
        "CONTROL_TOPIC": sender.control,
        "DEPLOYMENT_ID": "7",
        "BATCH": "16",
        "KWARGS_FIT": '{"epochs": 3, "steps_per_epoch": 6}',
        "KWARGS_VAL": '{"steps": 2}',
    }


@pytest.fixture
def variables(variables_2020):
    """The variables of the current platform for case 1, but for the URL."""
    return {
        **variables_2020,
        "KWARGS_FIT": '{"epochs": 3}',
        "KWARGS_VAL": "{}",
        "CONF_MAT_CONFIG": "true",
        "CASE": "1",
        "UNSUPERVISED": "False",
        "UNSUPERVISED_ROUNDS": "None",
        "CONFIDENCE": "None",
    }
