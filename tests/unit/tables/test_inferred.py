"""What a CSV column's texts make it: numbers that come back as they are written, and nothing else."""

from __future__ import annotations

import pytest

from gymops.tables.inferred import Inferred, infer, read, value

TYPES: dict[str, tuple[list[str], str]] = {
    "whole numbers": (["1", "-20", "0", "9223372036854775807"], "BIGINT"),
    "decimals, as Python writes them": (["1.50", "-0.5", "7", "1e-07", "1e+16"], "DECIMAL"),
    "truth, as Python writes it": (["True", "False", "true"], "BOOLEAN"),
    "dates": (["2024-02-29", "2023-12-31"], "DATE"),
    "dates with times": (["2024-02-29", "2024-02-29T10:00:00.123456+00:00"], "DATETIME"),
    "texts": (["a", "b"], "TEXT"),
    "one in ten that is none": (["1"] * 9 + ["n/a"], "BIGINT"),
    "one in ten that is no day": (["2024-02-28"] * 9 + ["2024-02-30"], "DATE"),
    "leading zeros": (["007", "8"], "TEXT"),
    "a phone number": (["+491701", "491702"], "TEXT"),
    "numbers and words": (["1", "two", "3"], "TEXT"),
    "numbers and dates": (["20240229"] + ["2024-02-29"] * 20, "TEXT"),
    "too large for 64 bits": (["9223372036854775808", "1"], "TEXT"),
    "more digits than a real number has": (["0.12345678901234567890"], "TEXT"),
    "a negative zero": (["-0.0", "1.5"], "TEXT"),
    "thousands": (["1,000", "2"], "TEXT"),
    "spaces": ([" 1", "2"], "TEXT"),
    "yes and no": (["yes", "no"], "TEXT"),
    "nothing": ([], "TEXT"),
}


@pytest.mark.parametrize("what", TYPES)
def test_a_column_is_what_all_its_values_are(what: str) -> None:
    texts, declared = TYPES[what]
    assert infer("x", texts).declared == declared


def test_what_looks_like_a_number_and_stays_text_is_told() -> None:
    assert infer("x", ["007", "8"]).note == "x is text, for '007' would come back as another number"
    assert infer("x", ["+491701"]).note == "x is text, for '+491701' would come back as another number"
    assert infer("phone", ["5551234", "5551235"]) == Inferred("TEXT", "phone is text: such numbers are names")
    assert infer("x", ["1", "two"]).note == "x is text: it holds numbers and others"
    assert infer("x", []).note == "x is empty throughout: text"
    assert infer("x", ["a"]).note is None


def test_an_empty_text_is_one_among_texts_only() -> None:
    assert [value(one, "") for one in ("TEXT", "BIGINT", "DATE", "BOOLEAN")] == ["", None, None, None]
    assert [value(one, None) for one in ("TEXT", "BIGINT")] == [None, None]
    assert [value("BIGINT", "7"), value("BIGINT", "n/a"), value("TEXT", "7")] == [7, "n/a", "7"]


@pytest.mark.parametrize("text", ["-0", "1e5", "1_000", "٣", "nan", "inf", "1.", ".5", "0x1", ""])
def test_what_is_not_written_as_a_number_is_none(text: str) -> None:
    assert read(text) is None
