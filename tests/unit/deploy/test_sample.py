"""The gymops.toml of an architecture is documentation, example, and read by gymops itself."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from gymops import config
from gymops.cli.init import write
from gymops.deploy import sample
from gymops.deploy.template import names
from gymops.errors import ConfigError
from tests.unit.deploy.shipped import shipped, stack, titan


@pytest.mark.parametrize("of", names())
def test_it_is_read_back_with_the_parameters_of_each_environment(of: str, tmp_path: Path) -> None:
    file = write(tmp_path / "gymops.toml", of)
    read = config.load(file, environ={})
    assert read.architecture == of
    assert read.parameters == shipped(of).environments
    assert next(iter(read.parameters)) == "local"


def test_every_parameter_is_explained_in_every_environment() -> None:
    text = sample.settings(titan())
    assert re.findall(r"^\[environments\.(\w+)", text, re.MULTILINE) == ["local", "staging", "prod"]
    for name in stack("app").parameters:
        assert len(re.findall(rf"^#?{name} = ", text, re.MULTILINE)) == 3, name


def test_what_is_commented_out_is_the_default() -> None:
    text = re.sub(r"^#(\w+ = )", r"\1", sample.settings(titan()), flags=re.MULTILINE)
    written = tomllib.loads(text)["environments"]["prod"]["parameters"]
    defaults = {name: str(one.get("Default", "")) for name, one in stack("app").parameters.items()}
    assert written == {**defaults, **titan().environments["prod"]}


def test_what_only_an_earlier_stack_can_give_is_not_asked_for() -> None:
    text = sample.settings(shipped("lifestyle-phased"))
    assert not re.search(r"^#?(DataKey|UsersTable|UserPoolId) = ", text, re.MULTILINE)
    assert re.search(r"^#AlertEmail = ", text, re.MULTILINE)


@pytest.mark.parametrize("of", names())
def test_lines_fit_the_screen(of: str) -> None:
    assert max(map(len, sample.settings(shipped(of)).splitlines())) <= 132


def test_nothing_is_overwritten_and_nothing_half_written(tmp_path: Path) -> None:
    file = tmp_path / "gymops.toml"
    with pytest.raises(ConfigError, match="no architecture"):
        write(file, "unknown")
    assert not file.exists()
    file.write_text("# mine\n")
    with pytest.raises(ConfigError, match="not overwritten"):
        write(file, "titan-trakr")
    assert file.read_text() == "# mine\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("architecture = 1", "a text is expected"),
        ("[environments.prod.parameters]\nSize = 5", "Size: a text is expected"),
        ("[environments.prod]\nparameters = 5", "a table is expected"),
        ("[environments.prod]\nparameter = 5", "unknown key 'parameter'"),
    ],
)
def test_wrong_settings_are_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "gymops.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        config.load(file, environ={})
    assert message in caught.value.message
