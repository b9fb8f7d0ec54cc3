"""The untrained model, downloaded from the back-end."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import IO

import httpx
from attrs import frozen

from adapters.http.client import Refused, check, exchange
from adapters.http.settings import HttpSettings
from domain.errors import ModelInvalid, Unavailable

_HDF5 = b"\x89HDF\r\n\x1a\n"


@frozen
class HttpModelRepository:
    """
    ModelRepository of one result of the platform.

    Attributes:
        workdir: Where the model's file is written.
    """

    settings: HttpSettings
    workdir: Path

    def fetch(self) -> Path:
        """Download the model to a new file, which nobody else may read."""
        try:
            with tempfile.NamedTemporaryFile(
                prefix="untrained-", suffix=".h5", dir=self.workdir, delete=False
            ) as file:
                path = Path(file.name)
                try:
                    self._download(file.file)
                except BaseException:
                    path.unlink()
                    raise
        except OSError as reason:  # of the disk; those of the network do not get here
            raise Unavailable(f"{self.workdir}: {reason}") from reason
        return path

    def _download(self, file: IO[bytes]) -> None:
        place = self.settings.place
        try:
            exchange(self.settings, functools.partial(_save, file=file))
        except Refused as reason:
            raise ModelInvalid(f"{place}: no model: {reason}") from reason
        file.seek(0)
        start = file.read(32)
        if not start:
            raise ModelInvalid(
                f"{place}: an empty answer, which the platform gives when the code of "
                "the user's model fails"
            )
        if not start.startswith(_HDF5):
            raise ModelInvalid(f"{place}: not an HDF5 file, it starts with {start!r}")


async def _save(client: httpx.AsyncClient, url: httpx.URL, file: IO[bytes]) -> None:
    file.seek(0)
    file.truncate()  # of an attempt that broke off
    # Models hardly shrink, and only an unpacked body shows its length.
    headers = {"Accept-Encoding": "identity"}
    async with client.stream(
        "GET", url, headers=headers, follow_redirects=True
    ) as response:
        await check(response)
        async for piece in response.aiter_bytes():
            file.write(piece)
