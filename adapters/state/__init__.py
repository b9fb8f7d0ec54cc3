"""What a job keeps in a folder, so that it can be killed at any moment."""

from adapters.state.journal import FolderJournal
from adapters.state.settings import StateSettings

__all__ = ["FolderJournal", "StateSettings"]
