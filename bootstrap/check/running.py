"""What ``streamfit check`` does."""

from __future__ import annotations

import logging
import os
import sys

from bootstrap import logs
from bootstrap.check import rendering
from bootstrap.check.wiring import check_deployment, limited
from bootstrap.container import Container
from bootstrap.signals import Signals


def run(timeout: float, *, as_json: bool) -> int:
    """
    Look at the deployment of the environment, and return the process's exit code.

    Args:
        timeout: Seconds that each step may take.

        as_json: Whether a program reads what is found.
    """
    logs.configure("console")
    # The table says it all; what the adapters remark on the way is for the job's log.
    logging.getLogger().setLevel(logging.ERROR)
    logging.getLogger("librdkafka").setLevel(logging.CRITICAL)
    signals = Signals(last_word=_say_stopped)
    signals.install()
    container = Container(environ=limited(os.environ, timeout))
    try:
        check = check_deployment(os.environ, container, timeout)
        findings = [rendering.masked(each, os.environ) for each in check.run()]
    except (Exception, SystemExit):
        if signals.code is None:
            raise
        _say_stopped(signals.code)  # whatever a library made of being interrupted
        return signals.code
    finally:
        container.shutdown_resources()
    code = rendering.exit_code(findings)
    if as_json:
        rendering.write_json(findings, code, sys.stdout)
    elif sys.stdout.isatty():
        rendering.draw(findings, code)
    else:
        rendering.write_plain(findings, code, sys.stdout)
    return code


def _say_stopped(_: int) -> None:
    sys.stderr.write("streamfit check: stopped before everything was looked at\n")
