"""``streamfit demo``, the newcomer's first command."""

from __future__ import annotations

import os
import re
import subprocess

import h5py
import pytest

from tests.end_to_end.process import COMMAND


def demo(folder, *options, **environ):
    """Run the demo to its end."""
    return subprocess.run(
        [COMMAND, "demo", *options, "--folder", folder],
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **environ},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def accuracies(told, line):
    """Return the accuracies in the lines that begin with *line*, a pattern."""
    found = re.findall(rf"^ +{line} .*accuracy (\S+)$", told, re.MULTILINE)
    return [float(accuracy) for accuracy in found]


def assert_kept(folder, told, models, pictures):
    """The files are there, are what they should be, and are told of; no others are."""
    assert {*models, *pictures} == {path.name for path in folder.iterdir()}
    for name in models:
        with h5py.File(folder / name) as model:
            assert "model_weights" in model
    for name in pictures:
        assert b"\x89PNG" == (folder / name).read_bytes()[:4]
    for name in (*models, *pictures):
        assert f"  {folder / name}\n" in told


SINGLE = ["trained_model.h5"]
CHAIN = ["trained_model_1.h5", "trained_model_2.h5"]
CHAIN_CURVES = ["learning_curves_1.png", "learning_curves_2.png"]


@pytest.mark.parametrize("record_format", ["raw", "avro"])
def test_classic(tmp_path, record_format):
    """It trains on real data, tests at 95 % or more and leaves model and pictures."""
    done = demo(tmp_path, "--format", record_format)

    assert 0 == done.returncode, done.stderr
    (accuracy,) = accuracies(done.stdout, r"test \(20%\)")
    assert 0.95 <= accuracy
    assert_kept(
        tmp_path, done.stdout, SINGLE, ["confusion_matrix.png", "learning_curves.png"]
    )


@pytest.mark.parametrize(("record_format", "count"), [("raw", 6), ("avro", 2)])
def test_incremental(tmp_path, record_format, count):
    """No record is lost, though all are sent while the job runs."""
    done = demo(
        tmp_path,
        "--mode",
        "incremental",
        "--format",
        record_format,
        STREAMFIT_LOG="json",
    )

    assert 0 == done.returncode, done.stderr
    records = {"raw": 1797, "avro": 569}[record_format]
    assert f'"examples": {records}, ' in done.stderr
    after = accuracies(done.stdout, r"mini-batch \d+")
    assert count <= len(after)  # more where the machine is slow: fewer records each
    assert 0.8 <= after[-1]
    assert [] == accuracies(done.stdout, "test")
    assert_kept(tmp_path, done.stdout, SINGLE, ["learning_curves.png"])


def test_distributed(tmp_path):
    """Each sub-model has a result of its own, and the cloud's is the better one."""
    done = demo(tmp_path, "--mode", "distributed")

    assert 0 == done.returncode, done.stderr
    names = re.findall(r"^Sub-model (\d, \w+)$", done.stdout, re.MULTILINE)
    assert ["1, edge", "2, cloud"] == names
    edge, cloud = accuracies(done.stdout, r"test \(20%\)")
    assert 0.85 <= edge < cloud
    assert 0.95 <= cloud
    assert_kept(tmp_path, done.stdout, CHAIN, CHAIN_CURVES)


def test_distributed_incremental(tmp_path):
    """Both sub-models tell of every mini-batch."""
    done = demo(tmp_path, "--mode", "distributed-incremental")

    assert 0 == done.returncode, done.stderr
    edge, cloud = done.stdout.split("Sub-model 2, cloud\n")
    for told, least in ((edge, 0.7), (cloud, 0.85)):
        after = accuracies(told, r"mini-batch \d+")
        assert 6 <= len(after)
        assert least <= after[-1]
    assert_kept(tmp_path, done.stdout, CHAIN, CHAIN_CURVES)


def test_semi_supervised(tmp_path):
    """Of 1,397 records without labels most get one, in three rounds."""
    done = demo(tmp_path, "--mode", "semi-supervised")

    assert 0 == done.returncode, done.stderr
    rounds = re.findall(r"round (\d): ([\d,]+) labelled  loss", done.stdout)
    assert ["1", "2", "3"] == [number for number, _ in rounds]
    labelled = sum(int(count.replace(",", "")) for _, count in rounds)
    assert 1000 <= labelled <= 1397
    assert 1 == len(accuracies(done.stdout, "labels as given"))
    assert 0.9 <= accuracies(done.stdout, r"test \(20%\)")[0]
    assert_kept(
        tmp_path, done.stdout, SINGLE, ["confusion_matrix.png", "learning_curves.png"]
    )


def test_semi_supervised_incremental(tmp_path):
    """Of 1,397 records that come later most get a label, mini-batch by mini-batch."""
    done = demo(tmp_path, "--mode", "semi-supervised-incremental")

    assert 0 == done.returncode, done.stderr
    found = re.findall(r"mini-batch (\d+): ([\d,]+) labelled  loss", done.stdout)
    assert [str(n) for n in range(1, len(found) + 1)] == [number for number, _ in found]
    labelled = sum(int(count.replace(",", "")) for _, count in found)
    assert 700 <= labelled <= 1397
    assert 0.9 <= accuracies(done.stdout, r"test \(20%\)")[0]
    assert_kept(
        tmp_path, done.stdout, SINGLE, ["confusion_matrix.png", "learning_curves.png"]
    )


@pytest.mark.parametrize("mode", ["classic", "incremental"])
def test_job_that_fails(tmp_path, mode):
    """Its exit code is the demo's, and its reason is to be seen."""
    done = demo(tmp_path, "--mode", mode, STREAMFIT_ENGINE="nonsense")

    assert 78 == done.returncode
    assert "STREAMFIT_ENGINE: 'nonsense' is none of" in done.stderr
    assert "The job ended with exit code 78" in done.stdout
    assert [] == list(tmp_path.iterdir())
