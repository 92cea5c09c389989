"""Architectures and their templates, put together from parts.

A template may name ``Parts``: files that hold Parameters, Conditions, Resources and so on, for several
architectures to share. They become one template, and one stack. What a part gives is there only where a
condition holds, if it is written ``{Part: FILE, Condition: NAME}``. Nested stacks would do the same with
CloudFormation's own means, and hide what matters: a change set shows a nested stack as one line, its failure
as "embedded stack failed", its outputs as unknown until they exist; each needs a bucket before the first
create; and moving a resource from one to another deletes it. The price is this file.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from gymops import resources
from gymops.deploy import stacks_file
from gymops.deploy.syntax import Lines, Rows, TemplateError, parse, read
from gymops.errors import ConfigError

LARGEST = 1_000_000
"""Bytes that CloudFormation takes from S3 (it says 1 MB)."""

LARGEST_INLINE = 51_200
"""Bytes that it takes with the call itself."""

_SECTIONS = ("Metadata", "Parameters", "Mappings", "Conditions", "Rules", "Resources", "Outputs")

Steps = Sequence[str | int]
"""Where something is inside a template, as ``("Resources", "Vpc", "Properties", "CidrBlock")``."""


@dataclass(frozen=True)
class Place:
    """A line of a file."""

    file: str
    line: int


@dataclass(frozen=True)
class Resource:
    """One resource of a template."""

    name: str
    kind: str
    body: Lines

    @property
    def properties(self) -> Lines:
        """Its properties; empty if there are none."""
        found = self.body.get("Properties")
        return found if isinstance(found, Lines) else Lines()

    @property
    def metadata(self) -> Lines:
        """Its metadata; empty if there is none."""
        found = self.body.get("Metadata")
        return found if isinstance(found, Lines) else Lines()


@dataclass(frozen=True)
class Template:
    """A template, whole, and which file and line each piece of it is from."""

    name: str
    body: Lines
    origin: Mapping[tuple[str, str], str] = field(default_factory=dict, repr=False)
    """(section, name) -> the file it is from; what is missing is from ``name``."""

    def resources(self, *kinds: str) -> Iterator[Resource]:
        """The resources, in the order they are written; all, or those of some types."""
        for name, body in self._section("Resources").items():
            kind = body.get("Type") if isinstance(body, Lines) else None
            if isinstance(kind, str) and (not kinds or kind in kinds):
                yield Resource(name, kind, body)

    @property
    def parameters(self) -> Lines:
        """The parameters' declarations."""
        return self._section("Parameters")

    @property
    def conditions(self) -> Lines:
        """The conditions."""
        return self._section("Conditions")

    @property
    def rules(self) -> Lines:
        """The rules: what must hold between parameters."""
        return self._section("Rules")

    def where(self, path: Steps) -> Place:
        """The file and line of a piece, or of the nearest around it."""
        file = self.origin.get((str(path[0]), str(path[1])), self.name) if len(path) > 1 else self.name
        line = 1
        here: Any = self.body
        for step in path:
            if isinstance(here, Lines) and step in here:
                line = here.lines.get(str(step), line)
            elif isinstance(here, Rows) and isinstance(step, int) and step < len(here):
                line = here.lines[step]
            else:
                break
            here = here[step]
        return Place(file, line)

    @cached_property
    def text(self) -> str:
        """What CloudFormation gets: JSON, one line for each parameter, resource and the like."""
        sections = []
        for section, value in self.body.items():
            if section in _SECTIONS and isinstance(value, dict):
                rows = ",\n".join(f"{json.dumps(name)}:{_compact(body)}" for name, body in value.items())
                sections.append(f"{json.dumps(section)}:{{\n{rows}}}")
            else:
                sections.append(f"{json.dumps(section)}:{_compact(value)}")
        return "{" + ",\n".join(sections) + "}\n"

    def _section(self, name: str) -> Lines:
        found = self.body.get(name)
        return found if isinstance(found, Lines) else Lines()


@dataclass(frozen=True)
class Stack:
    """One stack of an architecture."""

    name: str
    template: Path
    region: str
    scope: str
    """``account`` (one per account and region) or ``environment``."""
    needs: str | None = None
    """The parameter, or ``Parameter=value``, without which this stack is not made."""
    optional: bool = False

    def wanted(self, parameters: Mapping[str, str]) -> bool:
        """Whether an environment with these parameters has this stack."""
        name, _, value = (self.needs or "").partition("=")
        found = parameters.get(name, "")
        return not name or (found == value if value else bool(found))


@dataclass(frozen=True)
class Architecture:
    """Stacks in the order they are made, and the parameters of each environment."""

    name: str
    region: str
    stacks: tuple[Stack, ...]
    environments: Mapping[str, Mapping[str, str]]
    after: Mapping[str, str] = field(default_factory=dict)
    """Environment -> the one whose releases are promoted to it."""
    smoke: tuple[str, ...] = ()
    """Paths that must answer 200 before a release gets traffic."""

    def stack(self, name: str) -> Stack:
        """The stack of this name."""
        return next(stack for stack in self.stacks if stack.name == name)


def names() -> list[str]:
    """The architectures that come with gymops."""
    return sorted(file.parent.name for file in resources.path("cloudformation").glob("*/stacks.toml"))


def is_path(name: str) -> bool:
    """Whether it names a folder or a template of the user's own; an architecture of ours is a bare word."""
    return "/" in name or name.startswith(".") or Path(name).suffix in {".yaml", ".yml", ".json", ".template"}


def architecture(name: str) -> Architecture:
    """An architecture by its name; or by its path: a folder with a stacks.toml, or one template.

    Raises:
        ConfigError: there is none of this name, or it is described wrongly.
    """
    if is_path(name):
        path = Path(name)
        if not path.exists():
            raise ConfigError(
                f"architecture {name!r}: there is no such folder or template",
                hint=f"change `architecture` in gymops.toml; paths count from {Path.cwd()}",
            )
        return _described(name, path) if path.is_dir() else _single(name, path)
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1)
        raise ConfigError(
            f"no architecture {name!r}{f'; did you mean {near[0]}?' if near else ''}",
            hint=f"known architectures: {', '.join(names())}; one of your own is a path: ./infra",
        )
    return _described(name, resources.path("cloudformation") / name)


def _single(name: str, file: Path) -> Architecture:
    """One template, released by itself; each environment names its region."""
    return Architecture(name, "", (_base(""), Stack("app", file, "", "environment")), {})


def _described(name: str, folder: Path) -> Architecture:
    found = stacks_file.read(folder / stacks_file.FILE)
    stacks = [
        Stack(
            name=entry.name,
            template=folder / entry.template,
            region=entry.region or found.region,
            scope=entry.scope,
            needs=entry.needs,
            optional=entry.optional,
        )
        for entry in found.stacks
    ]
    if not any(stack.name == "base" for stack in stacks):
        stacks.insert(0, _base(found.region))
    environments = {
        file.stem: parameter_file(file) for file in sorted((folder / "parameters").glob("*.json"))
    }
    return Architecture(name, found.region, tuple(stacks), environments, found.after, found.smoke)


def _base(region: str) -> Stack:
    """Where releases are kept, for those who bring no place of their own."""
    return Stack("base", resources.path("cloudformation") / "base.yaml", region, "account")


def parameter_file(file: Path) -> dict[str, str]:
    """Parameters in the form the aws command takes: ``[{"ParameterKey": ..., "ParameterValue": ...}]``.

    Raises:
        ConfigError: it has another form.
    """
    try:
        entries = json.loads(read(file, largest=LARGEST))
        values = {entry["ParameterKey"]: entry["ParameterValue"] for entry in entries}
    except (ValueError, TypeError, KeyError):
        values = {}
        entries = [None]
    if len(values) != len(entries) or not all(isinstance(value, str) for value in values.values()):
        raise ConfigError(
            f"{file}: no list of parameters, or one stands there twice",
            hint='write [{"ParameterKey": "Environment", "ParameterValue": "prod"}, ...]; values are texts',
        )
    return values


def compose(file: Path) -> Template:
    """Read a template and put its parts together. As long as its files say the same it is the same object:
    one release asks for each of its templates a dozen times.

    Raises:
        TemplateError: one of its files cannot be read, a name stands in two of them, or it is too large.
    """
    text = read(file, largest=LARGEST)
    places = [(Path(file.parent, part).resolve(), when) for part, when in _parts(text, str(file))]
    parts = tuple((str(where), read(where, largest=LARGEST), when) for where, when in places)
    return _composed(str(file), text, parts)


@lru_cache(maxsize=64)
def _parts(text: str, name: str) -> Sequence[tuple[str, str]]:
    """Its parts' files, each with its condition; that is empty for those that are always there."""
    parts = parse(text, name).get("Parts", [])
    found: list[dict[str, Any]] = [
        one if isinstance(one, dict) else {"Part": one, "Condition": ""}
        for one in (parts if isinstance(parts, list) else [None])
    ]
    if not all(set(one) == {"Part", "Condition"} and _texts(*one.values()) for one in found):
        raise TemplateError(
            f"{name}: Parts is a list of files",
            hint="- ../shared/network.yaml, or - {Part: ../shared/database.yaml, Condition: DatabaseOn}",
        )
    return tuple((one["Part"], one["Condition"]) for one in found)


def _texts(*values: Any) -> bool:
    return all(isinstance(value, str) for value in values)


@lru_cache(maxsize=64)
def _composed(name: str, text: str, parts: Sequence[tuple[str, str, str]]) -> Template:
    body = parse(text, name)
    body.pop("Parts", None)
    origin: dict[tuple[str, str], str] = {}
    for where, part, condition in parts:
        found = parse(part, where)
        if condition:
            _only_where(found, condition, where)
        _merge(body, origin, found, where)
    template = Template(name, body, origin)
    size = len(template.text.encode())
    if size > LARGEST:
        raise TemplateError(
            f"{name}: {size:,} bytes put together, and CloudFormation takes {LARGEST:,}",
            hint="split the stack; what lives and dies together stays together",
        )
    return template


def _only_where(part: Lines, condition: str, where: str) -> None:
    """Have a part's resources and outputs only where a condition holds."""
    for section in ("Resources", "Outputs"):
        for name, entry in part.get(section, {}).items():
            if "Condition" in entry:
                raise TemplateError(
                    f"{where}:{part[section].lines[name]}: {name} has a condition already",
                    hint=f"move it into a part of its own, or let its condition say {condition} too",
                )
            entry["Condition"] = condition


def _merge(body: Lines, origin: dict[tuple[str, str], str], part: Lines, where: str) -> None:
    for section, entries in part.items():
        if section not in _SECTIONS or not isinstance(entries, Lines):
            raise TemplateError(
                f"{where}:{part.lines[section]}: a part has no {section!r}",
                hint=f"it has {', '.join(_SECTIONS)}; the rest belongs into the template that names it",
            )
        if section not in body:
            empty = Lines()
            empty.lines = {}
            body[section] = empty
        for name, entry in entries.items():
            if name in body[section]:
                other = origin.get((section, name), "the template")
                raise TemplateError(
                    f"{where}:{entries.lines[name]}: {name} stands in {other} too",
                    hint=f"rename one of the two {section}",
                )
            body[section][name] = entry
            body[section].lines[name] = entries.lines[name]
            origin[(section, name)] = where


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
