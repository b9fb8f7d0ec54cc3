"""One demo from beginning to end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO

from adapters.kafka import EmbeddedKafka
from bootstrap.demo import report
from bootstrap.demo.backend import DemoBackend, ModelResult
from bootstrap.demo.scenarios import Scenario
from bootstrap.demo.sending import CONTROL_TOPIC, DEPLOYMENT, Sending

DEADLINE = 600.0
"""Seconds that the job may take; it needs a few."""

FOLLOWING = "stream is followed"
"""What the job logs as soon as no record can escape it."""


def run(scenario: Scenario, folder: Path, out: TextIO = sys.stdout) -> int:
    """Show *scenario*, keep its result in *folder*, and return the exit code."""
    if find_spec("sklearn") is None:
        print(
            "The demo's data come with scikit-learn, which is not installed", file=out
        )
        return os.EX_UNAVAILABLE
    data = scenario.data()
    folder.mkdir(parents=True, exist_ok=True)
    results = {
        number: ModelResult(model, folder)
        for number, model in enumerate(scenario.models, 1)
    }
    with EmbeddedKafka() as kafka, DemoBackend(results).serve() as urls:
        sending = scenario.sending(data, kafka.bootstrap_servers)
        print(f"Sending {data.title} as {data.input_format}", file=out)
        sending.begin()
        print("Running the job", file=out, flush=True)
        code = _run_job(
            {**os.environ, **variables(scenario, kafka.bootstrap_servers, urls)},
            sending,
        )
    if code or not all(kept.result for kept in results.values()):
        print(f"The job ended with exit code {code}", file=out)
        return code or os.EX_SOFTWARE
    report.show(scenario, sending, list(results.values()), out)
    return os.EX_OK


def variables(
    scenario: Scenario, bootstrap_servers: str, urls: Sequence[str]
) -> dict[str, str]:
    """Return the variables that the platform sets (contract, section 2)."""
    numbers = [str(number) for number in range(1, len(urls) + 1)]
    chain = len(urls) > 1
    return {
        "BOOTSTRAP_SERVERS": bootstrap_servers,
        "RESULT_URL": repr(list(urls)) if chain else urls[0],
        "RESULT_ID": repr(numbers) if chain else numbers[0],
        "CONTROL_TOPIC": CONTROL_TOPIC,
        "DEPLOYMENT_ID": str(DEPLOYMENT),
        "BATCH": str(scenario.batch),
        "KWARGS_FIT": json.dumps({"epochs": scenario.epochs}),
        "KWARGS_VAL": "{}",
        "CONF_MAT_CONFIG": "true",
        "CASE": str(scenario.case),
        "UNSUPERVISED": "False",
        "UNSUPERVISED_ROUNDS": "None",
        "CONFIDENCE": "0.9",
        # Ours: a job that had to skip the message ends instead of waiting for another.
        "STREAMFIT_CONTROL_DEADLINE": "60",
        "STREAMFIT_LOG": os.environ.get("STREAMFIT_LOG", "console"),
        **scenario.variables,
    }


def _run_job(environ: Mapping[str, str], sending: Sending) -> int:
    """Run the job to its end, send the rest meanwhile, and return its exit code."""
    rest: Future[None] | None = None
    with (
        ThreadPoolExecutor(1) as sender,
        subprocess.Popen(
            [sys.executable, "-m", "bootstrap"],
            env=environ,
            stderr=subprocess.PIPE if sending.follows else None,
            encoding="utf-8",
        ) as job,
    ):
        limit = threading.Timer(DEADLINE, job.kill)
        limit.start()
        try:
            for line in job.stderr or ():
                sys.stderr.write(line)
                if rest is None and FOLLOWING in line:
                    rest = sender.submit(sending.go_on)
            code = job.wait()
        except BaseException:  # such as Ctrl-C: no job is left behind
            job.kill()
            raise
        finally:
            limit.cancel()
    if rest is not None:
        rest.result()  # what went wrong there is to be seen
    return code
