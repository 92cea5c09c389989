"""The images of releases: in the environment's own repository, known by digest, kept by a tag of their own.

A release's image is tagged ``keep-...`` as it is pushed, so before any function uses it, and that tag never
moves. The environment's name moves as a label, after the release was recorded; nothing is deployed by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from gymops.deploy.build.failures import RegistryError
from gymops.deploy.build.transfer import Elsewhere, Layout, Source, protect, transfer
from gymops.deploy.evaluate import UNKNOWN, evaluate
from gymops.deploy.template import Template, compose
from gymops.deploy.verbs.lifecycle import threats
from gymops.deploy.verbs.site import Images, Site
from gymops.deploy.verbs.wanted import Wanted
from gymops.errors import ConfigError, GateRefused, GymopsError

KEEP = "keep-sha256-"
URI = "ImageUri"
_PLACES = {
    "AWS::Lambda::Function": ("Code", URI),
    "AWS::ECS::TaskDefinition": ("ContainerDefinitions", "Image"),
}
"""Type -> the property, and what in it names an image."""
_VARIABLE = re.compile(r"\$\{[^}]*\}")


def keep(digest: str) -> str:
    """The tag that keeps an image: told from its digest, for the release has no number yet."""
    return KEEP + digest.removeprefix("sha256:")[:12]


def repository(site: Site) -> str:
    """The environment's repository, as the stack ``base`` tells it.

    Raises:
        ConfigError: it tells none.
    """
    uri = site.outputs("base").get("RepositoryUri")
    if not uri:
        raise ConfigError(
            f"the stack base of {site.deployment.name} gives no RepositoryUri",
            hint="add that output: the repository of ECR that images go to; docs/any-app.md says more",
        )
    return uri


def named(repository: str, digest: str) -> str:
    """``repository@sha256:...``."""
    return f"{repository}@{digest}"


def split(uri: str) -> tuple[str, str]:
    """Repository and digest of a released image."""
    where, _, digest = uri.partition("@")
    return where, digest


def push(site: Site, uri: str, folder: Path) -> None:
    """Bring a built image from its folder to the environment's repository; what is there is not sent again.

    Raises:
        GymopsError: as ``transfer``.
    """
    _bring(site, uri, Layout(folder))


def copy(source: Site, target: Site, was: str, uri: str) -> None:
    """Bring an image from one environment's repository to another's, by its manifest; the digests are
    compared on both sides.

    Raises:
        GymopsError: as ``transfer``.
    """
    there, _ = split(was)
    _bring(target, uri, Elsewhere(source.images(there).registry()))


def _bring(site: Site, uri: str, source: Source) -> None:
    where, digest = split(uri)
    transfer(digest, source, site.images(where).registry(), keep(digest), site.talk.say)


def guard(site: Site, bucket: str, uri: str) -> None:
    """See that the repository lets neither this image go nor any that was released; one whose tag was taken
    from it gets it again.

    Raises:
        GateRefused: a rule of its lifecycle policy may take one away.
    """
    (where, new), name = split(uri), site.deployment.name
    images = site.images(where)
    there = images.ecr.tags()
    released = {
        digest
        for one in site.ledger(bucket).releases()
        if one.artefact.kind == "image" and split(one.artefact.uri)[0] == where
        for digest in (split(one.artefact.uri)[1],)
    }
    kept = [there.get(digest, frozenset()) | {keep(digest)} for digest in released]
    expected = frozenset({keep(new), name})
    policy = images.ecr.policy()
    if policy and (found := threats(policy, [*kept, expected])):
        listed = "; ".join(f"{one.rule}: {one.why}" for one in found)
        raise GateRefused(
            f"the lifecycle policy of {where} may take away what was released: {listed}",
            hint='in LifecyclePolicyText of the repository select "untagged" only, or tags of your own;'
            f" a function whose image is gone stops. What is released is tagged {KEEP}... and {name}",
        )
    for digest in sorted(released & set(there)):
        if keep(digest) not in there[digest]:
            _protect(images, digest)
            site.talk.say(f"{keep(digest)} was taken from {digest}; it has it again")


def label(site: Site, uri: str) -> None:
    """Move the environment's name to what it runs now. It says so and no more: a failure is told, and fails
    nothing.
    """
    where, digest = split(uri)
    name = site.deployment.name
    try:
        registry = site.images(where).registry()
        if registry.digest(name) != digest:
            body, media = registry.manifest(digest)
            registry.push_manifest(body, media, name)
            site.talk.say(f"{where}:{name} is {digest} now")
    except GymopsError as error:
        site.talk.say(f"the label {name} stays where it was: {error.message}")


def ready(site: Site, bucket: str, wanted: Wanted) -> None:
    """What holds before a release begins: no image is named by a tag, and none that was released is let go.

    Raises:
        GateRefused: one is, or may be.
    """
    _unset(site)
    pinned(site, wanted.template, {**site.deployment.parameters, **wanted.parameters})
    for stack in site.deployment.stacks():
        if stack.name != "app":
            pinned(site, compose(stack.template), site.deployment.parameters)
    if wanted.artefact.kind == "image":
        guard(site, bucket, wanted.artefact.uri)


def present(site: Site, uri: str) -> bool:
    """Whether a released image is still there."""
    where, digest = split(uri)
    return site.images(where).registry().digest(digest) is not None


def pinned(site: Site, template: Template, given: Mapping[str, str]) -> None:
    """Refuse an image that is named by a tag, wherever the name comes from: a tag moves, and what was tested
    is then not what runs.

    Raises:
        GateRefused: one is; the digest it has now is told, if it is in this environment's repository.
    """
    declared = {name: str(one.get("Default", "")) for name, one in template.parameters.items()}
    for kind, (place, key) in _PLACES.items():
        for resource in template.resources(kind):
            for found in _named(resource.properties.get(place), key):
                for said in _said(found, template, {**declared, **given}):
                    if "@" not in said:
                        raise GateRefused(
                            f"{template.name}: {resource.name} names the image {said} by a tag, which moves",
                            hint=f"name it by digest{_now(site, said, '; it is now ') or _shape(said)}",
                        )


def _unset(site: Site) -> None:
    """A release sets the image itself."""
    name, uri = site.deployment.name, site.deployment.parameters.get(URI)
    if uri and "@" not in uri:
        now = _now(site, uri, "; it is now ")
        raise GateRefused(
            f"{name}: {URI} = {uri} names an image by a tag, which moves",
            hint=f'leave it out: with kind = "image" in [app] a release sets it{now}',
        )
    if uri:
        raise ConfigError(
            f"{name}: {URI} is set by the release, and not by hand",
            hint=f'leave it out of the parameters of {name}; kind = "image" in [app] builds and releases one',
        )


def _named(value: Any, key: str) -> Iterator[Any]:
    if isinstance(value, list):
        for one in value:
            yield from _named(one, key)
    elif isinstance(value, dict):
        for name, one in value.items():
            if name == key:
                yield one
            else:
                yield from _named(one, key)


def _said(value: Any, template: Template, given: Mapping[str, str]) -> Iterator[str]:
    """An image's name, as far as it is known; of what a condition decides that only AWS knows, both."""
    found = evaluate(value, template, given)
    if isinstance(value, dict) and set(value) == {"Fn::If"} and found is UNKNOWN:
        for one in value["Fn::If"][1:]:
            yield from _said(one, template, given)
    elif text := found if isinstance(found, str) else _text(value):
        yield text


def _text(value: Any) -> str:
    """What of a name that only AWS can complete stands in the template; nothing where it alone knows."""
    if isinstance(value, dict) and len(value) == 1:
        ((function, argument),) = value.items()
        if function == "Fn::Sub":
            text = str(argument[0] if isinstance(argument, list) else argument)
            return text if _VARIABLE.sub("", text) else ""
        if function == "Fn::Join" and isinstance(argument, list):
            return "".join(one for one in argument[1] if isinstance(one, str))
    return ""


def _now(site: Site, said: str, before: str) -> str:
    """What a tag of this environment's repository names now; of others nobody is asked."""
    where, _, tag = said.rpartition(":")
    with suppress(GymopsError):
        if where == site.outputs("base").get("RepositoryUri"):
            digest = site.images(where).registry().digest(tag)
            return f"{before}{named(where, digest)}" if digest else ""
    return ""


def _shape(said: str) -> str:
    return f": {said.rpartition(':')[0] or said}@sha256:..."


def _protect(images: Images, digest: str) -> None:
    registry = images.registry()
    body, media = registry.manifest(digest)
    with suppress(RegistryError):  # it is told at the next release again
        protect(digest, body, media, registry, keep(digest))
