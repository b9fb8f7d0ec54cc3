"""The untrained model, or a chain of them, downloaded from the back-end."""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path
from typing import IO

import httpx
from attrs import frozen

from adapters.http.client import Refused, check, exchange
from adapters.http.settings import HttpChainSettings, HttpSettings
from domain.errors import ModelInvalid, Unavailable

_SIGNATURES = (b"\x89HDF\r\n\x1a\n", b"PK\x03\x04")
"""Of HDF5, and of the ZIP archives that newer models are; the trainer looks closer."""

_MOST_REDIRECTS = 5


@frozen
class HttpModelRepository:
    """
    ModelRepository of one result of the platform.

    Attributes:
        workdir: Where the model's file is written.
    """

    settings: HttpSettings
    workdir: Path

    @property
    def repeats(self) -> bool:
        """Whether the same weights come every time: they do not."""
        return False

    def fetch(self) -> Path:
        """
        Download the model to a new file, which nobody else may read.

        Its name says nothing about its format.
        """
        try:
            with tempfile.NamedTemporaryFile(
                prefix="untrained-", dir=self.workdir, delete=False
            ) as file:
                path = Path(file.name)
                try:
                    _download(self.settings, file.file)
                except BaseException:
                    path.unlink()
                    raise
        except OSError as reason:  # of the disk; those of the network do not get here
            raise Unavailable(f"{self.workdir}: {reason}") from reason
        return path


@frozen
class HttpChainRepository:
    """
    ModelRepository of a chain of sub-models, each of which is a result of the platform.

    Attributes:
        workdir: Where the folder with their files is made.
    """

    settings: HttpChainSettings
    workdir: Path

    @property
    def repeats(self) -> bool:
        """Whether the same weights come every time: they do not."""
        return False

    def fetch(self) -> Path:
        """Download the sub-models as ``1.h5``, ``2.h5``, ... of a new folder."""
        try:
            folder = Path(tempfile.mkdtemp(prefix="untrained-", dir=self.workdir))
            try:
                for number, settings in enumerate(self.settings.each, 1):
                    with (folder / f"{number}.h5").open("xb+") as file:
                        _download(settings, file)
            except BaseException:
                shutil.rmtree(folder)
                raise
        except OSError as reason:  # of the disk; those of the network do not get here
            raise Unavailable(f"{self.workdir}: {reason}") from reason
        return folder


def _download(settings: HttpSettings, file: IO[bytes]) -> None:
    place = settings.place
    save = functools.partial(_save, file=file, most=settings.streamfit_max_model_bytes)
    try:
        exchange(settings, save)
    except Refused as reason:
        raise ModelInvalid(f"{place}: no model: {reason}") from reason
    file.seek(0)
    start = file.read(32)
    if not start:
        raise ModelInvalid(
            f"{place}: an empty answer, which the platform gives when the code of "
            "the user's model fails"
        )
    if not start.startswith(_SIGNATURES):
        raise ModelInvalid(
            f"{place}: not an HDF5 file nor a ZIP archive, it starts with {start!r}"
        )


async def _save(
    client: httpx.AsyncClient, url: httpx.URL, file: IO[bytes], most: int
) -> None:
    """
    Write what is at *url* to *file*.

    Raises:
        Refused: It is longer than *most* bytes, or somewhere else.

        NotYet: The body broke off: httpx counts it against its announced length.
    """
    file.seek(0)
    file.truncate()  # of an attempt that broke off
    for _ in range(1 + _MOST_REDIRECTS):
        # Models hardly shrink, and only an unpacked body shows its length.
        headers = {"Accept-Encoding": "identity"}
        async with client.stream("GET", url, headers=headers) as response:
            if response.next_request is not None:
                url = _followed(url, response.next_request.url)
                continue
            await check(response)
            await _write(response, file, most)
            return
    raise Refused(f"more than {_MOST_REDIRECTS} redirects")


async def _write(response: httpx.Response, file: IO[bytes], most: int) -> None:
    too_long = Refused(f"longer than the {most} bytes of STREAMFIT_MAX_MODEL_BYTES")
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced) > most:
        raise too_long
    async for piece in response.aiter_bytes():
        if file.tell() + len(piece) > most:
            raise too_long
        file.write(piece)


def _followed(url: httpx.URL, target: httpx.URL) -> httpx.URL:
    """
    Return *target*, to which *url* redirects.

    Raises:
        Refused: It has another origin: whoever can write a redirect could make the job
            ask hosts that only the job can reach.
    """
    here, there = _origin(url), _origin(target)
    if here != there:
        raise Refused(f"a redirect from {here} to {there}, which is another origin")
    return target.copy_with(userinfo=b"")  # the client has its own, and logs this one


def _origin(url: httpx.URL) -> str:
    """Return scheme, host and port, the latter only if it is not the scheme's own."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}"
