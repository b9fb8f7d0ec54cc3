"""``streamfit check``: the installed command, a real broker, a real back-end."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess

import numpy as np
import pytest
from confluent_kafka.admin import AdminClient
from werkzeug import Response

from tests.broker.topics import KafkaTopics, unique
from tests.end_to_end.platform import (
    ChainBackend,
    OnlineSender,
    SubModel,
    message,
    raw,
)
from tests.end_to_end.process import COMMAND
from tests.end_to_end.test_current import RAW_DIGITS, digits
from tests.models import chain_files, model_file

pytestmark = [pytest.mark.kafka, pytest.mark.real_kafka]

LIMIT = 120  # seconds; any look ends long before


def surroundings(environ):
    return {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **environ}


def look(environ, *options):
    """Run the installed command to its end."""
    return subprocess.run(
        [COMMAND, "check", *options],
        env=surroundings(environ),
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


def findings(environ, *options):
    """Return the exit code, and what was found, by subject."""
    done = look(environ, "--json", *options)
    told = json.loads(done.stdout)
    assert done.returncode == told["exit_code"]
    assert "" == done.stderr
    found = {}
    for each in told["findings"]:
        found.setdefault(each["subject"], []).append(each)
    return done.returncode, found


def of(subject, found):
    (finding,) = found[subject]
    return finding["verdict"], finding["finding"]


def announced(sender, count=40, **fields):
    """Send some digits and announce them."""
    ranges = sender.send(raw(*digits(count)))
    sender.announce(message(ranges, count, input_config=RAW_DIGITS, **fields))
    return ranges


def groups(servers):
    listed = AdminClient({"bootstrap.servers": servers}).list_consumer_groups()
    return {group.group_id for group in listed.result(30).valid}


def methods(server):
    return {request.method for request, _ in server.log}


@pytest.fixture
def environ(variables, backend):
    return {**variables, "RESULT_URL": backend.url}


@pytest.fixture
def closed():
    """Return an address that nobody listens at."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{unused.getsockname()[1]}"


@pytest.fixture
def silent():
    """Return a server's socket that takes connections, and no more."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(LIMIT)
        yield server


class TestAllWell:
    def test_table(self, environ, backend, sender):
        """Every step has its line, and the exit code is 0."""
        ranges = announced(sender, validation_rate=0.2, test_rate=0.2)

        done = look(environ)

        assert (0, "") == (done.returncode, done.stderr)
        lines = done.stdout.splitlines()
        columns = dict(re.split(r"  +", line, maxsplit=1) for line in lines[:-1])
        place = ranges.split(":")
        classes = np.bincount(digits(40)[1].reshape(-1))
        counts = ", ".join(f"{n} ({count})" for n, count in enumerate(classes))
        assert {
            "settings": "all variables that the job reads are well-formed",
            "back-end": f"{backend.url}: a model of {len(backend.model):,} bytes",
            "model": f"HDF5 of Keras 2, {len(backend.model):,} bytes, compiled, takes "
            "(8, 8)",
            "broker": f"{environ['BOOTSTRAP_SERVERS']}: the brokers answer",
            "control topic": "messages for deployment 7: 1",
            "message": f"{sender.control}[0]@0: the job would take it",
            "format": "RAW",
            "stream": f"40 records in {place[0]}[0]@0..40",
            "parts": "training 24, validation 8, test 8",
            "records": "the first 40 of 40 decode: uint8 (8, 8), label uint8 (1,)",
            "labels": f"10 classes: {counts}",
            "examples and model": "examples (8, 8) suit the model's input",
        }.items() <= {
            name: re.sub(r"^ok +", "", text) for name, text in columns.items()
        }.items()
        assert "0 faults, 0 warnings: exit code 0" == lines[-1]
        assert "\x1b" not in done.stdout

    def test_nothing_is_changed(self, environ, backend, sender, kafka, tmp_path):
        """Nothing is posted, written or committed; no group, no folder is made."""
        announced(sender)
        state = tmp_path / "state"
        temporary = tmp_path / "temporary"
        temporary.mkdir()
        topics = KafkaTopics(kafka)
        before = groups(kafka), len(topics.messages(sender.control))

        with socket.create_server(("127.0.0.1", 0)) as taken:
            done = look(
                {
                    **environ,
                    "STREAMFIT_STATE_DIR": str(state),
                    "STREAMFIT_REPORT_DIR": str(tmp_path / "report"),
                    "STREAMFIT_STATUS_PORT": str(taken.getsockname()[1]),
                    "TMPDIR": str(temporary),
                }
            )

        assert (0, "") == (done.returncode, done.stderr), done.stdout
        assert before == (groups(kafka), len(topics.messages(sender.control)))
        assert 40 == len(topics.messages(sender.topic))
        assert {"GET"} == methods(backend.server)
        assert ([], [], 1) == (backend.results, backend.progress, backend.downloads)
        assert [temporary] == list(tmp_path.iterdir())
        assert [] == list(temporary.iterdir())

    def test_terminal(self, environ, sender):
        """On a terminal it is a table in colours."""
        announced(sender)
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [COMMAND, "check"],
            env=surroundings({**environ, "TERM": "xterm", "COLUMNS": "120"}),
            stdout=theirs,
        )
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 4096):
                shown += piece
        except OSError:  # that is how a terminal ends
            pass
        finally:
            os.close(ours)
            code = process.wait(LIMIT)
        assert 0 == code
        assert "examples and model" in shown.decode()
        assert "\x1b[32mok" in shown.decode()

    def test_no_message(self, environ, sender):
        """A message that is still to come is no fault; others' are counted."""
        sender.announce(message("a:0:0:4", 4), key=b"7")

        code, found = findings(environ)

        assert 0 == code
        assert ("warning", "there is none: the job would wait for it") == of(
            "message", found
        )
        assert "for others (55): 1" in of("control topic", found)[1]


class TestSettings:
    def test_faults(self, environ, sender):
        """Each fault has a line; what does not depend on them is looked at."""
        announced(sender)

        code, found = findings(
            {
                **environ,
                "KWARGS_FIT": '{"epoch": 3}',
                "STREAMFIT_SHUFFLE": "x",
                "STREAMFIT_SPOOL_MEMORY": "much",
            }
        )

        assert 78 == code
        faults = [each["finding"] for each in found["settings"]]
        assert 3 == len(faults)
        assert {"KWARGS_FIT", "STREAMFIT_SHUFFLE", "STREAMFIT_SPOOL_MEMORY"} == {
            re.match(r"[A-Z_]+", text)[0] for text in faults
        }
        assert "ok" == of("message", found)[0]
        assert "not checked" == of("model", found)[0]
        assert "not checked" == of("room", found)[0]

    def test_nothing_set(self):
        """Without any variable nothing can be looked at, and all are named."""
        code, found = findings({})

        assert 78 == code
        assert {"DEPLOYMENT_ID", "BATCH", "BOOTSTRAP_SERVERS", "RESULT_URL"} <= {
            each["finding"].split()[0] for each in found["settings"]
        }
        assert ("not checked", "the settings are wrong") == of("broker", found)


class TestBackend:
    def test_wrong_password(self, environ, backend, sender):
        """The back-end's word is told, and the password nowhere."""
        announced(sender)
        backend.server.expect_oneshot_request(
            "/results/3", method="GET"
        ).respond_with_response(Response("who?", 401))
        url = backend.url.replace("http://", "http://someone:hidden-word@")

        done = look({**environ, "RESULT_URL": url})

        assert 65 == done.returncode
        assert "status 401: 'who?'" in done.stdout
        assert "hidden-word" not in done.stdout + done.stderr
        assert "***@" in done.stdout
        assert re.search(r"^message +ok", done.stdout, re.MULTILINE)

    def test_no_result(self, environ, backend):
        """Another number than the platform gave."""
        backend.server.expect_request("/results/333").respond_with_data(status=404)
        code, found = findings({**environ, "RESULT_URL": f"{backend.url}33"})

        assert 65 == code
        assert "fault" == of("back-end", found)[0]
        assert "status 404" in of("back-end", found)[1]

    def test_empty_model(self, environ, backend):
        backend.model = b""

        code, found = findings(environ)

        assert 65 == code
        assert "empty answer" in of("back-end", found)[1]
        assert "not checked" == of("model", found)[0]

    @pytest.mark.parametrize(
        ("name", "reason"), [("code", "Lambda"), ("uncompiled", "not compiled")]
    )
    def test_unusable_model(self, environ, backend, name, reason):
        backend.model = model_file(name).read_bytes()

        code, found = findings(environ)

        assert 65 == code
        assert "ok" == of("back-end", found)[0]
        assert "fault" == of("model", found)[0]
        assert reason in of("model", found)[1]

    def test_away(self, environ, sender, closed):
        """It is asked once, and everything else is looked at."""
        announced(sender)

        code, found = findings({**environ, "RESULT_URL": f"http://{closed}/results/3"})

        assert 75 == code
        assert "fault" == of("back-end", found)[0]
        assert "ok" == of("records", found)[0]
        assert "not checked" == of("examples and model", found)[0]

    def test_silent(self, environ, silent):
        """A back-end that never answers is not waited for."""
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/results/3"

        code, found = findings({**environ, "RESULT_URL": url}, "--timeout", "1")

        assert 75 == code
        assert "fault" == of("back-end", found)[0]


class TestBroker:
    def test_away(self, environ, backend, closed):
        code, found = findings({**environ, "BOOTSTRAP_SERVERS": closed}, "--timeout=1")

        assert 75 == code
        assert "fault" == of("broker", found)[0]
        assert closed in of("broker", found)[1]
        assert "ok" == of("model", found)[0]
        assert "not checked" == of("records", found)[0]

    def test_no_control_topic(self, environ):
        code, found = findings({**environ, "CONTROL_TOPIC": unique("nowhere")})

        assert 75 == code
        assert "ok" == of("broker", found)[0]
        assert "fault" == of("control topic", found)[0]
        assert "not checked" == of("message", found)[0]


class TestMessage:
    def test_lost_offsets(self, environ, sender, kafka):
        """Retention was faster."""
        announced(sender)
        KafkaTopics(kafka).delete_records(sender.topic, 10)

        code, found = findings(environ)

        assert 75 == code
        assert "10 offsets are gone" in of("stream", found)[1]
        assert "not checked" == of("records", found)[0]
        assert "fault" == of("message", found)[0]

    def test_missing_offsets(self, environ, sender):
        """Records that are not written yet are waited for as long as asked for."""
        sender.announce(message(f"{sender.topic}:0:0:4", 4, input_config=RAW_DIGITS))

        code, found = findings(environ, "--timeout", "1")

        assert 75 == code
        assert "not there yet" in of("stream", found)[1]

    def test_bad_records(self, environ, sender):
        """Place and reason are told; a later message that is good is taken."""
        images, labels = digits(10)
        ranges = sender.send([*raw(images, labels), (b"\1", b"short")])
        sender.announce(message(ranges, 11, input_config=RAW_DIGITS))

        code, found = findings(environ)
        announced(sender)
        later, taken = findings(environ)

        place = f"{sender.topic}[0]@10: data has 5 bytes, wanted 64"
        assert 75 == code
        assert "1 of the first 11 of 11 are bad" in of("records", found)[1]
        assert place in of("records", found)[1]
        assert 0 == later
        skipped, chosen = taken["message"]
        assert "warning" == skipped["verdict"]
        assert place in skipped["finding"]
        assert f"{sender.control}[0]@1: the job would take it" == chosen["finding"]

    def test_other_model(self, environ, sender):
        """Examples that the model cannot take."""
        flat = {**RAW_DIGITS, "data_reshape": "16 4"}
        sender.announce(message(sender.send(raw(*digits(40))), 40, input_config=flat))

        code, found = findings(environ)

        assert 75 == code
        assert ("fault", "an example is (16, 4), the model takes (8, 8)") == of(
            "examples and model", found
        )

    def test_worst(self, environ, backend, sender):
        """Of several faults the most lasting one is the exit code."""
        sender.announce("no JSON")
        backend.model = model_file("code").read_bytes()

        code, found = findings(environ)

        assert 65 == code
        assert "fault" == of("content", found)[0]


class TestModes:
    def test_incremental(self, environ, kafka):
        """Case 2: where the job would begin, and the mini-batches' parts."""
        topics = KafkaTopics(kafka)
        sender = OnlineSender(kafka, unique("live"), unique("control"))
        topics.create(sender.topic)
        topics.create(sender.control)
        sender.send(raw(*digits(30)))

        code, found = findings(
            {
                **environ,
                "CONTROL_TOPIC": sender.control,
                "CASE": "2",
                "STREAM_TIMEOUT": "60000",
                "STREAMFIT_MINI_BATCH": "20",
            }
        )

        assert 0 == code, found
        text = of("stream", found)[1]
        assert f"begin at {sender.topic}[0]@" in text
        assert "records since then" in text
        assert (
            "of a full mini-batch training 18, validation 2, test 0"
            == (of("parts", found)[1])
        )
        assert "ok" == of("records", found)[0]
        assert "ok" == of("examples and model", found)[0]

    def test_chain(self, environ, sender, httpserver):
        """Case 3: every sub-model is fetched and told."""
        models = [path.read_bytes() for path in chain_files(3)]
        parts = [SubModel(number, [model]) for number, model in enumerate(models, 8)]
        backend = ChainBackend(httpserver, parts)
        announced(sender)

        code, found = findings(
            {
                **environ,
                **backend.variables,
                "CASE": "3",
                "OPTIMIZER": "adam",
                "LEARNING_RATE": "0.250000",
                "LOSS": "sparse_categorical_crossentropy",
                "METRICS": "accuracy",
            }
        )

        assert 0 == code, found
        assert [1, 1, 1] == [part.downloads for part in parts]
        assert "takes (8, 8)" in of("sub-model 1", found)[1]
        assert "takes (12,)" in of("sub-model 3", found)[1]
        assert "ok" == of("examples and model", found)[0]
        assert {"GET"} == methods(httpserver)

    def test_unlabelled(self, environ, sender, kafka):
        """Semi-supervised: the other stream is looked at, too."""
        other = unique("others")
        KafkaTopics(kafka).produce(other, *[(None, bytes(64))] * 5, (None, b"x"))
        announced(sender, unsupervised_topic=f"{other}:0:0:6")

        code, found = findings(
            {
                **environ,
                "UNSUPERVISED": "True",
                "UNSUPERVISED_ROUNDS": "2",
                "CONFIDENCE": "0.9",
            }
        )

        assert 75 == code
        assert ("ok", f"6 records in {other}[0]@0..6") == of("unlabelled stream", found)
        assert f"{other}[0]@5: data has 1 bytes" in of("unlabelled records", found)[1]


def test_room(environ, sender, tmp_path):
    """What the job would keep is compared with what is free."""
    images = np.zeros((40, 8, 8), np.uint8)
    ranges = sender.send(raw(images, np.zeros((40, 1), np.uint8)))
    sender.announce(message(ranges, 40, input_config=RAW_DIGITS))

    code, found = findings(
        {
            **environ,
            "STREAMFIT_SPOOL_MEMORY": "1kB",
            "STREAMFIT_SPOOL_DIR": str(tmp_path),
            "STREAMFIT_STATE_DIR": str(tmp_path / "state"),
        }
    )

    assert 0 == code
    assert "warning" == of("labels", found)[0]  # one class
    assert str(tmp_path) in of("spool", found)[1]
    assert "about 2.539 KiB needed" in of("spool", found)[1]
    assert str(tmp_path / "state") in of("state folder", found)[1]


def test_stopped(environ, silent):
    """Ctrl-C ends it at once, with the code that shells expect."""
    url = f"http://127.0.0.1:{silent.getsockname()[1]}/results/3"
    process = subprocess.Popen(
        [COMMAND, "check", "--timeout", "100"],
        env=surroundings({**environ, "RESULT_URL": url}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        connection, _ = silent.accept()  # by now it waits for the back-end
        with connection:
            process.send_signal(signal.SIGINT)
            shown, said = process.communicate(timeout=LIMIT)
    finally:
        process.kill()
        process.wait()

    assert 130 == process.returncode
    assert "stopped before everything was looked at" in said
    assert "" == shown
