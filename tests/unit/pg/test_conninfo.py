"""Connection strings are understood as libpq does, and shown without their secrets."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from gymops.errors import ConfigError
from gymops.pg.conninfo import parse, redact

# Nothing else in these URLs holds these characters.
SECRET = "ŝecretŝ"
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
AWKWARD = st.text(st.sampled_from("@/:?#&=%[] '\\+,1aé"), max_size=6)
PASSWORDS = st.tuples(TEXT | AWKWARD, TEXT | AWKWARD).map(
    lambda parts: f"{parts[0]}{SECRET}{parts[1]}{SECRET}"
)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:secret@db.example.com:5432/gym", "postgresql://ann@db.example.com:5432/gym"),
        ("postgres://ann:secret@db/gym?sslmode=require", "postgresql://ann@db/gym?sslmode=require"),
        ("postgresql://ann@db/gym?password=secret&sslpassword=secret", "postgresql://ann@db/gym"),
        ("postgresql://db/gym?passfile=/home/ann/.pgpass", "postgresql://db/gym?passfile=/home/ann/.pgpass"),
        ("postgresql://a%40b:s%2Fcret@db/g%20ym", "postgresql://a%40b@db/g%20ym"),
        ("postgresql://gymops@/gym?host=/tmp/x&port=5433", "postgresql://gymops@/gym?host=/tmp/x&port=5433"),
        ("postgresql://ann:secret@[::1]:5432/gym", "postgresql://ann@[::1]:5432/gym"),
        ("postgresql://ann:secret@a:1,b:2/gym", "postgresql://ann@/gym?host=a,b&port=1,2"),
        ("postgresql:///gym", "postgresql:///gym"),
        ("postgresql://", "postgresql:///"),
        ("host=db user=ann password=secret dbname=gym", "user=ann dbname=gym host=db"),
        ("host=db password='se cr\\'et'", "host=db"),
        ("host=db oauth_client_secret=secret scram_client_key=secret", "host=db"),
        # What libpq would take apart otherwise than its writer meant is hidden whole.
        ("postgresql://ann:sec@ret@db/gym", "postgresql://***"),
        ("postgresql://ann:1/secret@db/gym", "postgresql://***"),
        ("postgresql://ann:sec/ret@db/gym", "postgresql://***"),
        ("postgresql://ann:secret%zz@db/gym", "postgresql://***"),
        ("postgresql://ann:sec ret@db/gym", "postgresql://***"),
        ("postgresql://ann:%ff@db/gym", "postgresql://***"),
        ("postgresql+psycopg://ann:secret@db/gym", "***"),
        ("host=db password=se cret", "***"),
        ("host=db passwrd=secret", "***"),
        ("secret", "***"),
    ],
)
def test_redaction(url: str, shown: str) -> None:
    assert redact(url) == shown


@given(TEXT, PASSWORDS, st.sampled_from(["db", "10.0.0.1", "::1", "/run/a b", "a,b", ""]), TEXT)
def test_no_escaped_password_is_shown_and_all_else_is(user: str, password: str, host: str, name: str) -> None:
    whole = {"user": user, "host": host, "dbname": name, "application_name": "a@b?c"}
    shown = {key: value for key, value in whole.items() if value}
    query = "&".join(
        f"{key}={quote(value, safe='')}" for key, value in {**shown, "password": password}.items()
    )
    in_query = f"postgresql:///?{query}"
    authority = (
        f"postgresql://{quote(user or 'u', safe='')}:{quote(password, safe='')}@/{quote(name, safe='')}"
    )
    pairs = make_conninfo("", **shown, password=password)
    for url in (in_query, pairs, authority):
        assert SECRET not in redact(url)
        assert quote(SECRET) not in redact(url)
        expected = {key: value for key, value in conninfo_to_dict(url).items() if key != "password"}
        assert conninfo_to_dict(redact(url)) == expected
        assert parse(url)["password"] == password


@given(PASSWORDS)
@example(f"1/{SECRET}?application_name={SECRET}")
@example(f"{SECRET}@{SECRET}")
@example(f"{SECRET}?{SECRET}={SECRET}")
def test_no_unescaped_password_is_shown(password: str) -> None:
    for url in (f"postgresql://ann:{password}@db:5432/gym?sslmode=require", f"postgres://:{password}@/"):
        assert SECRET not in redact(url)
        try:
            parse(url)
        except ConfigError as error:
            told = f"{error.message}{error.hint}"
        else:
            told = ""
        assert SECRET not in told


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://ann:se@cret@db/gym", "@ is written %40"),
        ("postgresql://ann:secret@db/gym?passwrd=secret", "cannot be understood"),
        ("postgresql://db:secret/gym", "cannot be understood"),
        ("postgresql+psycopg://ann:secret@db/gym", "begins with postgresql://"),
        ("mysql://ann:secret@db/gym", "mysql:// is no PostgreSQL URL"),
        ("gym-secret.db", "neither a postgresql:// URL nor"),
        ("host=db\0secret", "neither"),
    ],
)
def test_what_is_no_connection_string_is_not_repeated(url: str, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(url)
    assert says in refused.value.message
    assert "secret" not in f"{refused.value.message}{refused.value.hint}"
    assert refused.value.__cause__ is None
