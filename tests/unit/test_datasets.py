"""Data sets as people have them."""

from __future__ import annotations

import zipfile

import fastavro
import numpy as np
import pyarrow as pa
import pytest
from attrs import evolve
from PIL import Image
from pyarrow import parquet

from adapters.datasets import ArraySource, DataOptions, open_data
from domain.batches import ElementSpec, TensorSpec
from domain.sending import DataInvalid

OPTIONS = DataOptions()


def everything(source, size=3):
    """Return all features and labels, read twice with the same result."""
    spec = source.element_spec
    once, twice = (list(source.batches(size)) for _ in range(2))
    for batch, again in zip(once, twice, strict=True):
        assert len(batch) <= size
        assert spec == batch.element_spec
        np.testing.assert_array_equal(batch.features, again.features)
        np.testing.assert_array_equal(batch.labels, again.labels)
    features = np.concatenate([batch.features for batch in once])
    labels = np.concatenate([batch.labels for batch in once])
    if source.total is not None:
        assert source.total == len(features) == len(labels)
    return features, labels


def spec(features, label):
    return ElementSpec(TensorSpec(*features), TensorSpec(*label))


class TestArrays:
    def test_examples(self):
        """Whatever NumPy takes for an array is one."""
        source = ArraySource.of([[1.5, 2], [3, 4]], (True, False))

        features, labels = everything(source)

        np.testing.assert_array_equal([[1.5, 2], [3, 4]], features)
        np.testing.assert_array_equal([True, False], labels)
        assert spec(("float64", (2,)), ("bool", ())) == source.element_spec

    def test_no_labels(self):
        """Without labels, each is a 0 of one byte."""
        _, labels = everything(ArraySource.of(np.ones((4, 2)), None))

        np.testing.assert_array_equal(np.zeros(4, np.uint8), labels)
        assert np.uint8 == labels.dtype

    def test_byte_order(self):
        """Numbers of other machines are the same numbers."""
        source = ArraySource.of(np.array([[1, 300]], ">i4"), np.array([2], ">f8"))

        features, labels = everything(source)

        np.testing.assert_array_equal([[1, 300]], features)
        np.testing.assert_array_equal([2], labels)
        assert spec(("int32", (2,)), ("float64", ())) == source.element_spec

    def test_types(self):
        """Types may be chosen."""
        source = ArraySource.of([[0.1]], [3], dtype="float32", label_dtype="uint8")

        assert spec(("float32", (1,)), ("uint8", ())) == source.element_spec

    @pytest.mark.parametrize(
        ("features", "labels", "options", "reason"),
        [
            ([[1]], [1, 2], {}, "features: 1 examples, but 2 labels in labels"),
            ([["a"]], [1], {}, "features: holds <U1, want numbers"),
            ([[None]], [1], {}, "features: holds object, want numbers"),
            ([[1], [1, 2]], [1, 2], {}, "features: .*inhomogeneous"),
            (5, [1], {}, "features: is a single number"),
            ([[1], [300]], [1, 2], {"dtype": "uint8"}, r"features\[1\]: 300 is no"),
            ([[1], [2]], [1, -1], {"label_dtype": "uint8"}, r"labels\[1\]: -1 is no"),
            ([[1e300]], [1], {"dtype": "float32"}, r"features\[0\]: 1e\+300 is no"),
            ([[1.5]], [1], {"dtype": "int8"}, r"features\[0\]: 1.5 is no int8"),
        ],
    )
    def test_refused(self, features, labels, options, reason):
        """What is no data set is refused, with the place."""
        with pytest.raises(DataInvalid, match=reason):
            ArraySource.of(features, labels, **options)

    def test_place(self):
        """Examples are named as NumPy does."""
        assert "features[4]" == ArraySource.of([[1]], [1]).place(4)


class TestNpz:
    @pytest.mark.parametrize(
        ("names", "options"),
        [
            (("x", "y"), OPTIONS),
            (("x_train", "y_train"), OPTIONS),
            (("pixels", "digit"), DataOptions(features=("pixels",), labels=("digit",))),
        ],
    )
    @pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
    def test_examples(self, tmp_path, names, options, save):
        """Arrays of the usual names, or of those that are given."""
        pixels = np.arange(60, dtype=np.uint8).reshape(5, 3, 4)
        save(tmp_path / "a.npz", **dict(zip(names, (pixels, range(5)), strict=True)))

        source = open_data(tmp_path / "a.npz", options)

        features, labels = everything(source)
        np.testing.assert_array_equal(pixels, features)
        np.testing.assert_array_equal(range(5), labels)
        assert f"{tmp_path}/a.npz: {names[0]}[2]" == source.place(2)

    def test_unlabelled(self, tmp_path):
        """Without labels the features are enough."""
        np.savez(tmp_path / "a.npz", x=np.ones((2, 2)))

        source = open_data(tmp_path / "a.npz", evolve(OPTIONS, labelled=False))

        assert 2 == source.total

    def test_pickle(self, tmp_path):
        """Nothing is unpickled."""
        trap = np.array([{}], dtype=object)
        np.savez(tmp_path / "a.npz", allow_pickle=True, x=trap, y=[1])

        with pytest.raises(DataInvalid, match="allow_pickle"):
            open_data(tmp_path / "a.npz", OPTIONS)

    def test_other_names(self, tmp_path):
        """What there is is told, and how to choose."""
        np.savez(tmp_path / "a.npz", first=[1], second=[2])

        with pytest.raises(
            DataInvalid, match=r"which array is the features\?.*first, second.*--feat"
        ):
            open_data(tmp_path / "a.npz", OPTIONS)
        with pytest.raises(DataInvalid, match="no array third"):
            open_data(tmp_path / "a.npz", DataOptions(features=("third",)))

    @pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04"])
    def test_broken(self, tmp_path, content):
        """What is no archive is an error of the data."""
        (tmp_path / "a.npz").write_bytes(content)

        with pytest.raises(DataInvalid, match=r"a\.npz: no archive of arrays"):
            open_data(tmp_path / "a.npz", OPTIONS)

    def test_single_array(self, tmp_path):
        """A file of one array, by the wrong name, is an error of the data."""
        with (tmp_path / "a.npz").open("wb") as file:
            np.save(file, np.ones(3))

        with pytest.raises(DataInvalid, match=r"a\.npz: no archive of arrays"):
            open_data(tmp_path / "a.npz", OPTIONS)

    def test_damaged(self, tmp_path):
        """A checksum that does not fit is an error of the data."""
        np.savez(tmp_path / "a.npz", x=np.ones(1000), y=np.ones(1000))
        content = bytearray((tmp_path / "a.npz").read_bytes())
        with zipfile.ZipFile(tmp_path / "a.npz") as archive:
            assert 0 == archive.infolist()[0].header_offset
        content[2000] ^= 1
        (tmp_path / "a.npz").write_bytes(content)

        with pytest.raises(DataInvalid, match=r"a\.npz: no archive of arrays"):
            open_data(tmp_path / "a.npz", OPTIONS)


class TestCsv:
    def write(self, tmp_path, text, name="a.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    def test_examples(self, tmp_path):
        """All columns but the label are features: fractions are float32."""
        path = self.write(tmp_path, "a,label,b\n1,0,2.5\n3,1,4\n5,2,-6e3\n7,0,8\n")

        source = open_data(path, OPTIONS)

        features, labels = everything(source)
        np.testing.assert_array_equal([[1, 2.5], [3, 4], [5, -6000], [7, 8]], features)
        np.testing.assert_array_equal([0, 1, 2, 0], labels)
        assert spec(("float32", (2,)), ("int64", ())) == source.element_spec

    def test_whole(self, tmp_path):
        """Whole numbers stay whole, and may be made smaller."""
        path = self.write(tmp_path, "a,b,label\n1,2,0\n3,4,1\n")

        assert "int64" == open_data(path, OPTIONS).element_spec.features.dtype
        small = open_data(path, DataOptions(dtype="uint8", label_dtype="bool"))
        assert spec(("uint8", (2,)), ("bool", ())) == small.element_spec

    def test_columns(self, tmp_path):
        """Columns may be chosen, and a label may have several."""
        path = self.write(tmp_path, "a,b,c,d\n1,2,3,x\n4,5,6,y\n")

        source = open_data(path, DataOptions(features=("c",), labels=("b", "a")))

        features, labels = everything(source)
        np.testing.assert_array_equal([[3], [6]], features)
        np.testing.assert_array_equal([[2, 1], [5, 4]], labels)

    def test_no_header(self, tmp_path):
        """Without names, columns have numbers."""
        path = self.write(tmp_path, "1,2\n3,4\n", "a.csv")

        source = open_data(path, DataOptions(header=False, labels=("f0",)))

        features, labels = everything(source)
        np.testing.assert_array_equal([[2], [4]], features)
        np.testing.assert_array_equal([1, 3], labels)
        assert source.place(0).endswith("a.csv: line 1")

    def test_tabs(self, tmp_path):
        """In a .tsv, tabs are between columns."""
        path = self.write(tmp_path, "a\tlabel\n1\t2\n", "a.tsv")

        assert 1 == len(everything(open_data(path, OPTIONS))[0])

    def test_unlabelled(self, tmp_path):
        """Without labels, a column of them is left out if it is there."""
        unlabelled = DataOptions(labels=("b",), labelled=False)
        for text in ("a,b\n1,2\n", "a\n1\n"):
            path = self.write(tmp_path, text)
            features, labels = everything(open_data(path, unlabelled))
            np.testing.assert_array_equal([[1]], features)
            np.testing.assert_array_equal([0], labels)

    def test_long(self, tmp_path):
        """Files are read piece by piece; what is not whole may come late."""
        rows = 200_000
        lines = [f"{n},{n % 10}\n" for n in range(rows)] + ["0.5,1\n"]
        path = self.write(tmp_path, "a,label\n" + "".join(lines))

        source = open_data(path, DataOptions(dtype="float32"))

        features, labels = everything(source, 70_000)
        assert [*range(rows), 0.5] == features[:, 0].tolist()
        assert [*(n % 10 for n in range(rows)), 1] == labels.tolist()
        with pytest.raises(DataInvalid, match=rf"a\.csv: line {rows + 2}: .*'0.5'"):
            everything(open_data(path, OPTIONS))

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "a.csv: Empty CSV file"),
            ("a,label\n", "a.csv: holds no line"),
            ("a,label\n1,0\n2,0\n3,0,4\n", "a.csv: line 4: Expected 2 columns, got 3"),
            ("a,label\n1.5,0\n,0\n", "a.csv: line 3: column a is empty"),
            ("a,label\n1,0\nnan,0\n", "a.csv: line 3: column a is empty"),
            ("a,label\n,0\n", "a.csv: line 2: column a is empty"),
            ("a,label\n1,yes\n", r"a.csv: no numbers in label \(string\)"),
            ("a,label\n1.5,0\nx,0\n", r"a.csv: no numbers in a \(string\)"),
            ("a,b\n1,0\n", r"a.csv: which column is the label\? .*there are a, b"),
            ("label\n1\n", "a.csv: there is no column besides the label"),
            ("a,a,label\n1,2,3\n", "a.csv: several columns a"),
        ],
    )
    def test_refused(self, tmp_path, text, reason):
        """A mistake is told with file and line."""
        path = self.write(tmp_path, text)

        with pytest.raises(DataInvalid, match=reason):
            everything(open_data(path, OPTIONS))

    def test_misfit(self, tmp_path):
        """A number that is not of the wanted type is told with its line."""
        path = self.write(tmp_path, "a,label\n1,0\n2,0\n300,0\n")

        with pytest.raises(DataInvalid, match="line 4: 300 is no uint8"):
            everything(open_data(path, DataOptions(dtype="uint8")))

    def test_missing_column(self, tmp_path):
        """A column that is not there is named, and so are those that are."""
        path = self.write(tmp_path, "a,b\n1,0\n")

        with pytest.raises(DataInvalid, match="no column c; there are a, b"):
            open_data(path, DataOptions(labels=("c",)))


class TestParquet:
    def write(self, tmp_path, **columns):
        parquet.write_table(pa.table(columns), tmp_path / "a.parquet", row_group_size=2)
        return tmp_path / "a.parquet"

    def test_examples(self, tmp_path):
        """Columns keep their types as far as one type can hold them."""
        path = self.write(
            tmp_path,
            a=pa.array([1, 2, 3, 4, 5], pa.int16()),
            b=pa.array([0.5, 1.5, 2.5, 3.5, 4.5], pa.float32()),
            label=pa.array([0, 1, 0, 1, 0], pa.uint8()),
            note=pa.array(list("abcde")),
        )

        source = open_data(path, DataOptions(features=("b", "a")))

        features, labels = everything(source)
        np.testing.assert_array_equal(
            [[0.5, 1], [1.5, 2], [2.5, 3], [3.5, 4], [4.5, 5]], features
        )
        np.testing.assert_array_equal([0, 1, 0, 1, 0], labels)
        assert spec(("float32", (2,)), ("uint8", ())) == source.element_spec
        assert (5, f"{path}: row 3") == (source.total, source.place(2))

    @pytest.mark.parametrize("kind", [pa.list_(pa.uint8()), pa.list_(pa.uint8(), 3)])
    def test_lists(self, tmp_path, kind):
        """A column of lists of one length is a vector."""
        path = self.write(
            tmp_path, x=pa.array([[1, 2, 3], [4, 5, 6]], kind), label=[0, 1]
        )

        features, _ = everything(open_data(path, OPTIONS))

        np.testing.assert_array_equal([[1, 2, 3], [4, 5, 6]], features)

    def test_one_hot(self, tmp_path):
        """A label may be a vector, too."""
        path = self.write(tmp_path, x=[1, 2], label=[[0, 1], [1, 0]])

        _, labels = everything(open_data(path, OPTIONS))

        np.testing.assert_array_equal([[0, 1], [1, 0]], labels)

    @pytest.mark.parametrize(
        ("x", "reason"),
        [
            ([1, 2, 3, None], r"a\.parquet: row 4: column x is empty"),
            ([[1], [2, 3], [4], [5]], r"a\.parquet: row 2: column x holds 2 numbers"),
            ([[1], [2], [3], [4, 5]], r"a\.parquet: row 4: holds not as many"),
            ([[1], [2], [3], [None]], r"a\.parquet: row 4: column x has an empty"),
            (list("abcd"), r"a\.parquet: no numbers in x \(string\)"),
        ],
    )
    def test_refused(self, tmp_path, x, reason):
        """A mistake is told with file and row."""
        path = self.write(tmp_path, x=x, label=[0, 1, 0, 1])

        with pytest.raises(DataInvalid, match=reason):
            everything(open_data(path, OPTIONS))

    @pytest.mark.parametrize("size", [0, 100])
    def test_broken(self, tmp_path, size):
        """What is no Parquet is an error of the data."""
        path = self.write(tmp_path, x=[1], label=[0])
        path.write_bytes(path.read_bytes()[:size])

        with pytest.raises(DataInvalid, match=r"a\.parquet: "):
            open_data(path, OPTIONS)

    def test_no_rows(self, tmp_path):
        """A table without rows is told."""
        path = self.write(tmp_path, x=pa.array([], pa.int8()), label=[])

        with pytest.raises(DataInvalid, match=r"a\.parquet: holds no row"):
            everything(open_data(path, OPTIONS))


class TestAvroContainer:
    def write(self, tmp_path, rows, *types, codec="null"):
        names = ("a", "b", "label")
        fields = [{"name": n, "type": t} for n, t in zip(names, types, strict=True)]
        schema = {"type": "record", "name": "r", "fields": fields}
        with (tmp_path / "a.avro").open("wb") as file:
            fastavro.writer(
                file,
                schema,
                [dict(zip(names, row, strict=True)) for row in rows],
                codec,
                sync_interval=1,
            )
        return tmp_path / "a.avro"

    @pytest.mark.parametrize("codec", ["null", "deflate"])
    def test_examples(self, tmp_path, codec):
        """Fields are columns."""
        rows = [(n, n / 2, n % 2 == 0) for n in range(7)]
        path = self.write(
            tmp_path, rows, "int", ["null", "double"], "boolean", codec=codec
        )

        source = open_data(path, OPTIONS)

        features, labels = everything(source)
        np.testing.assert_array_equal([row[:2] for row in rows], features)
        np.testing.assert_array_equal([row[2] for row in rows], labels)
        assert spec(("float64", (2,)), ("bool", ())) == source.element_spec
        assert f"{path}: record 1" == source.place(0)

    def test_arrays(self, tmp_path):
        """A field that is an array is a vector."""
        array = {"type": "array", "items": "float"}
        path = self.write(
            tmp_path, [([1, 2], 5, 0), ([3, 4], 6, 1)], array, "int", "int"
        )

        features, _ = everything(open_data(path, OPTIONS))

        np.testing.assert_array_equal([[1, 2, 5], [3, 4, 6]], features)

    @pytest.mark.parametrize(
        ("kind", "good", "bad", "reason"),
        [
            (["null", "int"], 1, None, "record 5: field a is null"),
            ({"type": "array", "items": "int"}, [1], [1, 2], "record 5: field a holds"),
            ("string", "x", "y", "no numbers in a"),
            ({"type": "int", "logicalType": "date"}, 1, 2, "no numbers in a"),
        ],
    )
    def test_refused(self, tmp_path, kind, good, bad, reason):
        """A mistake is told with file and record."""
        rows = [(good, 1, 0)] * 4 + [(bad, 1, 0)]
        path = self.write(tmp_path, rows, kind, "int", "int")

        with pytest.raises(DataInvalid, match=rf"a\.avro: {reason}"):
            everything(open_data(path, OPTIONS))

    def test_broken(self, tmp_path):
        """What is no container, or only the beginning of one, is told."""
        path = self.write(tmp_path, [(1, 1, 1)] * 50, "int", "int", "int")
        whole = path.read_bytes()

        path.write_bytes(whole[:-9])
        with pytest.raises(DataInvalid, match=r"a\.avro: behind record \d+: broken"):
            everything(open_data(path, OPTIONS))
        path.write_bytes(b"nothing of the kind")
        with pytest.raises(DataInvalid, match=r"a\.avro: no Avro container"):
            open_data(path, OPTIONS)


class TestImageFolder:
    def paint(self, path, color=(0, 0, 0), size=(4, 3)):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, color).save(path)

    @pytest.fixture
    def folder(self, tmp_path):
        """Twenty images each of two classes, which their colour tells."""
        for number in range(20):
            self.paint(tmp_path / "photos" / "cats" / f"{number}.png", (number, 0, 0))
            self.paint(tmp_path / "photos" / "ants" / f"{number}.png", (0, number, 9))
        return tmp_path / "photos"

    def test_examples(self, folder):
        """Classes are numbered by name; height, width, channels are the shape."""
        source = open_data(folder, OPTIONS)

        features, labels = everything(source)
        assert spec(("uint8", (3, 4, 3)), ("uint8", ())) == source.element_spec
        assert {0, 1} == set(labels.tolist())
        for image, label in zip(features, labels, strict=True):
            assert (9 if label == 0 else 0) == image[0, 0, 2]

    def test_mixed(self, folder):
        """Classes are mixed, the same way every time."""
        _, labels = everything(open_data(folder, OPTIONS))
        _, again = everything(open_data(folder, OPTIONS))

        assert {0, 1} == set(labels[:10].tolist()) == set(labels[-10:].tolist())
        np.testing.assert_array_equal(labels, again)

    def test_grayscale(self, folder):
        """One channel, if that is wanted, in any type."""
        options = DataOptions(color="grayscale", dtype="float32")

        source = open_data(folder, options)

        assert ("float32", (3, 4, 1)) == (
            source.element_spec.features.dtype,
            source.element_spec.features.shape,
        )

    def test_size(self, folder):
        """Images are brought to one size."""
        self.paint(folder / "ants" / "large.jpg", size=(100, 50))

        with pytest.raises(DataInvalid, match=r"\d+ x \d+ pixels, but .* --image-size"):
            everything(open_data(folder, OPTIONS))
        features, _ = everything(open_data(folder, DataOptions(image_size=(5, 6))))
        assert (41, 5, 6, 3) == features.shape

    def test_unlabelled(self, folder):
        """Without labels, all images below the folder count."""
        self.paint(folder / "loose.png")

        source = open_data(folder, evolve(OPTIONS, labelled=False))

        assert 41 == source.total

    def test_broken(self, folder):
        """A file that is no image is named."""
        (folder / "ants" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")

        with pytest.raises(DataInvalid, match=r"ants/broken\.png: no image"):
            everything(open_data(folder, OPTIONS))

    def test_none(self, tmp_path):
        """Folders without classes or without images are told."""
        with pytest.raises(DataInvalid, match="has no folders"):
            open_data(tmp_path, OPTIONS)
        (tmp_path / "ants").mkdir()
        with pytest.raises(DataInvalid, match="no images"):
            open_data(tmp_path, OPTIONS)


class TestKinds:
    def test_missing(self, tmp_path):
        """A file that is not there is told."""
        with pytest.raises(DataInvalid, match="there is no such file"):
            open_data(tmp_path / "a.npz", OPTIONS)

    def test_unknown(self, tmp_path):
        """A suffix that nobody knows is told, with those that are known."""
        (tmp_path / "a.xlsx").write_bytes(b"")

        with pytest.raises(DataInvalid, match=r"want \.avro, \.csv.*got \.xlsx"):
            open_data(tmp_path / "a.xlsx", OPTIONS)

    def test_type(self):
        """A type that nobody knows is told."""
        with pytest.raises(ValueError, match="'float33' is none of"):
            DataOptions(dtype="float33")
