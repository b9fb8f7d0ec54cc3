"""
The command ``streamfit`` for people; without arguments it is the platform's job.

A command is a function in a module of its own: its docstring is what ``--help`` says,
its annotated parameters are the options, and it returns the process's exit code.  What
is heavy it imports when it is called, so that help and completion stay fast.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from bootstrap import showing
from bootstrap.check import command as checking
from bootstrap.demo import command as demo
from bootstrap.sending import command as sending


def _leave(code: int, **_: object) -> None:
    """End the process with what the command returned."""
    raise typer.Exit(code)


def _print_version(wanted: bool) -> None:  # noqa: FBT001  # as typer calls it
    if wanted:
        typer.echo(f"streamfit {version('streamfit')}")
        raise typer.Exit


app = typer.Typer(
    name="streamfit",
    result_callback=_leave,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,  # a traceback is for those who report it: plain
    epilog="Exit codes: 2 says that the command line is wrong; the job's are in "
    "docs/operating.md.",
)


@app.callback()
def streamfit(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version and exit.",
            callback=_print_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """
    model.fit on a data stream.

    Without a command it is the training job itself: it takes everything from the
    environment, as the platform sets it, and waits for its deployment's message.
    """


app.command("demo", epilog=demo.EXAMPLES)(demo.demo)
app.command("check", epilog=checking.EXAMPLES)(checking.check)
app.command("send", epilog=sending.EXAMPLES)(sending.send)
app.command("show", epilog=showing.EXAMPLES)(showing.show)
