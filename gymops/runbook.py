"""Runbooks: what a person reads at night, and the commands in it, which can be stepped through."""

from __future__ import annotations

import difflib
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import FrameType

from gymops import resources
from gymops.errors import ConfigError

_FENCE = re.compile(r"```(?P<kind>\w*)\s*")
_COMMAND = re.compile(r"\$ (?P<command>.+?)(?:\s+# (?:exit (?P<code>\d+)|(?P<until>until Ctrl-C)))?\s*")
_PLACEHOLDER = re.compile(r"[A-Z][A-Z0-9_]*")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|([A-Za-z_]\w*))")


@dataclass(frozen=True)
class Command:
    """One line after ``$``."""

    line: str
    expected: int = 0
    """The exit code it has when all is well: ``# exit N``."""
    until: bool = False
    """It runs until Ctrl-C ends it."""

    @property
    def names(self) -> list[str]:
        """What it needs to be told: words all in capitals (``ENV``), and ``$VARIABLES``."""
        words = [word for word in self._words() if _PLACEHOLDER.fullmatch(word)]
        variables = [braced or bare for braced, bare in _VARIABLE.findall(self.line)]
        return list(dict.fromkeys([*words, *variables]))

    def words(self, values: Mapping[str, str]) -> list[str]:
        """The command with these values in it, as a process gets it: no shell reads it, nothing expands."""

        def filled(word: str) -> str:
            if _PLACEHOLDER.fullmatch(word):
                return values.get(word, word)
            return _VARIABLE.sub(lambda found: values.get(found[1] or found[2], found[0]), word)

        return [filled(word) for word in self._words()]

    def as_expected(self, code: int) -> bool:
        """Whether it ended as the runbook says."""
        return code == self.expected or (self.until and code in {130, -signal.SIGINT})

    def _words(self) -> list[str]:
        try:
            return shlex.split(self.line)
        except ValueError as error:
            raise ConfigError(f"{self.line}: {error}", hint="mend the runbook") from None


@dataclass(frozen=True)
class Runbook:
    """A document, and what it says in the order it says it."""

    name: str
    title: str
    text: str
    parts: tuple[str | Command, ...]
    """Text and commands by turns."""

    @property
    def commands(self) -> list[Command]:
        """Its commands."""
        return [part for part in self.parts if isinstance(part, Command)]

    @property
    def names(self) -> list[str]:
        """What its commands need to be told."""
        return list(dict.fromkeys(name for command in self.commands for name in command.names))


def names() -> list[str]:
    """The runbooks that come with gymops."""
    return sorted(file.stem for file in resources.path("runbooks").glob("*.md"))


def read(name: str) -> Runbook:
    """A runbook by its name.

    Raises:
        ConfigError: there is none of this name.
    """
    known = names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise ConfigError(
            f"no runbook {name!r}{f'; did you mean {near[0]}?' if near else ''}",
            hint=f"gymops runbook list; there are {', '.join(known)}",
        )
    return parse(name, (resources.path("runbooks") / f"{name}.md").read_text(encoding="utf-8"))


def parse(name: str, text: str) -> Runbook:
    """A runbook out of its Markdown: ``$`` lines of ``console`` blocks are commands, all else is text."""
    title, parts, said = name, list[str | Command](), list[str]()
    kind: str | None = None
    for line in text.splitlines():
        fence = _FENCE.fullmatch(line)
        if fence:
            was, kind = kind, fence["kind"] if kind is None else None
            if "console" in (was, kind):
                continue
        found = _COMMAND.fullmatch(line) if kind == "console" else None
        if found:
            parts += _text(said)
            said = []
            parts.append(Command(found["command"], int(found["code"] or 0), until=bool(found["until"])))
            continue
        if line.startswith("# ") and title == name and kind is None:
            title = line.removeprefix("# ").removeprefix("Runbook: ")
        said.append(line)
    return Runbook(name, title, text, (*parts, *_text(said)))


def chosen(given: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """``ENV=prod`` as name and value.

    Raises:
        ConfigError: another form, or a name that stands in no command.
    """
    values, known = {}, list(known)
    for one in given:
        name, equals, value = one.partition("=")
        if not equals:
            raise ConfigError(f"--set {one}: a name and a value are expected", hint="--set ENV=prod")
        if name not in known:
            raise ConfigError(
                f"--set {name}: no command of it says {name}",
                hint=f"it asks for {', '.join(known) or 'nothing'}",
            )
        values[name] = value
    return values


def run(words: list[str], environ: Mapping[str, str], *, terminal: bool) -> tuple[int, bool]:
    """Run a command to its end; its exit code, and whether Ctrl-C came meanwhile.

    Ctrl-C is the command's: it records what it did, and ends; only then does the runbook.

    Raises:
        ConfigError: there is no such program.
    """
    command = [sys.executable, "-m", "gymops", *words[1:]] if words[0] == "gymops" else words
    came: list[int] = []
    try:
        process = subprocess.Popen(command, env=dict(environ))
    except OSError as error:
        raise ConfigError(
            f"{words[0]}: cannot be started: {error.strerror}", hint="install it, or do this step by hand"
        ) from None

    def pass_on(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        came.append(number)
        if not terminal:  # a terminal tells both of us
            process.send_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, pass_on)
    try:
        return process.wait(), bool(came)
    finally:
        signal.signal(signal.SIGINT, before)


def environment(home: str | None, config: str | None) -> dict[str, str]:
    """What a command of a runbook gets: our own environment, with the settings given to us."""
    ours = {"GYMOPS_HOME": home, "GYMOPS_CONFIG": config}
    return {**os.environ, **{name: value for name, value in ours.items() if value}}


def _text(lines: list[str]) -> list[str | Command]:
    said = "\n".join(lines).strip("\n")
    return [said] if said.strip() else []
