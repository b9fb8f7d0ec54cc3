"""What every model repository does."""

from __future__ import annotations

import pytest

from domain.errors import ModelInvalid, Unavailable

MODEL = b"\x89HDF\r\n\x1a\n" + bytes(range(256)) * 300


class ModelRepositoryContract:
    """
    Subclasses provide *repository*, which has MODEL; *empty*, whose back-end has no
    model; *absent*, whose back-end is away.
    """

    def test_bytes_come_out(self, repository):
        """The file holds what the back-end has, byte by byte."""
        assert MODEL == repository.fetch().read_bytes()

    def test_file_stays(self, repository):
        """A later fetch leaves an earlier one's file as it was."""
        first = repository.fetch()

        repository.fetch()

        assert MODEL == first.read_bytes()

    def test_no_model(self, empty):
        """Without a model, neither a retry nor another message can help."""
        with pytest.raises(ModelInvalid):
            empty.fetch()

    def test_absent(self, absent):
        """A back-end that is away may be back after a restart."""
        with pytest.raises(Unavailable):
            absent.fetch()
