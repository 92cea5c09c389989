"""How an app is reached: the function URL, the CDN before it, and what runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gymops.deploy.rules import Found, Subject, rule, strings
from gymops.deploy.template import Resource, Template

CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"


@rule("G050")
def url_for_everybody(subject: Subject) -> Iterator[Found]:
    """A function URL asks who is there; CloudFront signs its requests (OAC)."""
    for url in subject.template.resources("AWS::Lambda::Url"):
        if url.properties.get("AuthType") != "AWS_IAM":
            path = ("Resources", url.name, "Properties", "AuthType")
            yield Found(path, "everybody reaches the function past the CDN: AuthType AWS_IAM")


@rule("G051")
def half_a_permission(subject: Subject) -> Iterator[Found]:
    """A function URL has both permissions, each for one distribution, and on the alias it is of."""
    template = subject.template
    permissions = [
        one
        for one in template.resources("AWS::Lambda::Permission")
        if one.properties.get("Principal") != "events.amazonaws.com"  # a rule's target is no URL
    ]
    for url in template.resources("AWS::Lambda::Url"):
        path = ("Resources", url.name)
        granted = {permission.properties.get("Action"): permission for permission in permissions}
        for action in ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction"):
            if action not in granted:
                yield Found(path, f"CloudFront needs {action} too, or gets 403")
                continue
            yield from _flaws(granted[action], url, template)


def _flaws(permission: Resource, url: Resource, template: Template) -> Iterator[Found]:
    path = ("Resources", permission.name, "Properties")
    properties = permission.properties
    if "SourceArn" not in properties:
        yield Found((*path, "SourceArn"), "any distribution of any account may call; name ours")
    if properties.get("Action") == "lambda:InvokeFunction" and not properties.get("InvokedViaFunctionUrl"):
        yield Found(path, "it allows more than the URL: InvokedViaFunctionUrl true")
    aliases = {alias.name for alias in template.resources("AWS::Lambda::Alias")}
    if "Qualifier" in url.properties and not aliases & set(strings(properties.get("FunctionName"))):
        yield Found((*path, "FunctionName"), "the URL is of an alias: the permission is of the alias too")


@rule("G052")
def cached_api(subject: Subject) -> Iterator[Found]:
    """What is under /api/ is never cached: it is somebody's own."""
    for distribution in subject.template.resources("AWS::CloudFront::Distribution"):
        config = distribution.properties.get("DistributionConfig", {})
        path = ("Resources", distribution.name, "Properties", "DistributionConfig", "CacheBehaviors")
        if (origins := config.get("Origins")) and all("S3OriginConfig" in one for one in origins):
            continue  # files of a bucket, and no API
        behaviours: list[Any] = config.get("CacheBehaviors", [])
        api = [one for one in behaviours if str(one.get("PathPattern", "")).startswith("/api")]
        if not api:
            yield Found(path, "no behaviour for /api/*: it is cached like everything else")
        for one in api:
            if one.get("CachePolicyId") != CACHING_DISABLED:
                yield Found(path, f"{one['PathPattern']} is cached: CachePolicyId {CACHING_DISABLED}")


@rule("G053")
def unsigned_origin(subject: Subject) -> Iterator[Found]:
    """An origin that is a function URL has an origin access control that signs always."""
    controls = {
        control.name: control.properties.get("OriginAccessControlConfig", {})
        for control in subject.template.resources("AWS::CloudFront::OriginAccessControl")
    }
    urls = {url.name for url in subject.template.resources("AWS::Lambda::Url")}
    for distribution in subject.template.resources("AWS::CloudFront::Distribution"):
        config = distribution.properties.get("DistributionConfig", {})
        path = ("Resources", distribution.name, "Properties", "DistributionConfig", "Origins")
        for origin in config.get("Origins", []):
            if not urls & set(strings(origin.get("DomainName"))):
                continue
            named = set(strings(origin.get("OriginAccessControlId", ""))) & set(controls)
            if not any(controls[name].get("SigningBehavior") == "always" for name in named):
                yield Found(path, "the function URL refuses unsigned requests: OriginAccessControlId")


@rule("G054")
def old_tls(subject: Subject) -> Iterator[Found]:
    """Nobody comes in without TLS 1.2."""
    for distribution in subject.template.resources("AWS::CloudFront::Distribution"):
        config = distribution.properties.get("DistributionConfig", {})
        path = ("Resources", distribution.name, "Properties", "DistributionConfig")
        versions = [text for text in strings(config.get("ViewerCertificate", {})) if text.startswith("TLSv1")]
        if not versions or any(not text.startswith(("TLSv1.2", "TLSv1.3")) for text in versions):
            yield Found((*path, "ViewerCertificate"), "MinimumProtocolVersion TLSv1.2_2021 or later")
        behaviours = [config.get("DefaultCacheBehavior", {}), *config.get("CacheBehaviors", [])]
        if any(
            one.get("ViewerProtocolPolicy") not in {"https-only", "redirect-to-https"} for one in behaviours
        ):
            yield Found(path, "plain HTTP is answered: ViewerProtocolPolicy")


@rule("G055")
def mutable_image(subject: Subject) -> Iterator[Found]:
    """An image is named by its digest: a tag never causes an update, and moves."""
    for function in subject.template.resources("AWS::Lambda::Function"):
        for found in _images(function.properties.get("Code")):
            named = found.get("Ref") if isinstance(found, dict) else None
            pattern = subject.template.parameters.get(named, {}).get("AllowedPattern", "") if named else found
            if "@sha256:" not in str(pattern):
                path = ("Resources", function.name, "Properties", "Code")
                yield Found(path, "an image by its tag; take repository@sha256:... only")


def _images(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        if "ImageUri" in value:
            yield value["ImageUri"]
        for item in value.values():
            yield from _images(item)
    elif isinstance(value, list):
        for item in value:
            yield from _images(item)
