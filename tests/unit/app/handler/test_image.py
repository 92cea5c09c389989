"""The Dockerfile, as far as it can be checked without building it."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from gymops.app import entry
from gymops.app.settings import VARIABLES

ROOT = Path(__file__).parents[4]


class Instruction(NamedTuple):
    name: str
    flags: dict[str, str]
    words: list[str]


def parsed() -> list[Instruction]:
    """The instructions, with flags such as ``--from=build`` apart."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    found = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        flags = {}
        while match := re.match(r"--([a-z-]+)=(\S+)\s+", rest):
            flags[match[1]] = match[2]
            rest = rest[match.end() :]
        rest = rest.removeprefix("CMD ")  # as in HEALTHCHECK
        words = json.loads(rest) if rest.startswith("[") else shlex.split(rest)
        found.append(Instruction(name, flags, words))
    return found


def stages() -> list[list[Instruction]]:
    """From one FROM to the next."""
    split: list[list[Instruction]] = []
    for instruction in parsed():
        if instruction.name == "FROM":
            split.append([])
        if split:
            split[-1].append(instruction)
    return split


def last(name: str) -> Instruction:
    return [one for one in stages()[-1] if one.name == name][-1]


def is_sent(source: str) -> bool:
    """Whether .dockerignore lets it through: the last rule that matches wins."""
    sent = True
    for rule in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if rule and not rule.startswith("#") and fnmatch(source, rule.removeprefix("!").replace("**/", "*")):
            sent = rule.startswith("!")
    return sent


def test_everything_copied_is_there_and_sent() -> None:
    sources = [
        source
        for one in parsed()
        if one.name == "COPY" and "from" not in one.flags
        for source in one.words[:-1]
    ]
    assert {"gymops", "migrations", "requirements-image.lock"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists(), source
        assert is_sent(source), source


def test_nothing_else_is_sent() -> None:
    for private in (".git", ".gymops", ".venv", "tests", ".env", "gymops/app/web/source"):
        assert not is_sent(private), private


def test_it_does_not_run_as_root() -> None:
    user, _, group = last("USER").words[0].partition(":")
    assert int(user) > 0
    assert int(group) > 0


def test_it_starts_and_is_asked_by_modules_that_exist() -> None:
    for command in (last("ENTRYPOINT").words, last("HEALTHCHECK").words):
        assert command[:2] == ["python", "-m"]
        assert importlib.util.find_spec(command[2])
    module, _, function = entry.HANDLER.rpartition(".")
    source = importlib.util.find_spec(module)
    assert source
    assert source.origin
    assert f"def {function}(" in Path(source.origin).read_text(encoding="utf-8")


def test_the_port_is_the_one_it_listens_on_unless_told_otherwise() -> None:
    assert last("EXPOSE").words == [str(entry.port({}))]


def test_what_is_installed_is_locked_and_nothing_is_compiled() -> None:
    installs = [
        " ".join(one.words) for one in parsed() if one.name == "RUN" and "install " in " ".join(one.words)
    ]
    for command in installs:
        assert "apt" not in command
        if "pip --python" in command:
            assert "--require-hashes" in command
            assert "--only-binary :all:" in command
    lock = (ROOT / "requirements-image.lock").read_text(encoding="utf-8")
    names = set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))
    assert {"fastapi", "mangum", "psycopg-binary", "boto3", "awslambdaric"} <= names
    assert not names & {"pip", "setuptools", "wheel", "hatchling", "pytest"}
    assert all("--hash" in pinned for pinned in re.split(r"\n(?=[a-z])", lock))


def test_the_last_stage_has_no_tools_to_build_with() -> None:
    assert any(
        {"uninstall", "pip", "setuptools"} <= set(one.words) for one in stages()[-1] if one.name == "RUN"
    )


def test_the_base_is_named_by_version() -> None:
    (base,) = {one.words[0] for one in parsed() if one.name == "FROM"}
    assert base == "${PYTHON}"
    (default,) = [one.words[0] for one in parsed() if one.name == "ARG"]
    assert re.fullmatch(r"PYTHON=python:3\.\d+-slim-\w+", default)


def test_no_setting_of_the_app_is_baked_in() -> None:
    words = " ".join(word for one in parsed() if one.name in ("ENV", "ARG") for word in one.words)
    assert not any(name in words for name in VARIABLES)
    assert "AWS_" not in words
