"""Runbooks: text and commands out of Markdown, and commands filled in without a shell."""

from __future__ import annotations

import shlex

import pytest

from gymops import runbook
from gymops.errors import ConfigError
from gymops.runbook import Command

TEXT = """# Runbook: put it out

Read this first.

## 1. Look

```console
$ gymops status ENV
all is well
$ gymops diff ENV   # exit 3
```

Then `$ gymops not-this`.

```text
$ gymops nor this
```

```console
$ gymops serve # until Ctrl-C
```
"""


def test_text_and_commands_by_turns() -> None:
    found = runbook.parse("fire", TEXT)
    assert (found.name, found.title) == ("fire", "put it out")
    assert found.commands == [
        Command("gymops status ENV"), Command("gymops diff ENV", 3), Command("gymops serve", until=True),
    ]  # fmt: skip
    texts = [part for part in found.parts if isinstance(part, str)]
    assert texts[0].endswith("## 1. Look")
    assert texts[1] == "all is well"
    assert "Then `$ gymops not-this`." in texts[2]
    assert "```text\n$ gymops nor this\n```" in texts[2]
    assert found.names == ["ENV"]


def test_capitals_and_variables_are_filled_in_and_nothing_else_expands() -> None:
    step = Command('gymops db shell -- -c "SELECT NOW(), $WHEN" RELEASE --to env:URL ~ * ${WHO}; $(id)')
    assert step.names == ["RELEASE", "WHEN", "WHO"]
    assert step.words({"RELEASE": "7; rm", "WHEN": "x y", "WHO": "$WHEN"}) == [
        "gymops", "db", "shell", "--", "-c", "SELECT NOW(), x y", "7; rm", "--to", "env:URL", "~", "*",
        "$WHEN;", "$(id)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("step", "code", "well"),
    [
        (Command("x"), 0, True),
        (Command("x"), 1, False),
        (Command("x", 3), 3, True),
        (Command("x", 3), 0, False),
        (Command("x"), 130, False),
        (Command("x", until=True), 130, True),
        (Command("x", until=True), 1, False),
    ],
)
def test_what_counts_as_well(step: Command, code: int, well: bool) -> None:
    assert step.as_expected(code) is well


def test_what_is_set_must_be_asked_for() -> None:
    assert runbook.chosen(["ENV=prod=1"], ["ENV"]) == {"ENV": "prod=1"}
    with pytest.raises(ConfigError, match="no command of it says env"):
        runbook.chosen(["env=prod"], ["ENV"])
    with pytest.raises(ConfigError, match="a name and a value"):
        runbook.chosen(["ENV"], ["ENV"])


def test_an_unknown_one_names_the_near_one() -> None:
    with pytest.raises(ConfigError, match="did you mean migrate"):
        runbook.read("migrat")


@pytest.mark.parametrize("name", runbook.names())
def test_those_that_come_with_gymops_can_be_run(name: str) -> None:
    found = runbook.read(name)
    assert found.title != name
    assert found.commands
    assert found.text.count("\n$ ") == len(found.commands)
    assert all(shlex.split(command.line)[0] == "gymops" for command in found.commands)
