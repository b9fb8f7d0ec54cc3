"""Environment in, exit code out."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
from collections.abc import Mapping, Sequence

from bootstrap import logs, termination
from bootstrap.checking import check_environment
from bootstrap.container import Container
from bootstrap.signals import Signals
from domain.errors import DeploymentInvalid, ModelInvalid, Unavailable

log = logging.getLogger(__name__)

EXIT_CODES = {
    ModelInvalid: os.EX_DATAERR,  # 65
    DeploymentInvalid: os.EX_CONFIG,  # 78
    Unavailable: os.EX_TEMPFAIL,  # 75: worth a restart
    BaseException: os.EX_SOFTWARE,  # 70: a bug
}
"""First match wins; 0 means that the result was accepted."""

GC_THRESHOLDS = (100_000, 50, 50)
"""
A batch brings thousands of Kafka messages, none of them in a cycle.  To search them for
cycles every 700 objects, as Python does by default, costs an eighth of the reading.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the process's exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments:  # as the platform starts it: the demo stays out of the memory
        return train(os.environ)
    from bootstrap import demo

    parser = argparse.ArgumentParser(
        prog="streamfit",
        description="Train the deployment that the environment names, on its stream.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    demo.add_arguments(
        commands.add_parser("demo", help="stream real data through the real job")
    )
    return demo.run(parser.parse_args(arguments))


def train(environ: Mapping[str, str]) -> int:
    """Run one training job and return the process's exit code."""
    signals = Signals(
        last_word=lambda code: termination.write(environ, termination.stopped(code))
    )
    signals.install()
    gc.set_threshold(*GC_THRESHOLDS)
    logs.configure("json")
    container = Container(environ=environ)
    try:
        check_environment(environ)
        settings = container.settings()
        logs.configure(settings.streamfit_log, deployment_id=settings.deployment_id)
        report = container.job().run()
    except (Exception, SystemExit) as error:  # a process answers for everything
        if signals.code is not None:  # whatever a library made of being interrupted
            log.info("stopped", extra={"exit_code": signals.code})
            termination.write(environ, termination.stopped(signals.code))
            return signals.code
        code = next(c for kind, c in EXIT_CODES.items() if isinstance(error, kind))
        log.error(
            "job failed",
            extra={"reason": str(error), "exit_code": code},
            exc_info=code == os.EX_SOFTWARE,
        )
        termination.write(environ, termination.failure(error, code))
        return code
    finally:
        container.shutdown_resources()
    termination.write(environ, termination.success(report))
    return os.EX_OK
