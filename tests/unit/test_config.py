"""Settings: where they come from, which wins, and what is refused."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from gymops import config, resources
from gymops.config import Backup, Environment, EventMapping, Settings
from gymops.errors import ConfigError

TEMPLATE = resources.path("templates") / "gymops.toml"
MAPPING = """
[migrate.events]
table = "log"
event_id = "uuid"
timestamp = "at"
event_type = "kind"
payload = "body"
"""


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(text: str | None = None, **environ: str) -> Settings:
    if text is not None:
        Path("gymops.toml").write_text(text, encoding="utf-8")
    return config.load(environ=environ)


def refused(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)) as error:
        load(text)
    assert error.value.exit_code == 2
    assert error.value.message.startswith("gymops.toml")
    assert error.value.hint


def test_defaults_without_a_file() -> None:
    settings = load()
    assert (settings.home, settings.postgres_bin, settings.mapping) == (Path(".gymops"), None, None)
    assert settings.databases == {}


def test_a_flag_wins_over_the_environment_over_the_file_over_the_default() -> None:
    Path("gymops.toml").write_text('home = "file"\npostgres_bin = "file"', encoding="utf-8")
    environ = {"GYMOPS_HOME": "environment", "GYMOPS_POSTGRES_BIN": "environment"}
    flags: dict[str, Any] = {"home": "flag", "postgres_bin": "flag"}
    for name in ("home", "postgres_bin"):
        assert getattr(config.load(environ=environ, **flags), name) == Path("flag")
        assert getattr(config.load(environ=environ), name) == Path("environment")
        assert getattr(config.load(environ={}), name) == Path("file")
    Path("gymops.toml").unlink()
    assert config.load(environ={}) == Settings(environ={})


def test_an_empty_variable_or_flag_is_none() -> None:
    assert config.load(environ={"GYMOPS_HOME": ""}, home=None).home == Path(".gymops")


def test_another_file_by_flag_or_variable(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text(f'home = "{name}"', encoding="utf-8")
    environ = {"GYMOPS_CONFIG": "a.toml"}
    assert config.load(environ=environ).home == Path("a")
    assert config.load(Path("b.toml"), environ).home == Path("b")


@pytest.mark.parametrize("name", ["gone.toml", "folder/gone.toml"])
def test_a_named_file_that_is_missing(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}: no such file") as error:
        config.load(environ={"GYMOPS_CONFIG": name})
    assert error.value.hint == "gymops init writes a commented gymops.toml"


def test_a_directory_in_place_of_the_file() -> None:
    Path("gymops.toml").mkdir()
    with pytest.raises(ConfigError, match=r"gymops.toml: cannot be read: Is a directory"):
        config.load(environ={})


def test_a_file_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", denied)
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        config.load(environ={})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("home = ", "gymops.toml: not valid TOML: Invalid value (at end of document)"),
        ("home = 'a'\nhome = 'b'", "gymops.toml: not valid TOML: Cannot overwrite a value (at end"),
        ("[[[", "gymops.toml: not valid TOML"),
        ("hoem = 'a'", "gymops.toml: unknown key 'hoem'"),
        ("home = 3", "gymops.toml: home: a text is expected"),
        ("home = ''", "gymops.toml: home: a text is expected"),
        ('home = "a\\u0000b"', "gymops.toml: home: a text is expected"),
        ("postgres_bin = ['a']", "gymops.toml: postgres_bin: a text is expected"),
        ("environments = 1", "gymops.toml: [environments]: a table is expected"),
        ("environments.a.backup.key = 'file:x'", "gymops.toml: environments.a.backup.key: 'file:x' is none"),
        ("[environments]\nprod = 'x'", "gymops.toml: [environments.prod]: a table is expected"),
        ("[environments.prod]\nurl = 'x'", "gymops.toml: [environments.prod]: unknown key 'url'"),
        ("[environments.prod]\ndatabase = 5", "environments.prod.database: a text is expected"),
        ("[environments.prod]\naccount = '12'", "environments.prod.account: '12' is no account"),
        ("[environments.prod]\nwithin_days = true", "environments.prod.within_days: a whole number of days"),
        ("[environments.prod]\nsmoke = [1]", "environments.prod.smoke: a text is expected"),
        ("[app]\npackage = 'a'\nhandler = 'b'\nkind = 'jar'", "gymops.toml: app.kind: 'jar' is none"),
        ("[app]\narchive = 'a'\nbase = 'b'", "gymops.toml: [app]: archive is built already, and base says"),
        ("[app]\nbase = 'a'\nname = 'b'", "gymops.toml: [app]: package is missing"),
        ("migrate = []", "gymops.toml: [migrate]: a table is expected"),
        ("[migrate.event]", "gymops.toml: [migrate]: unknown key 'event'"),
        ("[migrate.events]", "gymops.toml: [migrate.events]: event_id is missing"),
        (MAPPING + "id = 'x'", "gymops.toml: [migrate.events]: unknown key 'id'"),
        (MAPPING.replace('"log"', "1"), "gymops.toml: migrate.events.table: a text is expected"),
    ],
)
def test_what_is_refused(text: str, says: str) -> None:
    refused(text, says)


def test_text_that_is_no_utf8() -> None:
    Path("gymops.toml").write_bytes(b'home = "\xff"')
    with pytest.raises(ConfigError, match=r"gymops.toml: not valid TOML: .*utf-8"):
        config.load(environ={})


def test_a_mapping_with_and_without_a_version() -> None:
    assert load(MAPPING).mapping == EventMapping("log", "uuid", "at", "kind", "body")
    mapping = load(MAPPING + 'schema_version = "v"').mapping
    assert mapping is not None
    assert mapping.schema_version == "v"


def test_a_place_is_resolved_by_environment_then_by_variable() -> None:
    settings = load(
        '[environments.staging]\ndatabase = "postgresql://a/b"\n[environments.prod]\ndatabase = "env:PROD"',
        PROD="postgresql://p/q",
        OTHER="postgresql://o/p",
    )
    assert config.resolve(settings, "postgresql://x/y") == "postgresql://x/y"
    assert config.resolve(settings, "env:staging") == "postgresql://a/b"
    assert config.resolve(settings, "env:prod") == "postgresql://p/q"
    assert config.resolve(settings, "env:OTHER") == "postgresql://o/p"
    for place in ("env:GONE", "env:"):
        with pytest.raises(ConfigError, match=f"^{place}: neither an environment") as error:
            config.resolve(settings, place)
        assert error.value.hint


def test_an_environment_whose_variable_is_not_set() -> None:
    settings = load('[environments.prod]\ndatabase = "env:PROD"')
    with pytest.raises(ConfigError) as error:
        config.resolve(settings, "env:prod")
    assert error.value.hint is not None
    assert error.value.hint.startswith("export PROD=postgresql://")


def test_the_environment_is_never_printed() -> None:
    assert "s3cret" not in repr(load(PASSWORD="s3cret"))


# The template is documentation, example and validator at once.


def test_the_template_changes_nothing_as_it_is() -> None:
    assert config.load(TEMPLATE, environ={}) == Settings(environ={})


def uncommented() -> str:
    """The template with its examples in force: a comment is followed by a space, an example is not."""
    return re.sub(r"^#(?=\S)", "", TEMPLATE.read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_every_example_of_the_template_is_understood() -> None:
    settings = load(uncommented())
    assert settings.home == Path(".gymops")
    assert settings.postgres_bin == Path("/usr/lib/postgresql/18/bin")
    assert set(settings.databases) == {"staging", "prod"}
    assert settings.databases["prod"].startswith("env:")
    prod = settings.environments["prod"]
    assert prod.after == "staging"
    assert prod.within_days == 7
    assert prod.smoke == ("/api/health",)
    assert prod.backup == Backup(
        "s3://our-backups/app",
        "dump",
        {
            "continuous": {"keep": "30 days", "rpo": "5 minutes", "rto": "15 minutes"},
            "daily": {"schedule": "03:00", "keep": "30 days"},
        },
        "kms:alias/our-backups",
    )
    assert settings.app
    assert settings.app.test == ("pytest", "-q")
    mapping = settings.mapping
    assert mapping is not None
    assert all(vars(mapping).values())


def test_every_setting_is_in_the_template() -> None:
    text = uncommented()
    environment = set(Environment.__dataclass_fields__) - {"parameters", "backup"}
    backup = set(Backup.__dataclass_fields__) - {"tiers"}
    for name in ("home", "postgres_bin", *environment, *backup, *EventMapping.__dataclass_fields__):
        assert re.search(rf"^{name} = ", text, re.MULTILINE), name
    for name in ("home", "postgres_bin", "config"):
        assert f"GYMOPS_{name.upper()}" in text


def test_settings_come_from_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "GYMOPS_HOME", "elsewhere")
    assert config.load().home == Path("elsewhere")
