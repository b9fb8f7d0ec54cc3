"""How much memory examples may take, as users say it and as the system does."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import cattrs
import pytest
from attrs import fields

from adapters.spool import SpoolSettings
from adapters.spool.limits import usable_memory
from adapters.spool.sizes import parse_size, size_text

PHYSICAL = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_from_the_environment(tmp_path):
    """Settings are filled from texts, by the variables' names in lower case."""
    converter = cattrs.Converter(prefer_attrib_converters=True)

    settings = converter.structure(
        {"streamfit_spool_memory": "2GiB", "streamfit_spool_dir": str(tmp_path)},
        SpoolSettings,
    )

    assert SpoolSettings(2 << 30, tmp_path) == settings


def test_defaults():
    """By default: a quarter of what the process may use, and the temporary folder."""
    settings = SpoolSettings()

    assert usable_memory() // 4 == settings.streamfit_spool_memory
    assert Path(tempfile.gettempdir()) == settings.streamfit_spool_dir


@pytest.mark.parametrize("name", ["missing", "file"])
def test_no_such_folder(tmp_path, name):
    """A folder that is none is found before the job starts."""
    (tmp_path / "file").write_text("")
    folder = tmp_path / name
    validator = fields(SpoolSettings).streamfit_spool_dir.validator

    with pytest.raises(ValueError, match=f"^want a folder that exists, got '{folder}'"):
        validator(None, fields(SpoolSettings).streamfit_spool_dir, folder)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0"),
        (1 << 30, "1073741824"),
        (2 << 30, "2GiB"),
        (2 << 30, " 2 gib "),
        (500_000_000, "500MB"),
        (512 << 20, "512Mi"),
        (1_500, "1.5k"),
        (10**22, "10000000000TB"),
        (12, "12B"),
        (0, "0.4"),
    ],
)
def test_sizes(size, text):
    """Sizes are numbers with the units of SI, IEC and Kubernetes."""
    assert size == parse_size(text)


@pytest.mark.parametrize(
    "text", ["", "-1", "1e9", "GiB", "2 GiBs", "2ib", "1,5GB", "٣GB", "50%", "0x10"]
)
def test_no_sizes(text):
    """Anything else is refused in one sentence."""
    with pytest.raises(
        ValueError, match=r"^want a size like 2GiB, 500MB or 10.* got '"
    ):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0 B", 0),
        ("1023 B", 1023),
        ("1.5 KiB", 1536),
        ("2 GiB", 2 << 30),
        ("4,096 TiB", 4 << 50),
    ],
)
def test_size_text(text, size):
    """Messages give sizes in units that are easily compared."""
    assert text == size_text(size)


MAX, V1 = "memory.max", "memory.limit_in_bytes"


@pytest.mark.parametrize(
    ("usable", "own", "limits"),
    [
        (4096, "0::/\n", {MAX: "4096"}),
        (PHYSICAL, "0::/\n", {MAX: "max"}),
        (8192, "0::/pods/job\n", {f"pods/job/{MAX}": "8192"}),
        (
            4096,
            "0::/pods/job\n",
            {f"pods/job/{MAX}": "max", f"pods/{MAX}": "4096", MAX: "8192"},
        ),
        (
            8192,
            "0::/pods/job\n",
            {f"pods/job/{MAX}": "8192", f"pods/other/{MAX}": "4096"},
        ),
        (4096, "0::/../outside\n", {MAX: "4096", f"../{MAX}": "1024"}),
        (
            4096,
            "5:cpu:/x\n4:hugetlb,memory:/job\n0::/\n",
            {f"memory/job/{V1}": "4096"},
        ),
        (4096, "4:memory:/seen/by/the/host\n", {f"memory/{V1}": "4096"}),
        (PHYSICAL, "4:memory:/\n", {f"memory/{V1}": "9223372036854771712"}),
        (PHYSICAL, "5:cpu:/\n", {f"memory/{V1}": "4096"}),
        (PHYSICAL, "", {}),
    ],
    ids=[
        "container",
        "unlimited",
        "own group",
        "group above",
        "group beside",
        "outside",
        "version 1",
        "version 1 in a container",
        "version 1 unlimited",
        "no memory controller",
        "no groups",
    ],
)
def test_usable_memory(tmp_path, usable, own, limits):
    """The lowest limit of all control groups around the process counts."""
    (tmp_path / "own").write_text(own)
    for name, limit in limits.items():
        file = tmp_path / "groups" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{limit}\n")

    assert usable == usable_memory(tmp_path / "groups", tmp_path / "own")


def test_usable_memory_elsewhere(tmp_path):
    """Without control groups it is what the machine has."""
    assert PHYSICAL == usable_memory(tmp_path, tmp_path / "missing")


def test_usable_memory_here():
    """On this machine there is some."""
    assert 0 < usable_memory() <= PHYSICAL
