"""Adapters of other distributions."""

from __future__ import annotations

import json
import os
import subprocess
import sys

PLUGIN = '''
"""A format of another distribution: numbers as text, separated by commas."""

import numpy as np

from domain.batches import Decoded, ExampleBatch


class CsvDecoder:
    def __init__(self, options):
        self.separator = options["separator"]

    def decode(self, records):
        return Decoded(ExampleBatch(self.read(records.values), self.read(records.keys)))

    def read(self, column):
        rows = [bytes(column[i]).decode() for i in range(len(column))]
        return np.array([row.split(self.separator) for row in rows], np.float32)


def source(environ):
    return f"a source for {environ['DEPLOYMENT_ID']}"
'''

ENTRY_POINTS = """
[streamfit.decoders]
CSV = streamfit_csv:CsvDecoder

[streamfit.stream_sources]
shelf = streamfit_csv:source

[streamfit.control_sources]
broken = nowhere:nothing
"""

USE = """
import json
from bootstrap.container import Container
from domain.request import DecoderSpec
from tests.builders import records

container = Container(environ={
    "DEPLOYMENT_ID": "7", "BATCH": "1", "STREAMFIT_BROKER": "shelf"
})
decoder = container.decoder_for()(DecoderSpec("CSV", {"separator": ";"}))
batch = decoder.decode(records([(b"1", b"2;3"), (b"4", b"5;6")]))
print(json.dumps([batch.examples.features.tolist(), container.stream_source()]))
"""


def test_entry_points(tmp_path):
    """A format and a broker are added by being installed; a broken one waits unused."""
    info = tmp_path / "streamfit_csv-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: streamfit-csv\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (tmp_path / "streamfit_csv.py").write_text(PLUGIN)

    used = subprocess.run(
        [sys.executable, "-c", USE],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:."},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert [[[2.0, 3.0], [5.0, 6.0]], "a source for 7"] == json.loads(
        used.stdout or "null"
    ), used.stderr
