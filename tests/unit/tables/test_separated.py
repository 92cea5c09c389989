"""CSV files as they are written: separators, quotes, line breaks, byte order marks."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gymops.errors import SourceError
from gymops.tables import separated
from tests.contract.strategies import FEW


def read(path: Path, held: bytes) -> list[tuple[int, list[str | None]]]:
    path.write_bytes(held)
    return [(one.line, one.cells) for one in separated.records(path, separated.separator(path))]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.csv"


@pytest.mark.parametrize("separator", separated.SEPARATORS)
def test_separators_are_told_apart(path: Path, separator: str) -> None:
    held = f'id{separator}"a,b;c\td"\n1{separator}x\n'.encode()
    assert read(path, held) == [(1, ["id", "a,b;c\td"]), (2, ["1", "x"])]


def test_the_rows_decide_where_a_header_leaves_it_open(path: Path) -> None:
    assert read(path, b"id;a,b\n1;x\n2;y\n")[1:] == [(2, ["1", "x"]), (3, ["2", "y"])]


def test_nothing_is_null_and_two_quotes_are_an_empty_text(path: Path) -> None:
    assert read(path, b'a,b,c\n,"",x\n')[1] == (2, [None, "", "x"])


def test_quotes_hold_line_breaks_separators_and_quotes(path: Path) -> None:
    held = b'\xef\xbb\xbfa,b\r\n"1\r\n,""2""\n",x\r\n\r\n3,4\r\n'
    assert read(path, held) == [(1, ["a", "b"]), (2, ['1\r\n,"2"\n', "x"]), (6, ["3", "4"])]


def test_a_quote_inside_a_text_is_itself(path: Path) -> None:
    assert read(path, b'a,b\n5" bar,"x"y\n')[1] == (2, ['5" bar', "xy"])


def test_bytes_that_are_no_utf8_are_kept(path: Path) -> None:
    ((_, cells),) = read(path, b"a,h\xffllo\n")
    assert cells[1] is not None
    assert cells[1].encode(errors="surrogateescape") == b"h\xffllo"


def test_a_quote_that_is_never_closed_is_told_with_its_line(path: Path) -> None:
    with pytest.raises(SourceError, match=r"a\.csv line 2: a quote that is never closed"):
        read(path, b'a,b\n1,"x\n2,y\n')


@settings(FEW, max_examples=300)
@given(st.text('a",;\t\n\r ', max_size=30), st.sampled_from([*separated.SEPARATORS]))
def test_any_file_is_read_as_python_reads_it(tmp_path: Path, text: str, separator: str) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(text.encode())
    try:
        mine = [[cell or "" for cell in one.cells] for one in separated.records(path, separator)]
    except SourceError:
        return
    with path.open(newline="") as file:
        assert mine == [row for row in csv.reader(file, delimiter=separator) if row]
