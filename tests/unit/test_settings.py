"""Environment variables to settings."""

from __future__ import annotations

import tempfile

import pytest
from attrs import field, frozen, validators

from adapters.spool import SpoolSettings
from adapters.state import StateSettings
from adapters.wire.dialect import Dialect
from bootstrap.checking import check_environment
from bootstrap.settings import Settings, check, load
from domain.bad_records import BadRecordPolicy
from domain.errors import SettingsInvalid

MINIMUM = {"DEPLOYMENT_ID": "7", "BATCH": "32"}
FAKES = {
    **MINIMUM,
    "STREAMFIT_BROKER": "memory",
    "STREAMFIT_BACKEND": "memory",
    "STREAMFIT_ENGINE": "fake",
}


@frozen
class Example:
    count: int
    share: float = field(default=0.5, validator=validators.le(1))
    words: tuple[str, ...] = field(default=(), converter=tuple)
    wanted: bool = False


class TestLoad:
    def test_defaults(self):
        """Only what has no default must be set."""
        assert Example(3) == load(Example, {"COUNT": "3"})

    def test_types(self):
        """Texts become the fields' types, by converter where there is one."""
        environ = {"COUNT": "-3", "SHARE": "0.25", "WORDS": "ab", "WANTED": "true"}

        assert Example(-3, 0.25, ("a", "b"), True) == load(Example, environ)

    @pytest.mark.parametrize(
        ("text", "flag"),
        [("true", True), ("True", True), ("false", False), ("null", False)],
    )
    def test_flags(self, text, flag):
        """Flags come as JSON, as Python, and as null."""
        assert flag is load(Example, {"COUNT": "3", "WANTED": text}).wanted

    @pytest.mark.parametrize("text", ["", "  "])
    def test_empty_is_missing(self, text):
        """The platform writes its nulls as empty texts."""
        assert 0.5 == load(Example, {"COUNT": "3", "SHARE": text}).share
        with pytest.raises(SettingsInvalid, match="COUNT is missing or empty"):
            load(Example, {"COUNT": text})

    @pytest.mark.parametrize(
        ("variable", "text"),
        [
            ("COUNT", "3.0"),
            ("COUNT", "three"),
            ("SHARE", "nan"),
            ("SHARE", "inf"),
            ("SHARE", "1.5"),
            ("SHARE", "half"),
            ("WANTED", "yes"),
        ],
    )
    def test_malformed(self, variable, text):
        """A text that is no such value is refused by the variable's name."""
        with pytest.raises(SettingsInvalid, match=f"^{variable}: "):
            load(Example, {"COUNT": "3", variable: text})

    def test_all_faults_at_once(self):
        """One message names everything, over several classes, and nothing twice."""
        with pytest.raises(SettingsInvalid) as caught:
            check({"SHARE": "2", "WANTED": "?"}, Example, Settings, Example)

        faults = str(caught.value).split("; ")
        assert ["COUNT", "SHARE", "WANTED", "DEPLOYMENT_ID", "BATCH"] == [
            fault.split()[0].rstrip(":") for fault in faults
        ]


class TestBadRecords:
    @pytest.mark.parametrize(
        ("text", "policy", "topic"),
        [
            ("fail", BadRecordPolicy(), None),
            ("skip:0", BadRecordPolicy(limit=0), None),
            ("skip:12", BadRecordPolicy(limit=12), None),
            ("skip:0.5%", BadRecordPolicy(limit=None, share=0.005), None),
            ("skip:100%", BadRecordPolicy(limit=None, share=1.0), None),
            ("dead-letter:bad.ones", BadRecordPolicy(None, None, True), "bad.ones"),
        ],
    )
    def test_forms(self, text, policy, topic):
        """Fail, skip a number or a share, or keep them on a topic."""
        environ = {**MINIMUM, "STREAMFIT_BAD_RECORDS": text}

        wanted = load(Settings, environ).streamfit_bad_records

        assert (policy, topic) == (wanted.policy, wanted.topic)

    @pytest.mark.parametrize(
        "text", ["skip", "skip:", "skip:-1", "skip:101%", "dead-letter:", "drop:1"]
    )
    def test_malformed(self, text):
        """Anything else is refused."""
        environ = {**MINIMUM, "STREAMFIT_BAD_RECORDS": text}

        with pytest.raises(SettingsInvalid, match="STREAMFIT_BAD_RECORDS: want fail,"):
            load(Settings, environ)


class TestDialect:
    def test_2020(self):
        """Without CASE it is the platform of 2020, whose parts repeat."""
        settings = load(Settings, MINIMUM)

        assert (Dialect.Y2020, True) == (settings.dialect, settings.repeats_parts)

    def test_current(self):
        """With CASE it is today's."""
        settings = load(Settings, {**MINIMUM, "CASE": "1"})

        assert (Dialect.CURRENT, False) == (settings.dialect, settings.repeats_parts)


class TestSelection:
    def test_unselected_adapters_ask_for_nothing(self):
        """With the fakes selected, no Kafka, HTTP or TensorFlow variable is needed."""
        check_environment(FAKES)

    def test_unknown_adapter(self):
        """An adapter that nobody wrote is refused with the names of those there are."""
        with pytest.raises(SettingsInvalid) as caught:
            check_environment(
                {"BATCH": "1", "STREAMFIT_BROKER": "x", "STREAMFIT_BACKEND": "memory"}
            )

        assert "STREAMFIT_BROKER: 'x' is none of kafka, memory" in str(caught.value)
        assert "DEPLOYMENT_ID is missing" in str(caught.value)


class TestFolders:
    @pytest.mark.parametrize("name", ["there", "there/a/b", "link/a"])
    def test_state(self, tmp_path, name):
        """A folder for state need not be there yet."""
        (tmp_path / "there").mkdir()
        (tmp_path / "link").symlink_to("there")
        environ = {"STREAMFIT_STATE_DIR": str(tmp_path / name)}

        assert tmp_path / name == load(StateSettings, environ).streamfit_state_dir
        assert not (tmp_path / "there" / "a").exists()

    @pytest.mark.parametrize(
        ("name", "complaint"),
        [
            ("file", "is no folder"),
            ("file/a/b", "cannot be made: '{}/file' is no folder"),
            ("dangling/a", "cannot be made: '{}/dangling' leads nowhere"),
            ("itself", ": Too many levels of symbolic links"),
            ("x" * 300, ": File name too long"),
        ],
    )
    def test_no_folder_for_state(self, tmp_path, name, complaint):
        """It is known beforehand that there can be none, and why."""
        (tmp_path / "file").write_text("")
        (tmp_path / "dangling").symlink_to("nowhere")
        (tmp_path / "itself").symlink_to("itself")

        with pytest.raises(SettingsInvalid) as refused:
            load(StateSettings, {"STREAMFIT_STATE_DIR": str(tmp_path / name)})

        told = str(refused.value)
        assert told.startswith(f"STREAMFIT_STATE_DIR: '{tmp_path / name}'")
        assert told.endswith(complaint.format(tmp_path))

    def test_impossible_path(self):
        """What the system says of a path is a mistake in the variable, too."""
        with pytest.raises(SettingsInvalid, match=r"^STREAMFIT_SPOOL_DIR: .* too long"):
            load(SpoolSettings, {"STREAMFIT_SPOOL_DIR": "/" + 300 * "x"})

    def test_nothing_temporary(self, tmp_path, monkeypatch):
        """Without any folder for temporary files, TMPDIR is what is missing."""

        def none() -> str:
            raise FileNotFoundError

        monkeypatch.setattr(tempfile, "gettempdir", none)
        environ = {**FAKES, "TMPDIR": str(tmp_path / "nowhere")}

        with pytest.raises(SettingsInvalid) as refused:
            check_environment(environ)

        assert (
            "TMPDIR: want a folder that takes temporary files, "
            f"{tmp_path / 'nowhere'}: No such file or directory"
        ) == str(refused.value)
