"""Numbers, dates, names and digests, without a database."""

from __future__ import annotations

import pytest

from gymops.errors import ConfigError
from gymops.tables import instants, kinds
from gymops.tables.digest import Content, Hasher, database
from gymops.tables.names import Names, fold

PLAIN = {
    0.1: "0.1",
    -0.0: "0",
    100: "100",
    1e22: "10000000000000000000000",
    1.5e-7: "0.00000015",
    -12.50: "-12.5",
    123456789.25: "123456789.25",
    1e16: "10000000000000000",
    float("-inf"): "-Infinity",
}


@pytest.mark.parametrize("value", PLAIN)
def test_a_number_without_exponent_and_trailing_zeros(value: float) -> None:
    assert kinds.plain(value) == PLAIN[value]


def test_the_digest_knows_no_order_but_counts_equal_rows() -> None:
    def content(*rows: bytes) -> Content:
        hasher = Hasher()
        hasher.add(rows)
        return hasher.content()

    assert content(b"a", b"b") == content(b"b", b"a")
    assert content(b"a", b"a", b"b") != content(b"a", b"b", b"b")
    assert content(b"a", b"a") != content(b"b", b"b")
    assert content() == Content(0, "0" * 64)


def test_the_digest_stays_as_it_is_written_down() -> None:
    """Vectors of format 1: they may never change."""
    hasher = Hasher()
    hasher.add([b"\0\1" + kinds.BIGINT.field(1), b"\0\1" + kinds.BIGINT.field(2)])
    one = hasher.content()
    assert one.digest == "1ccb0e241f18992c5a27f8ca3550220667183248f31633db478d81ca9785bca4"
    assert database({"b": one, "a": Content()}) == (
        "516695ab095b1b30f5aa81ea3768d10994d3d2deaf88f5c162e4c00bea794b8a"
    )


def test_names_are_folded_as_both_databases_fold_them() -> None:
    assert fold("AlbumÄÖ") == "albumÄÖ"
    names = Names.of_columns(keep=False)
    assert [names.give(name) for name in ("Id", "id", "xmin", "a b", "ID")] == [
        "id",
        "id_2",
        "xmin_2",
        "a b",
        "id_3",
    ]
    long = "ä" * 40
    assert [len(names.give(long).encode()) for _ in range(2)] == [62, 62]
    assert Names(keep=True).give("Id") == "Id"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2023-02-29", "no day of the calendar"),
        ("2024-1-1", "no ISO date"),
        ("2024-01-01 25:00", "no time of day"),
        ("2024-01-01 00:00:60", "no time of day"),
        ("2024-01-01 00:00:00.1234567", "finer than a microsecond"),
        ("2024-01-01 00:00:00+19:00", "no time zone"),
        ("٢٠٢٤-01-01", "no ISO date"),
        ("now", "no ISO date"),
    ],
)
def test_what_is_no_date(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        instants.read(text)


@pytest.mark.parametrize("value", [10**15, -(10**15), 1e300])
def test_seconds_beyond_the_years_1_to_9999(value: float) -> None:
    with pytest.raises(ValueError, match="outside the years"):
        instants.unix(value)


def test_types_by_name() -> None:
    assert kinds.named("Numeric( 8, 2 )").sql == "numeric(8,2)"
    assert kinds.named("varchar(9)").sql == "character varying(9)"
    assert kinds.named("timestamptz", "julian").reads == "julian"
    with pytest.raises(ConfigError, match="needs the type timestamptz"):
        kinds.named("bigint", "unix")
