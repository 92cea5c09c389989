"""A stacks.toml of the user's own: read, or refused with the file, the key and what belongs there."""

from __future__ import annotations

from pathlib import Path

import pytest

from gymops.config import App, Environment, Settings
from gymops.deploy.environment import resolve
from gymops.deploy.template import architecture
from gymops.errors import ConfigError

GOOD = """
region = "eu-central-1"
smoke = ["/health"]
after = { prod = "staging" }

[[stack]]
name = "zone"
template = "zone.yaml"
scope = "account"
region = "us-east-1"
optional = true

[[stack]]
name = "app"
template = "app.yaml"
scope = "environment"
"""


@pytest.fixture
def infra(tmp_path: Path) -> Path:
    for name in "zone.yaml", "app.yaml":
        (tmp_path / name).write_text("Resources: {}\n", encoding="utf-8")
    (tmp_path / "stacks.toml").write_text(GOOD, encoding="utf-8")
    return tmp_path


def test_a_folder_gets_our_base_where_it_has_none(infra: Path) -> None:
    found = architecture(str(infra))
    assert [stack.name for stack in found.stacks] == ["base", "zone", "app"]
    assert found.stack("app").template == infra / "app.yaml"
    assert found.stack("zone").region == "us-east-1"
    assert (found.region, found.smoke, found.after) == ("eu-central-1", ("/health",), {"prod": "staging"})
    (infra / "stacks.toml").write_text(GOOD.replace('"zone"', '"base"'), encoding="utf-8")
    with pytest.raises(ConfigError, match="base is always made"):
        architecture(str(infra))


def test_one_template_is_an_architecture_too(infra: Path) -> None:
    settings = Settings(
        architecture=str(infra / "app.yaml"),
        app=App(("shop",), "shop.handler", name="shop"),
        environments={"staging": Environment(region="eu-north-1", smoke=("/",)), "prod": Environment()},
    )
    staging = resolve(settings, "staging")
    assert [staging.stack_name(one) for one in staging.stacks()] == ["shop-base", "staging-shop"]
    assert {staging.region_of(one) for one in staging.stacks()} == {"eu-north-1"}
    assert staging.parameters == {"Environment": "staging", "AppName": "shop"}
    with pytest.raises(ConfigError, match="prod has no region"):
        resolve(settings, "prod")


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        ("[[stack]]", "[[stacks]]", "unknown key 'stacks'"),
        ("region =", "regoin =", "unknown key 'regoin'"),
        ('scope = "account"', 'scope = "accounts"', "stack 1: scope: 'accounts' is none"),
        ('scope = "account"', "", "stack 1: scope is missing"),
        ("optional = true", 'optional = "yes"', "stack 1: optional: true or false is expected"),
        ('"app.yaml"', '"apps.yaml"', "stack 2: template: there is no apps.yaml"),
        ('name = "app"', 'name = "shop"', "no stack is called app"),
        ('name = "zone"', 'name = "app"', "two stacks are called app"),
        ('"/health"', '"health"', "smoke: 'health' is no path"),
        ('smoke = ["/health"]', 'smoke = "/health"', "smoke: a list is expected"),
        ('prod = "staging"', "prod = 1", "after.prod: a text is expected"),
        ('name = "zone"', 'name = "zone', "not valid TOML"),
    ],
)
def test_what_is_wrong_is_named_with_its_file(infra: Path, was: str, becomes: str, told: str) -> None:
    assert was in GOOD
    file = infra / "stacks.toml"
    file.write_text(GOOD.replace(was, becomes), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        architecture(str(infra))
    assert refused.value.message.startswith(str(file))
    assert told in refused.value.message
    assert refused.value.hint


def test_a_base_after_the_app_is_refused(infra: Path) -> None:
    late = '\n[[stack]]\nname = "base"\ntemplate = "zone.yaml"\nscope = "account"\n'
    (infra / "stacks.toml").write_text(GOOD + late, encoding="utf-8")
    with pytest.raises(ConfigError, match="base comes after app"):
        architecture(str(infra))


@pytest.mark.parametrize("name", ["./nowhere", "infra/none.yaml"])
def test_what_is_not_there(name: str) -> None:
    with pytest.raises(ConfigError, match="no such folder or template"):
        architecture(name)
