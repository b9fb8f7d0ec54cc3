"""What the pages of docs/ say is so, and what they link to is there."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from adapters.kafka.properties import VARIABLES
from bootstrap import termination
from bootstrap.main import EXIT_CODES
from bootstrap.settings import SERVED_CASES
from docs.site import LINK, ROOT, laid_out, lay_out, pages
from domain import errors
from domain.errors import RequestRejected, ServiceError, SettingsInvalid
from domain.sending import DataInvalid
from tests.contracts import decoder as decoder_contract

PAGES = sorted(pages())
DOCS = ROOT / "docs"


def read(name):
    return DOCS.joinpath(name).read_text(encoding="utf-8")


def blocks(text, language):
    """Return the code of *language* in a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def found(pattern, name):
    """Return what is found in the lines of a page."""
    return re.findall(pattern, read(name), re.MULTILINE)


def prose(text):
    """Return a page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(path):
    """Return what a page's headings are called in links."""
    headings = re.findall(r"^#+ (.*)$", prose(path.read_text()), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


class TestLinks:
    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    def test_targets(self, page):
        """Every link within the sources leads to a file or a heading that is there."""
        for _, target in LINK.findall(prose(page.read_text())):
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            assert file.exists(), target
            assert file.is_relative_to(ROOT), target
            if anchor:
                assert anchor in anchors(file), target

    def test_links_are_found(self):
        """There are links in the first place."""
        links = [LINK.findall(prose(page.read_text())) for page in PAGES]

        assert 40 < sum(map(len, links))

    def test_every_page_is_reached(self):
        """The README leads to each page, and the site's menu to each, too."""
        readme = ROOT.joinpath("README.md").read_text()
        config = tomllib.loads(read("zensical.toml"))
        menu = {name for entry in config["project"]["nav"] for name in entry.values()}

        assert {*pages().values()} == menu
        for path in DOCS.glob("*.md"):
            assert f"(docs/{path.name})" in readme


class TestSite:
    def test_links_of_the_site(self, tmp_path):
        """On the site pages lie side by side, and what is no page is no link."""
        lay_out(tmp_path)

        there = {path.name for path in tmp_path.glob("*.md")}
        assert {*pages().values()} == there
        for path in tmp_path.glob("*.md"):
            for _, target in LINK.findall(prose(path.read_text())):
                name, _, anchor = target.partition("#")
                assert not name or name in there
                if anchor:
                    assert anchor in anchors(tmp_path / (name or path.name))
        assert "(domain/" not in prose(laid_out(ROOT / "README.md"))

    def test_built(self, tmp_path):
        """The generator has nothing to complain of."""
        lay_out(tmp_path / "pages")
        (tmp_path / "zensical.toml").write_text(read("zensical.toml"))

        built = subprocess.run(
            [
                *(Path(sys.executable).parent / "zensical", "build", "--strict"),
                *("--config-file", tmp_path / "zensical.toml"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

        assert 0 == built.returncode, built.stderr
        html = (tmp_path / "docs" / "variables.html").read_text()
        assert "<table>" in html
        assert not re.findall(r"""(?:src|rel="stylesheet" href)="https?:""", html)


class TestVariables:
    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    def test_known(self, page):
        """No page speaks of a variable of ours that does not exist."""
        told = set(re.findall(r"\bSTREAMFIT_[A-Z_]*[A-Z]\b", page.read_text()))
        rows = set(found(r"^\| `(\w+)` \|", "variables.md"))

        tests_only = {"STREAMFIT_REQUIRE_KAFKA", "STREAMFIT_TEST_BROKERS"}
        assert set() == told - rows - tests_only

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    def test_librdkafka(self, page):
        """Nor of a property of librdkafka."""
        told = re.findall(r"\b(LIBRDKAFKA_[A-Z_]*[A-Z])\b", page.read_text())

        known = VARIABLES.keys() | {f"{name}_FILE" for name in VARIABLES}
        assert set() == set(told) - known


def error_classes():
    """Return every error that has a name of its own."""
    classes = [each for each in vars(errors).values() if isinstance(each, type)]
    return [*classes, DataInvalid]


class TestErrors:
    @pytest.mark.parametrize("error", error_classes(), ids=lambda each: each.__name__)
    def test_catalogue(self, error):
        """Every class has a section, and a row with the exit code that it ends with."""
        name = error.__name__
        assert [f"## {name}"] == found(rf"^## {name}$", "errors.md")
        (row,) = found(rf"^\| \[{name}\].*\|$", "errors.md")

        code = row.split("|")[-2].strip()

        if error is ServiceError:
            assert "" == code
        elif issubclass(error, RequestRejected):
            assert "none" == code
        elif error is DataInvalid:
            assert str(os.EX_DATAERR) == code
        else:
            codes = (c for kind, c in EXIT_CODES.items() if issubclass(error, kind))
            assert str(next(codes)) == code

    def test_no_other(self):
        """No section is about a class that is gone."""
        told = found(r"^## (\w+)$", "errors.md")

        assert sorted(each.__name__ for each in error_classes()) == sorted(told)


class TestOperating:
    def test_exit_codes(self):
        """Every exit code is in the table."""
        told = {int(n) for n in found(r"^\| (\d+) \|", "operating.md")}

        assert {0, 130, 143, *EXIT_CODES.values()} == told

    def test_last_word(self):
        """The example of a termination message is one."""
        (example,) = blocks(read("operating.md"), "json")

        error = SettingsInvalid("BATCH is missing or empty")
        assert termination.failure(error, 78) == json.loads(example)


USE = """
import json
from pathlib import Path
from tempfile import mkdtemp
from bootstrap.container import Container
from adapters.memory.backend import MemoryBackend

message = json.loads(Path("message.json").read_text())
container = Container(environ={
    "DEPLOYMENT_ID": "7", "BATCH": "2", "CASE": "1", "STREAMFIT_BROKER": "memory",
    "STREAMFIT_BACKEND": "memory", "STREAMFIT_ENGINE": "fake",
})
broker, backend = container.memory_broker(), MemoryBackend(b"a model", Path(mkdtemp()))
container.memory_backend.override(backend)
records = (b"0", b"5.1;3.5;1.4"), (b"2", b"6;3;4.8"), (b"1", b"7;3;5")
broker.produce("measurements", *records)
broker.produce("control", (b"\\x07", json.dumps(message).encode()))
print(container.train_deployment().run().stream.examples)
"""


class TestPlugin:
    """The record format of the page on adapters, from its own blocks of code."""

    @pytest.fixture
    def installed(self, tmp_path):
        """Install it as a distribution; returns the folder."""
        page = read("adapters.md")
        (project,), (module,) = blocks(page, "toml"), blocks(page, "py")
        source, plugins = tmp_path / "source", tmp_path / "plugins"
        source.mkdir()
        (source / "pyproject.toml").write_text(project)
        (source / "streamfit_text.py").write_text(module)
        made = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--no-index"),
                *("--no-deps", "--no-build-isolation", "--target", plugins, source),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert 0 == made.returncode, made.stderr
        return plugins

    def test_trains(self, installed):
        """Once it is installed, the page's control message is trained on."""
        (message,) = blocks(read("adapters.md"), "json")
        (installed / "message.json").write_text(message)

        used = subprocess.run(
            [sys.executable, "-c", USE],
            cwd=installed,
            env={**os.environ, "PYTHONPATH": f"{installed}:{ROOT}"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

        assert "3\n" == used.stdout, used.stderr

    def test_contract(self, installed):
        """It keeps the contract of all decoders, with the page's own test class."""
        tests, _ = blocks(read("adapters.md"), "python")
        (installed / "test_text.py").write_text(tests)

        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
                *("-c", os.devnull, "--rootdir", installed, installed / "test_text.py"),
            ],
            cwd=installed,
            env={**os.environ, "PYTHONPATH": f"{installed}:{ROOT}"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

        assert 0 == done.returncode, done.stdout + done.stderr
        promises = [n for n in vars(decoder_contract.DecoderContract) if "test" in n]
        assert f"{len(promises)} passed" in done.stdout

    def test_options(self, installed):
        """Options that make no sense are refused as any decoder refuses them."""
        spec = importlib.util.spec_from_file_location(
            "streamfit_text", installed / "streamfit_text.py"
        )
        module = importlib.util.module_from_spec(spec)
        sys.modules["streamfit_text"] = module  # attrs looks there for types
        try:
            spec.loader.exec_module(module)
            for options in ({}, {"columns": 0}, {"columns": 2, "separator": ""}):
                with pytest.raises(RequestRejected, match=r"^input_config\."):
                    module.TextDecoder.from_options(options)
        finally:
            del sys.modules["streamfit_text"]

    def test_fakes(self, capsys):
        """The example with the fakes runs as it stands, and trains."""
        _, example = blocks(read("adapters.md"), "python")

        exec(compile(example, "adapters.md", "exec"), {})

        assert "TrainingReport(history=" in capsys.readouterr().out

    def test_groups(self):
        """The table names the groups that the container looks into, and no other."""
        told = set(found(r"^\| `streamfit\.(\w+)` ", "adapters.md"))

        container = ROOT.joinpath("bootstrap", "container.py").read_text()
        looked = set(re.findall(r"plugins\.adapters\(\"(\w+)\"", container))
        assert looked | {"decoders"} == told


class TestMigration:
    def test_cases(self):
        """The cases that it says are served are those that are."""
        rows = found(r"^\| [\w ]+ \| (\d) \| yes \|$", "migration.md")

        assert list(map(str, SERVED_CASES)) == rows
