"""What every trainer does that describes models."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import ModelInvalid
from ports import ModelReader


class ModelReaderContract:
    """Subclasses provide *reader*, and *model_path*, which it can train."""

    def test_described(self, reader: ModelReader, model_path: Path) -> None:
        """A model alone is one part, which has a kind."""
        (part,) = reader.describe(model_path)

        assert part.kind
        assert part.compiled

    def test_left_alone(self, reader: ModelReader, model_path: Path) -> None:
        """The file stays as it was."""
        before = model_path.read_bytes()

        reader.describe(model_path)

        assert before == model_path.read_bytes()

    def test_no_model(self, reader: ModelReader, tmp_path: Path) -> None:
        """Where no model is, there is nothing to tell."""
        empty = tmp_path / "empty"
        empty.touch()

        with pytest.raises(ModelInvalid):
            reader.describe(empty)
