"""The command ``streamfit`` as people type it, in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import version

import pytest

from bootstrap.command_line import app
from tests.end_to_end.process import COMMAND

COMMANDS = [str(command.name) for command in app.registered_commands]

BASH = """
eval "$(streamfit --show-completion)"
COMP_WORDS=({words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_streamfit_completion streamfit
echo "${{COMPREPLY[@]}}"
"""


def typed(*words, **environ):
    """Run the installed command with nothing of ours in its environment."""
    return process([COMMAND, *words], **environ)


def process(command, **environ):
    return subprocess.run(
        command,
        env={
            "PATH": f"{COMMAND.parent}:{os.environ['PATH']}",
            "HOME": os.environ["HOME"],
            "COLUMNS": "100",
            **environ,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def told(output):
    """Return the words of *output* without frames, each line's end a blank."""
    return re.sub(r"[\s│╭╮╰╯─]+", " ", output)


def imported(done):
    """Return the modules that a process with PYTHONPROFILEIMPORTTIME imported."""
    return set(re.findall(r"^import time: .*\| +(\S+)$", done.stderr, re.MULTILINE))


def packages(modules):
    return {name.partition(".")[0] for name in modules}


class TestHelp:
    def test_overview(self):
        """It names every command, and says what happens without one."""
        done = typed("--help")

        assert 0 == done.returncode
        assert "Without a command it is the training job itself" in told(done.stdout)
        for name in COMMANDS:
            assert re.search(rf"^│ {name} ", done.stdout, re.MULTILINE)

    @pytest.mark.parametrize("name", COMMANDS)
    def test_command(self, name):
        """It says what the command does, and shows how it is typed."""
        done = typed(name, "--help")

        assert 0 == done.returncode
        assert f"Usage: streamfit {name}" in done.stdout
        examples = done.stdout.partition("Examples:")[2]
        assert f"streamfit {name}" in examples

    def test_demo(self):
        """Every mode is explained, and so are defaults."""
        done = typed("demo", "-h")

        for text in (
            "classic: a stream that is complete",
            "semi-supervised: most records come without labels",
            "[default: classic]",
            "<raw|avro>",
            "[default: demo-result]",
        ):
            assert text in told(done.stdout)

    @pytest.mark.parametrize("words", [(), *((name,) for name in COMMANDS)])
    def test_light(self, words):
        """It waits neither for the engine nor for the broker's library."""
        done = typed(*words, "--help", PYTHONPROFILEIMPORTTIME="1")

        modules = imported(done)
        assert "bootstrap.command_line" in modules  # or else there is nothing to see
        assert packages(modules).isdisjoint(
            {"tensorflow", "tf_keras", "keras", "confluent_kafka", "numpy", "httpx"}
        )


def test_version():
    """It is that of the installed distribution."""
    done = typed("--version")

    assert (0, f"streamfit {version('streamfit')}\n") == (done.returncode, done.stdout)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--nonsense"], "No such option: --nonsense"),
        (["nonsense"], "No such command 'nonsense'"),
        (["demo", "--nonsense"], "No such option: --nonsense"),
        (["demo", "nonsense"], "unexpected extra argument"),
        (["demo", "--mode", "federated"], "'federated' is not one of 'classic'"),
        (["demo", "--format", "json"], "'json' is not one of 'raw', 'avro'"),
        (["demo", "--folder", __file__], "is a file"),
        (
            ["demo", "--mode", "distributed", "--format", "avro"],
            "--mode distributed is shown with --format raw",
        ),
    ],
)
def test_bad_usage(words, reason):
    """What is wrong is told on standard error, and the exit code is 2."""
    done = typed(*words)

    assert 2 == done.returncode
    assert reason in told(done.stderr)
    assert "" == done.stdout


class TestCompletion:
    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            ("streamfit de", "demo"),
            ("streamfit demo --fo", "--format --folder"),
            ("streamfit demo --mode dis", "distributed distributed-incremental"),
        ],
    )
    def test_bash(self, words, expected):
        """The script that it prints completes what is typed, in a real shell."""
        done = process(["bash", "-c", BASH.format(words=words)])

        assert expected.split() == done.stdout.split(), done.stderr

    @pytest.mark.parametrize("shell", ["zsh", "fish"])
    def test_other_shells(self, shell):
        """They ask without arguments, and are answered instead of trained for."""
        done = typed(
            _STREAMFIT_COMPLETE=f"complete_{shell}",
            _TYPER_COMPLETE_ARGS="streamfit demo --mode inc",
            _TYPER_COMPLETE_FISH_ACTION="get-args",
        )

        assert (0, "") == (done.returncode, done.stderr)
        assert "incremental" in done.stdout
        assert "classic" not in done.stdout


class TestJob:
    def test_without_arguments(self):
        """It is the job of the environment, which says what is missing there."""
        done = typed()

        assert 78 == done.returncode
        assert "DEPLOYMENT_ID is missing" in done.stderr

    def test_lean(self):
        """It brings nothing along that is for people."""
        modules = imported(typed(PYTHONPROFILEIMPORTTIME="1"))

        assert "bootstrap.container" in modules  # or else there is nothing to see
        assert packages(modules).isdisjoint({"typer", "shellingham"})
        assert "bootstrap.command_line" not in modules
        assert not [name for name in modules if name.startswith("bootstrap.demo")]

    def test_rich(self):
        """Of rich it has what its libraries import by themselves, and no more."""
        libraries = process(
            [sys.executable, "-c", "import structlog, httpx"],
            PYTHONPROFILEIMPORTTIME="1",
        )
        theirs = imported(libraries)

        ours = imported(typed(PYTHONPROFILEIMPORTTIME="1"))

        assert {"structlog", "httpx"} <= theirs & ours
        beyond = {name for name in ours - theirs if name.startswith("rich")}
        assert set() == beyond
