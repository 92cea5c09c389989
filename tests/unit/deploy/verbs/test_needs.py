"""A template that could be deployed and not be released to is refused, and what it lacks is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gymops.config import App, Environment, Settings
from gymops.deploy.environment import Deployment, resolve
from gymops.deploy.syntax import Lines
from gymops.deploy.template import Template, compose
from gymops.deploy.verbs import needs
from gymops.errors import ConfigError
from tests.unit.deploy.shipped import stack

PAGE = Path(__file__).parents[4] / "docs" / "any-app.md"


@pytest.fixture
def infra(tmp_path: Path) -> Path:
    text = PAGE.read_text(encoding="utf-8").partition("`infra/template.yaml`\n\n```text\n")[2]
    (tmp_path / "template.yaml").write_text(text.partition("```")[0], encoding="utf-8")
    return tmp_path / "template.yaml"


def made(place: Path, file: Path, app: App | None = None) -> tuple[Deployment, Template]:
    settings = Settings(
        architecture=str(place), app=app or App(("shop",), "shop.handler", name="shop"),
        environments={"staging": Environment(region="eu-central-1")},
    )  # fmt: skip
    return resolve(settings, "staging"), compose(file)


def test_the_documented_one_has_it_all(infra: Path) -> None:
    deployment, app = made(infra, infra)
    needs.check(deployment, app, "zip")
    assert deployment.app == "shop"
    with pytest.raises(ConfigError, match="no parameter ImageUri") as caught:
        needs.check(deployment, app, "image")
    assert 'kind = "zip" in [app]' in str(caught.value.hint)


def test_an_image_that_is_built_already_has_a_name_of_its_own_too(infra: Path) -> None:
    own = App((), "", name="node", archive=Path("node.tar"), kind="image")
    assert made(infra, infra, own)[0].app == "node"


@pytest.mark.parametrize("name", [*needs.PARAMETERS["zip"], *needs.OUTPUTS["app"]])
def test_each_missing_one_is_named(infra: Path, name: str) -> None:
    text = infra.read_text(encoding="utf-8")
    line = next(one for one in text.splitlines() if one.startswith(f"  {name}: {{"))
    infra.write_text(text.replace(line, f"  Not{line[2:]}"), encoding="utf-8")
    deployment, app = made(infra, infra)
    with pytest.raises(ConfigError, match=rf"template.yaml: there is no (parameter|output) {name}"):
        needs.check(deployment, app, "zip")


def test_a_base_of_one_s_own_must_give_the_bucket(infra: Path) -> None:
    (infra.parent / "base.yaml").write_text("Resources: {}\n", encoding="utf-8")
    rows = [
        f'[[stack]]\nname = "{name}"\ntemplate = "{file}"\nscope = "environment"\n'
        for name, file in (("base", "base.yaml"), ("app", "template.yaml"))
    ]
    (infra.parent / "stacks.toml").write_text("\n".join(rows), encoding="utf-8")
    deployment, app = made(infra.parent, infra)
    with pytest.raises(ConfigError, match=r"base.yaml: there is no output ReleaseBucketName"):
        needs.check(deployment, app, "zip")


@pytest.mark.parametrize("command", ["npx 'migrate", "   "])
@pytest.mark.parametrize("given", [False, True])
def test_a_schema_command_must_be_one(command: str, given: bool) -> None:
    deployment = resolve(
        Settings(architecture="productivity-fargate", environments={"staging": Environment()}), "staging"
    )
    app, own = stack("app", "productivity-fargate"), deployment.parameters
    needs.check(replace(deployment, parameters={**own, "SchemaCommand": "npx 'a b'"}), app, "image")
    if given:
        deployment = replace(deployment, parameters={**own, "SchemaCommand": command})
    else:
        outputs = {**app.body["Outputs"], "SchemaCommand": {"Value": command}}
        app = replace(app, body=Lines({**app.body, "Outputs": outputs}))
    with pytest.raises(ConfigError, match="is no command"):
        needs.check(deployment, app, "image")
