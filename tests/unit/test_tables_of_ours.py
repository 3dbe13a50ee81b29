"""Tables: what people open is no formula, and what is damaged is one sentence."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from gait.errors import DataError, GaitError
from gait.formats.catalogue import CatalogueRow, RowKind, read_rows, rows_text
from gait.formats.manifest import ManifestRow, manifest_text, read_manifest
from gait.formats.seal import sidecar, write_sealed_table
from gait.formats.source import File
from gait.formats.tables import read_table, sheet_text, table_text
from gait.prepare.check.findings import Finding, Report, Severity
from gait.report.matrix import MatrixRow, read_matrix, tabulate_matrix
from gait.report.tables import Row, read_report, write_table
from gait.types import SequenceKey

KEY = SequenceKey("001", "nm", "090")


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "=", "-"],  # noqa: RUF001
)
def test_a_cell_of_a_table_for_people_is_no_formula(cell: str) -> None:
    text = sheet_text(["name", cell], [["a", cell]])
    read = pd.read_csv(io.StringIO(text))
    assert read.columns[1] == read.iloc[0, 1] == f"'{cell}"
    again = sheet_text(["name", f"'{cell}"], [["a", f"'{cell}"]])
    assert again == text


def test_numbers_and_plain_texts_stay_as_they_are() -> None:
    cells = ["-1.5", "+3", "-2e-05", "7", "", "a=b", "85.00 ± 7.07 (2)", "'quoted'", "ß"]
    assert sheet_text(cells, [cells]) == table_text(cells, [cells])


def test_tables_for_people_hold_no_formulas(tmp_path: Path) -> None:
    evil = '=HYPERLINK("http://evil","x")'
    report = Report("title", [Finding(Severity.note, evil, 1, evil, evil)])
    assert "'=HYPERLINK" in report.table
    write_table(
        tmp_path / "report.csv",
        Row,
        [Row("d", "m", "s", protocol=evil, note=evil, kind="retrieval")],
    )
    tabulate_matrix([], tmp_path / "matrix.csv", [f"d/m/s: {evil}"])
    for name, number in (("report.csv", 2), ("matrix.csv", 1)):
        text = (tmp_path / name).read_text()
        assert text.count("'=HYPERLINK") == text.count("=HYPERLINK") == number
    # What goes from one table to the next does so unchanged.
    rows = read_report(tmp_path / "report.csv")
    before = (tmp_path / "report.csv").read_bytes()
    write_table(tmp_path / "report.csv", Row, rows)
    assert (tmp_path / "report.csv").read_bytes() == before


def catalogue(path: Path) -> Callable[[Path], object]:
    row = CatalogueRow(KEY, RowKind.IMAGES, File("=a"), "", "x")
    write_sealed_table(path, rows_text([row]))
    assert read_rows(path) == [row]
    return read_rows


def manifest(path: Path) -> Callable[[Path], object]:
    row = ManifestRow(KEY, "pkl/001/nm/090/090.pkl", 5, 3, {"=a": 2}, "x", "y")
    write_sealed_table(path, manifest_text([row]))
    assert read_manifest(path) == [row]
    return read_manifest


def report(path: Path) -> Callable[[Path], object]:
    row = Row("d", "m", "s", "p", "NM", "95.00", kind="retrieval")
    write_table(path, Row, [row])
    assert read_report(path) == [row]
    return read_report


def matrix(path: Path) -> Callable[[Path], object]:
    tabulate_matrix([], path, ["d/m/s: why"])
    assert read_matrix(path).rows == [MatrixRow("m", "s", "d", note="why")]
    return read_matrix


KINDS = pytest.mark.parametrize("kind", [catalogue, manifest, report, matrix])


@KINDS
def test_every_flipped_bit_of_a_table_is_noticed(
    kind: Callable[[Path], Callable[[Path], object]], tmp_path: Path
) -> None:
    path = tmp_path / "table.csv"
    read = kind(path)
    generator = random.Random(2)
    for victim in (path, sidecar(path)):
        whole = victim.read_bytes()
        for _ in range(400):
            damaged = bytearray(whole)
            position = generator.randrange(8 * len(whole))
            damaged[position // 8] ^= 1 << position % 8
            victim.write_bytes(damaged)
            with pytest.raises(DataError, match=r"table.csv: differs from its digest .*again"):
                read(path)
        victim.write_bytes(whole)
    read(path)


@KINDS
def test_a_table_without_a_digest_ends_in_a_table_or_a_sentence(
    kind: Callable[[Path], Callable[[Path], object]], tmp_path: Path
) -> None:
    path = tmp_path / "table.csv"
    read = kind(path)
    sidecar(path).unlink()
    whole = path.read_bytes()
    path.write_bytes(b"\xef\xbb\xbf" + whole)
    read(path)
    generator = random.Random(3)
    texts = [b"", b"\0" * 9, b"\xff\xfe", b'"', b"a" * 200_000 + b"\n", whole + b'"' + whole]
    texts += [whole.replace(b",", b",,"), whole.replace(b"\n", b"\r"), whole + b"\0,\n"]
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(generator.randrange(1, 5)):
            damaged[generator.randrange(len(whole))] = generator.randrange(256)
        texts.append(bytes(damaged))
    for text in texts:
        path.write_bytes(text)
        try:
            read(path)
        except GaitError as error:
            assert "table.csv" in str(error) and "again" in str(error)


def test_a_count_is_a_count(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    for bad in ("-1", "1e5", "9" * 5000, " 3", "٣", "1_0", ""):
        text = manifest_text([ManifestRow(KEY, "pkl/001/nm/090/090.pkl", 5, 3)])
        path.write_text(text.replace(",5,3,", f",5,{bad},"), encoding="utf-8")
        with pytest.raises(DataError, match=r"m.csv, line 2: expected a count"):
            read_manifest(path)


def test_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,a\n1,2\n")
    with pytest.raises(DataError, match=r"a.csv: expected columns of different names; make"):
        read_table(tmp_path / "a.csv", "make it again")


@pytest.mark.parametrize("sign", ["\r", "\n", "\r\n", '"', ",", "\u2028", "\x85", "\t", "\x00"])
def test_any_name_goes_through_a_table(sign: str, tmp_path: Path) -> None:
    rows = [[f"a{sign}b", sign, f"{sign}c"], ["1", "", "2"]]
    path = tmp_path / "a.csv"
    write_sealed_table(path, table_text(["x", "y", "z"], rows))
    assert read_table(path, "make it again") == (["x", "y", "z"], rows)
