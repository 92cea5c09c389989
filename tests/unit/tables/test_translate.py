"""What SQLite's expressions and queries are called in PostgreSQL."""

from __future__ import annotations

import pytest

from gymops.tables.tokens import tokens
from gymops.tables.translate import Translator, UntranslatableError

COLUMNS = {"a": '"a"', "b": '"b"', "first": '"first"', "größe": '"größe"'}

TRANSLATED = {
    "a > 0 AND B<>'x'": """"a" > 0 AND "b" <> 'x'""",
    "a == 1": '"a" = 1',
    "a IS b": '"a" IS NOT DISTINCT FROM "b"',
    "a IS NOT 1": '"a" IS DISTINCT FROM 1',
    "a IS NOT NULL": '"a" IS NOT NULL',
    "a IN (1, 0x1F)": '"a" IN (1 , 31)',
    "a LIKE 'x%'": """"a" ILIKE 'x%'""",
    "a NOT GLOB 'x?[^a-c]*.'": """"a" !~ '^x.[^a-c].*\\.$'""",
    "ifnull(a, b)": 'coalesce("a", "b")',
    "iif(a, 1, 2)": 'CASE WHEN "a" THEN 1 ELSE 2 END',
    "instr(a, 'x')": """strpos("a", 'x')""",
    "length(trim(a)) BETWEEN 1 AND 9": 'length(trim("a")) BETWEEN 1 AND 9',
    "CAST(a AS INTEGER)": 'CAST("a" AS bigint)',
    "[first] = `a`": '"first" = "a"',
    "first = 1": '"first" = 1',
    'a = "no column"': """"a" = 'no column'""",
    "a = 'it''s' -- said\n": """"a" = 'it''s'""",
    "a = x'00FF' /* bytes */": """"a" = '\\x00FF'::bytea""",
    "größe >= 1.5e3": '"größe" >= 1.5e3',
    "a COLLATE BINARY = b": '"a" = "b"',
    "strftime('%Y-%m', a)": """to_char(("a")::timestamp, 'YYYY-MM')""",
    "strftime('%s', 'now')": "floor(extract(epoch FROM (now() AT TIME ZONE 'UTC')))::bigint",
    "round(a, 2)": 'round(("a")::numeric, 2)::double precision',
    "CASE a WHEN 1 THEN TRUE ELSE FALSE END": 'CASE "a" WHEN 1 THEN TRUE ELSE FALSE END',
}


@pytest.mark.parametrize("expression", TRANSLATED)
def test_expressions(expression: str) -> None:
    assert Translator(COLUMNS)(tokens(expression)) == TRANSLATED[expression]


REFUSED = {
    "typeof(a) = 'integer'": "typeof() has no counterpart",
    "a -> '$.x'": "-> has no counterpart",
    "a COLLATE NOCASE = 'x'": "COLLATE NOCASE has no counterpart",
    "a LIKE 'x\\%'": "a backslash in LIKE",
    "a GLOB b": "GLOB with a pattern that is computed",
    "max(a, b)": "max() has no counterpart",
    "date(a, '+1 day')": "date() has no counterpart",
    "strftime('%w', a)": "strftime('%w') has no counterpart",
    "c > 1": "c is no column of the table",
    "CAST(a AS BLOB)": "CAST to BLOB",
    "a = 'x\0y'": "a NUL character",
}


@pytest.mark.parametrize("expression", REFUSED)
def test_what_means_something_else_is_refused(expression: str) -> None:
    with pytest.raises(UntranslatableError) as error:
        Translator(COLUMNS)(tokens(expression))
    assert REFUSED[expression] in str(error.value)


def test_a_query_with_the_names_of_the_target() -> None:
    translator = Translator({"albumid": '"albumid"'}, {"album": '"records"'}, closed=False)
    query = (
        "SELECT a.AlbumId AS Id, group_concat(DISTINCT Title) FROM [Album] a GROUP BY 1 HAVING count(*) > 1"
    )
    assert translator(tokens(query)) == (
        """SELECT "a"."albumid" AS "id" , string_agg(DISTINCT ("title")::text, ',') FROM "records" "a\""""
        " GROUP BY 1 HAVING count(*) > 1"
    )
