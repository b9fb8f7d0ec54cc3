"""The trainer's contract, on every trainer."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import tf_keras

from adapters.memory.trainer import FakeTrainer
from adapters.tensorflow import TensorFlowSettings, TensorFlowTrainer
from ports import Trainer
from tests.contracts.trainer import TrainerContract
from tests.models import model_file
from tests.models.keras_3 import save


class TestFake(TrainerContract):
    @pytest.fixture
    def trainer(self, tmp_path: Path) -> Trainer:
        return FakeTrainer(epochs=3, workdir=tmp_path)

    @pytest.fixture
    def model_path(self, tmp_path: Path) -> Path:
        path = tmp_path / "model.h5"
        path.write_bytes(b"any bytes\nwill do")
        return path


class TestTensorFlow(TrainerContract):
    @pytest.fixture
    def trainer(self, tmp_path: Path) -> Trainer:
        settings = TensorFlowSettings(batch=32, kwargs_fit={"epochs": 3})
        return TensorFlowTrainer(settings, tmp_path, repeat=False)

    @pytest.fixture
    def model_path(self) -> Path:
        return model_file("digits")


class TestKeras3(TestTensorFlow):
    @pytest.fixture
    def model_path(self, tmp_path: Path) -> Path:
        return save("digits", tmp_path / "model.keras")


class TestSavedModel(TestTensorFlow):
    @pytest.fixture
    def model_path(self, tmp_path: Path) -> Path:
        folder = tmp_path / "model"
        tf_keras.models.load_model(model_file("digits")).save(folder, save_format="tf")
        return Path(shutil.make_archive(str(folder), "zip", folder))
