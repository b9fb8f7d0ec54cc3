"""The part of a start that nobody can spare: TensorFlow's import."""

from __future__ import annotations

import os
import time

from benchmarks.contenders.job import Job, max_rss, report

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
os.environ["TF_USE_LEGACY_KERAS"] = "1"  # as the job does: without Keras 3


def main() -> None:
    """Import it."""
    job = Job()
    startup = time.time() - job.started
    cpu, started = time.process_time(), time.perf_counter()
    import tensorflow as tf

    assert tf.version.VERSION  # noqa: S101  # a benchmark: asserted is used
    report(
        {
            "seconds": time.perf_counter() - started,
            "cpu_seconds": time.process_time() - cpu,
            "startup_seconds": startup,
            "max_rss": max_rss(),
            "records": 1,
        }
    )


if __name__ == "__main__":
    main()
