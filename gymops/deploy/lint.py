"""Templates looked through before anything is made of them: cfn-lint's rules and our own.

A finding is suppressed beside the resource it is about, with its reason, and no other way::

    Metadata:
      Lint:
        G002 Network: EC2 knows no resources for network interfaces that do not exist yet

The key is the rule's code and, where the rule names one, the statement or property it is about. What
cfn-lint is told by its own means (``Metadata: cfn-lint``) needs such a reason too, and so does what checkov
is told (its ``comment``). A reason that nothing needs any more is a finding itself.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gymops.deploy import rules
from gymops.deploy.parameters import complete
from gymops.deploy.rules import Found, Subject
from gymops.deploy.syntax import Lines
from gymops.deploy.template import LARGEST_INLINE, Architecture, Resource, Steps, Template, compose

LATER: Mapping[str, str] = {
    "ImageUri": f"123456789012.dkr.ecr.us-west-1.amazonaws.com/app@sha256:{'0' * 64}",
    "DistributionId": "E2EXAMPLE",
}
"""What a deploy gives to a stack, and no file of parameters can hold."""

BROUGHT: Mapping[str, str] = {
    "AppName": "app",
    "CodeBucket": "releases",
    "CodeKey": "artefacts/0/app.zip",
    "LayerKey": "artefacts/0/layer.zip",
    "Runtime": "python3.12",
    "Handler": "app.handler",
    "Architecture": "arm64",
    "LiveVersion": "1",
}
"""What a release gives to a template that has no default for it."""

REGION = "us-east-1"
"""What is checked for where no region is named: every type exists there."""


@dataclass(frozen=True)
class Finding:
    """One thing that should not be, where it stands, and who found it."""

    code: str
    severity: str
    """``error``, ``warning`` or ``info``, as cfn-lint has them; ours are errors."""
    message: str
    file: str
    line: int
    resource: str
    source: str


@dataclass(frozen=True)
class Suppressed:
    """A finding that has its reason beside it."""

    code: str
    resource: str
    reason: str


@dataclass(frozen=True)
class Linted:
    """One template, looked through."""

    name: str
    region: str
    resources: int
    size: int
    """Bytes of what CloudFormation gets."""
    findings: tuple[Finding, ...]
    suppressed: tuple[Suppressed, ...]

    @property
    def inline(self) -> bool:
        """Whether it can be sent with the call; a larger one goes through a bucket."""
        return self.size <= LARGEST_INLINE

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {**asdict(self), "inline": self.inline}


def lint_architecture(
    architecture: Architecture, environments: Mapping[str, Mapping[str, str]] | None = None
) -> Iterator[Linted]:
    """Look through every stack, with the parameters of every environment.

    Raises:
        TemplateError: a template cannot be read.
        ConfigError: an environment's parameters are not what the template of the app allows.
    """
    ours, theirs = architecture.environments, environments or {}
    chosen = {name: {**ours.get(name, {}), **theirs.get(name, {})} for name in {**ours, **theirs}}
    outputs: set[str] = set()
    declared = {name for stack in architecture.stacks for name in compose(stack.template).parameters}
    for stack in architecture.stacks:
        template = compose(stack.template)
        values = {}
        for name, given in chosen.items():
            if not stack.wanted(given):
                continue
            known = _only(given, template)
            if stack.name == "app":  # what no stack knows is refused there
                known |= {key: value for key, value in given.items() if key not in declared}
            brought = _open({**BROUGHT, "Environment": name}, template)
            all_of_it = {**brought, **_only(LATER, template), **known}
            values[name] = complete(template, all_of_it, whose=name, later=outputs)
        yield lint(template, values, region=stack.region or REGION, name=stack.name)
        outputs |= set(template.body.get("Outputs") or ())


def lint_file(file: Path) -> Linted:
    """Look through one template; parameters have their defaults.

    Raises:
        TemplateError: it cannot be read.
    """
    template = compose(file)
    defaults = {
        name: str(declared["Default"])
        for name, declared in template.parameters.items()
        if isinstance(declared, Lines) and "Default" in declared
    }
    return lint(template, {"prod": defaults}, region=REGION, name=str(file))


def lint(
    template: Template, environments: Mapping[str, Mapping[str, str]], *, region: str, name: str
) -> Linted:
    """Look through a template that is read already."""
    subject = Subject(template, environments)
    suppressions = _Suppressions(template)
    findings = [
        Finding(code, "error", found.message, *_place(template, found.path), source="gymops")
        for code, found in _ours(subject)
        if not suppressions.cover(code, found.path, found.what)
    ]
    findings += [
        finding for path, finding in _theirs(template, region) if not suppressions.cover(finding.code, path)
    ]
    findings += [
        Finding(code, "error", found.message, *_place(template, found.path), source="gymops")
        for code, found in suppressions.flaws()
    ]
    return Linted(
        name=name,
        region=region,
        resources=len(list(template.resources())),
        size=len(template.text.encode()),
        findings=tuple(sorted(set(findings), key=lambda one: (one.file, one.line, one.code, one.message))),
        suppressed=tuple(suppressions.used),
    )


def _only(values: Mapping[str, str], template: Template) -> dict[str, str]:
    return {name: value for name, value in values.items() if name in template.parameters}


def _open(values: Mapping[str, str], template: Template) -> dict[str, str]:
    """Those that the template declares without a default."""
    declared = template.parameters
    return {name: values[name] for name in values if "Default" not in declared.get(name, {"Default": ""})}


def _place(template: Template, path: Steps) -> tuple[str, int, str]:
    place = template.where(path)
    return place.file, place.line, str(path[1]) if len(path) > 1 else ""


def _ours(subject: Subject) -> Iterator[tuple[str, Found]]:
    for code, rule in rules.every().items():
        for found in rule(subject):
            yield code, found


def _theirs(template: Template, region: str) -> Iterator[tuple[Steps, Finding]]:
    """What cfn-lint finds, its informational rules too, wherever the pieces come from.

    It is given a text in which every value has a line of its own, so that its lines lead back to ours. Its
    settings files (.cfnlintrc, here and in the home folder) are not read: they suppress without a reason.
    """
    from cfnlint.config import ConfigMixIn
    from cfnlint.decode import decode_str
    from cfnlint.runner import Runner

    text, paths = _spread(template.body)
    decoded, matches = decode_str(text)
    if not matches:
        config = ConfigMixIn(["--config-file", os.devnull], include_checks=["I"], regions=[region])
        matches = list(Runner(config).validate_template(decoded))
    for match in matches:
        path = paths[min(match.linenumber, len(paths)) - 1]
        message = _short(str(match.message))
        place = _place(template, path)
        severity = "info" if match.rule.severity == "informational" else match.rule.severity
        yield path, Finding(match.rule.id, severity, message, *place, source="cfn-lint")


def _spread(value: Any) -> tuple[str, list[Steps]]:
    """JSON with one line for every key and item, and the path of each line."""
    lines: list[str] = []
    paths: list[Steps] = []

    def write(value: Any, path: tuple[str | int, ...], before: str, after: str) -> None:
        inside: list[tuple[str | int, Any, str]] = []
        if isinstance(value, dict):
            inside = [(key, item, f"{json.dumps(key)}: ") for key, item in value.items()]
        elif isinstance(value, list):
            inside = [(number, item, "") for number, item in enumerate(value)]
        if not inside:
            add(f"{before}{json.dumps(value)}{after}", path)
            return
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        add(f"{before}{opening}", path)
        for number, (key, item, label) in enumerate(inside):
            write(item, (*path, key), label, "," if number < len(inside) - 1 else "")
        add(f"{closing}{after}", path)

    def add(line: str, path: Steps) -> None:
        lines.append(line)
        paths.append(path)

    write(value, (), "", "")
    return "\n".join(lines), paths


def _short(message: str) -> str:
    """cfn-lint lists every allowed value; the first few say enough."""
    return re.sub(r"\[((?:'[^']*', ){8})(?:'[^']*',? ?)+\]", r"[\1...]", message)


class _Suppressions:
    """The reasons of one template: which were needed, and what is wrong with them."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self._resources = {resource.name: resource for resource in template.resources()}
        self._needed: set[tuple[str, str]] = set()
        self.used: list[Suppressed] = []

    def cover(self, code: str, path: Steps, what: str = "") -> bool:
        """Whether the resource says why this finding is none."""
        resource = self._resources.get(str(path[1])) if len(path) > 1 and path[0] == "Resources" else None
        key = f"{code} {what}".strip()
        if resource is None or not _is_reason(_reasons(resource).get(key)):
            return False
        self._use(resource, key)
        return True

    def flaws(self) -> Iterator[tuple[str, Found]]:
        """Reasons that are none or are no longer needed, and suppressions without one."""
        for resource in self._resources.values():
            path = ("Resources", resource.name, "Metadata")
            reasons = _reasons(resource)
            for code in _told_cfn_lint(resource.metadata):
                if code in reasons:
                    self._use(resource, code)
                else:
                    yield (
                        "G061",
                        Found((*path, "cfn-lint"), f"{code} is suppressed without a reason under Lint"),
                    )
            for key, reason in reasons.items():
                if not _is_reason(reason):
                    yield "G060", Found((*path, "Lint", key), f"{key}: {reason!r} is no reason")
                elif (resource.name, key) not in self._needed:
                    yield "G062", Found((*path, "Lint", key), f"{key}: nothing needs this reason")
            for skip in resource.metadata.get("checkov", {}).get("skip", []):
                if not _is_reason(skip.get("comment")):
                    yield "G061", Found((*path, "checkov"), f"{skip.get('id')} is skipped without a comment")
        metadata = self._template.body.get("Metadata", {})
        for code in _told_cfn_lint(metadata):
            message = f"{code} is suppressed everywhere; do it where it is needed"
            yield "G061", Found(("Metadata", "cfn-lint"), message)

    def _use(self, resource: Resource, key: str) -> None:
        if (resource.name, key) not in self._needed:
            self._needed.add((resource.name, key))
            self.used.append(Suppressed(key, resource.name, str(_reasons(resource)[key])))


def _reasons(resource: Resource) -> Mapping[str, Any]:
    found = resource.metadata.get("Lint", {})
    return found if isinstance(found, dict) else {}


def _told_cfn_lint(metadata: Mapping[str, Any]) -> Sequence[str]:
    """What cfn-lint's own metadata switches off."""
    try:
        return [str(code) for code in metadata["cfn-lint"]["config"]["ignore_checks"]]
    except (KeyError, TypeError):
        return []


def _is_reason(text: Any) -> bool:
    """Two words at least: a reason, and no "TODO"."""
    return isinstance(text, str) and len(text.split()) > 1
