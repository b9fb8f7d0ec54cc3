"""Zip archives that are more than a model."""

from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tf_keras

from adapters.tensorflow import ModelSettings, TensorFlowSettings, TensorFlowTrainer
from domain.errors import ModelInvalid
from tests.models import ArrayDataset, examples, model_file
from tests.models.keras_3 import save


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good archive, to be spoiled."""
    return save("regression", tmp_path / "model.keras")


@pytest.fixture
def refusal(tmp_path):
    """Return why a file is refused, by `inspect` and by `load` alike."""

    def refusal(path, **settings):
        trainer = TensorFlowTrainer(
            TensorFlowSettings(32),
            tmp_path,
            repeat=False,
            model_settings=ModelSettings(**settings),
        )
        files = {file for file in tmp_path.parent.rglob("*") if file.is_file()}
        said = set()
        for method in (trainer.inspect, trainer.load):
            with pytest.raises(ModelInvalid) as refused:
                method(path)
            said.add(str(refused.value))
        assert files == {file for file in tmp_path.parent.rglob("*") if file.is_file()}
        (message,) = said
        return message

    return refusal


def add(path: Path, name: str, content: bytes = b"", **attributes: int) -> None:
    """Add a member, which has *attributes*."""
    member = zipfile.ZipInfo("name")
    member.filename = name  # the constructor would mend it
    for attribute, value in attributes.items():
        setattr(member, attribute, value)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member, content)


@pytest.mark.parametrize("kind", ["keras", "saved_model"])
class TestMembers:
    """What no archive of a model needs, refused before anything is unpacked."""

    @pytest.fixture
    def path(self, path, kind, tmp_path):
        if kind == "keras":
            return path
        other = tmp_path / "model.zip"
        with zipfile.ZipFile(other, "w") as archive:
            archive.writestr("saved_model.pb", b"")
        return other

    @pytest.mark.parametrize(
        "name",
        [
            "../evil",
            "assets/../../evil",
            "/tmp/evil",
            "variables/..",
            "..\\evil",
            "C:\\evil",
        ],
    )
    def test_elsewhere(self, path, refusal, name):
        """No member leads out of the archive."""
        add(path, name)

        assert f"the archive's member {name!r} leads out of the archive" == refusal(
            path
        )

    @pytest.mark.parametrize("kind_of_file", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
    def test_links(self, path, refusal, kind_of_file):
        """None is a link, a device or a pipe."""
        add(path, "assets/x", b"/etc/passwd", external_attr=kind_of_file << 16)

        assert (
            "the archive's member 'assets/x' is no file but a link or a device"
            == refusal(path)
        )

    def test_twice(self, path, refusal):
        """None is there twice: readers would differ in which one counts."""
        with pytest.warns(UserWarning, match="Duplicate"):
            add(path, path_of_first(path), b"{}")

        assert "the archive has two members" in refusal(path)

    def test_bomb(self, path, refusal):
        """A few kilobytes that would be 8 MiB are refused by the table of contents."""
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("assets/bomb", bytes(8 << 20))
        assert path.stat().st_size < 100_000

        assert (
            "the archive takes more than 1048576 bytes unpacked "
            "(STREAMFIT_MAX_MODEL_BYTES): 'assets/bomb'"
            == refusal(path, streamfit_max_model_bytes=1 << 20)
        )

    def test_many(self, path, refusal):
        """Nor are there more members than any model has."""
        with zipfile.ZipFile(path, "a") as archive:
            for i in range(10_001):
                archive.writestr(f"assets/{i}", b"")

        assert "the archive has more than 10000 members" == refusal(path)

    def test_encrypted(self, path, refusal):
        """None is encrypted."""
        add(path, "assets/x", b"x")
        content = bytearray(path.read_bytes())
        entry = content.rindex(b"PK\x01\x02")
        struct.pack_into("<H", content, entry + 8, 1)
        path.write_bytes(content)

        assert "'assets/x' is encrypted" in refusal(path)

    def test_packing(self, path, refusal):
        """None is packed in a way that bombs like, and Keras does not."""
        add(path, "assets/x", b"x", compress_type=zipfile.ZIP_LZMA)

        assert "'assets/x' is packed in an unusual way" in refusal(path)


def path_of_first(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()[0]


def test_table_of_contents_lies(path, refusal):
    """A member that holds more than the table says is damaged, not read."""
    other = path.with_suffix(".lie")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for name in ("metadata.json", "config.json"):
            new.writestr(name, old.read(name))
        new.writestr("model.weights.h5", bytes(8 << 20), zipfile.ZIP_DEFLATED)
    content = bytearray(other.read_bytes())
    entry = content.rindex(b"PK\x01\x02")
    struct.pack_into("<I", content, entry + 24, 1000)
    other.write_bytes(content)

    assert "damaged" in refusal(other)


def test_cut_off(path, refusal):
    """Half an archive is damaged."""
    path.write_bytes(path.read_bytes()[:3000])

    assert refusal(path).startswith("the zip archive is damaged: ")


@pytest.mark.parametrize("missing", ["metadata.json", "model.weights.h5"])
def test_incomplete(path, refusal, missing):
    """What is missing is named."""
    other = path.with_suffix(".part")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            if name != missing:
                new.writestr(name, old.read(name))

    assert f"the archive has no member {missing!r}" == refusal(other)


def test_weights_no_hdf5(path, refusal):
    """The weights within are looked into as well."""
    other = path.with_suffix(".part")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name) if "weights" not in name else b"pickle")

    assert refusal(other).startswith("the HDF5 file is damaged: ")


@pytest.mark.parametrize("name", ["digits", "cnn", "two_outputs"])
def test_of_keras_2(tmp_path, name):
    """The last Keras 2 wrote such archives too; they are trained as its HDF5 is."""
    path = tmp_path / "model.keras"
    tf_keras.models.load_model(model_file(name)).save(path)
    settings = TensorFlowSettings(32, kwargs_fit={"epochs": 2})
    trainer = TensorFlowTrainer(settings, tmp_path, repeat=False)
    data = ArrayDataset(examples(name))
    weights = []

    for file in (path, model_file(name)):
        trainer.inspect(file)
        model = trainer.load(file)
        model.fit(data, None, lambda _: None)
        saved = tf_keras.models.load_model(model.save())
        weights.append(saved.get_weights())

    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)
