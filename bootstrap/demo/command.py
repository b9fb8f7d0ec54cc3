"""``streamfit demo``: real data, the real job, and what it made of them."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO

from adapters.kafka import EmbeddedKafka, publish
from adapters.plots import learning_curves_png
from bootstrap.demo.backend import DemoBackend, Result
from bootstrap.demo.data import STREAMS, TEST_RATE, VALIDATION_RATE, Stream

DEPLOYMENT = 1
CONTROL_TOPIC = "control"
DATA_TOPIC = "data"

DEADLINE = 600.0
"""Seconds that the job may take; it needs a few."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--format",
        choices=sorted(STREAMS),
        default="raw",
        help="record format: raw, handwritten digits; avro, breast cancer diagnoses",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("demo-result"),
        help="where the result goes (default: %(default)s)",
    )


def run(options: argparse.Namespace, out: TextIO = sys.stdout) -> int:
    """
    Run the demo and return the process's exit code.

    A Kafka inside this process and a back-end on a loopback port stand in for the
    platform; the job itself is a process of its own, as the platform would start it.
    """
    if find_spec("sklearn") is None:
        print(
            "The demo's data come with scikit-learn, which is not installed", file=out
        )
        return os.EX_UNAVAILABLE
    stream = STREAMS[options.format]()
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    backend = DemoBackend(stream.model, folder)
    with EmbeddedKafka() as kafka, backend.serve() as url:
        print(f"Sending {stream.title} as {stream.input_format}", file=out)
        _send(stream, kafka.bootstrap_servers)
        print("Running the job", file=out, flush=True)
        environ = _environ(stream, kafka.bootstrap_servers, url)
        job = subprocess.run(
            [sys.executable, "-m", "bootstrap"],
            env=os.environ | environ,
            timeout=DEADLINE,
            check=False,
        )
    if job.returncode or backend.result is None:
        print(f"The job ended with exit code {job.returncode}", file=out)
        return job.returncode or os.EX_SOFTWARE
    _show(backend.result, folder, out)
    return os.EX_OK


def _send(stream: Stream, bootstrap_servers: str) -> None:
    """Send the records, then announce them."""
    publish(bootstrap_servers, DATA_TOPIC, stream.records)
    key = DEPLOYMENT.to_bytes()
    body = stream.control_message(DATA_TOPIC)
    publish(bootstrap_servers, CONTROL_TOPIC, [(key, body)])


def _environ(stream: Stream, bootstrap_servers: str, url: str) -> dict[str, str]:
    """Return the variables that the platform sets for case 1 (contract, section 2)."""
    return {
        "BOOTSTRAP_SERVERS": bootstrap_servers,
        "RESULT_URL": url,
        "RESULT_ID": "1",
        "CONTROL_TOPIC": CONTROL_TOPIC,
        "DEPLOYMENT_ID": str(DEPLOYMENT),
        "BATCH": str(stream.batch),
        "KWARGS_FIT": f'{{"epochs": {stream.epochs}}}',
        "KWARGS_VAL": "{}",
        "CONF_MAT_CONFIG": "true",
        "CASE": "1",
        "UNSUPERVISED": "False",
        "STREAMFIT_LOG": os.environ.get("STREAMFIT_LOG", "console"),
    }


def _show(result: Result, folder: Path, out: TextIO) -> None:
    """Print the metrics and where the files are."""
    curves = folder / "learning_curves.png"
    curves.write_bytes(learning_curves_png(result.history))
    training = 1 - VALIDATION_RATE - TEST_RATE
    for part, share, metrics in (
        ("training", training, result.train_metrics),
        ("validation", VALIDATION_RATE, result.val_metrics),
        ("test", TEST_RATE, result.test_metrics),
    ):
        values = "  ".join(
            f"{name} {series[-1]:.4f}" for name, series in metrics.items()
        )
        print(f"{part:>12} ({share:.0%})  {values}", file=out)
    print(f"Trained for {result.training_time:.1f} s", file=out)
    for name in ("trained_model.h5", "confusion_matrix.png", curves.name):
        print(f"  {folder / name}", file=out)
