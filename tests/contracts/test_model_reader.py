"""The trainers that describe models keep their contract."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from adapters.memory.trainer import FakeTrainer
from adapters.tensorflow import (
    ChainSettings,
    ModelSettings,
    TensorFlowSettings,
    TensorFlowTrainer,
)
from adapters.tensorflow.describing import describe
from domain.errors import ModelInvalid
from ports import ModelPart
from tests.contracts.model_reader import ModelReaderContract
from tests.models import chain_files, chain_folder, model_file

CHAIN = ChainSettings("adam", "mse", 1.0)


class TestFake(ModelReaderContract):
    @pytest.fixture
    def reader(self) -> FakeTrainer:
        return FakeTrainer()

    @pytest.fixture
    def model_path(self) -> Path:
        return model_file("digits")


class TestTensorFlow(ModelReaderContract):
    @pytest.fixture
    def reader(self, tmp_path: Path) -> TensorFlowTrainer:
        return TensorFlowTrainer(TensorFlowSettings(16), tmp_path, repeat=False)

    @pytest.fixture
    def model_path(self) -> Path:
        return model_file("digits")

    @pytest.mark.parametrize(
        ("name", "takes"),
        [("digits", (8, 8)), ("cnn", (8, 8, 1)), ("lstm", (6,)), ("binary", (30,))],
    )
    def test_takes(
        self, reader: TensorFlowTrainer, name: str, takes: tuple[int, ...]
    ) -> None:
        """The shape of the only input is told, without the batch."""
        path = model_file(name)

        (part,) = reader.describe(path)

        size = path.stat().st_size
        assert ModelPart("HDF5 of Keras 2", True, size, takes) == part

    def test_uncompiled(self, reader: TensorFlowTrainer) -> None:
        """Whether it says how to train is told, and no obstacle here."""
        (part,) = reader.describe(model_file("uncompiled"))

        assert not part.compiled

    def test_saved_model(self, reader: TensorFlowTrainer, tmp_path: Path) -> None:
        """Archives and folders are told apart."""
        archive = model_file("regression", "2.2").with_suffix(".zip")
        folder = tmp_path / "unpacked"
        with zipfile.ZipFile(archive) as zip_:
            zip_.extractall(folder)
        (graphs,) = folder.rglob("saved_model.pb")

        (zipped,) = reader.describe(archive)
        (unpacked,) = reader.describe(graphs.parent)

        assert "SavedModel, zipped, of Keras 2" == zipped.kind
        assert "SavedModel of Keras 2" == unpacked.kind
        assert ((5,), (5,)) == (zipped.takes, unpacked.takes)
        assert (True, True) == (zipped.compiled, unpacked.compiled)

    def test_chain(self, tmp_path: Path) -> None:
        """Every sub-model is told, in their order."""
        folder = chain_folder(tmp_path / "chain", chain_files(3))

        parts = describe(folder, ModelSettings(), CHAIN)

        assert [(8, 8), (12,), (12,)] == [part.takes for part in parts]

    def test_part_of_a_chain(self, tmp_path: Path) -> None:
        """What is wrong with a sub-model is told."""
        folder = chain_folder(tmp_path / "chain", chain_files(2))
        shutil.copyfile(model_file("code"), folder / "2.h5")

        with pytest.raises(ModelInvalid, match="Lambda"):
            describe(folder, ModelSettings(), CHAIN)
