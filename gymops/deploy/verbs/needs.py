"""What a release asks of a template, whoever wrote it."""

from __future__ import annotations

from gymops.aws.tasks import words
from gymops.deploy.environment import Deployment
from gymops.deploy.template import Template, compose
from gymops.deploy.traffic import Shape
from gymops.deploy.verbs.wanted import LIVE_VERSION
from gymops.errors import ConfigError

BLUE_GREEN = "BlueGreen"
"""The parameter by which CodeDeploy, and nobody else, replaces a service's tasks."""

CODEDEPLOY = (
    "AllAtOnce", "Canary10Percent5Minutes", "Canary10Percent15Minutes", "Linear10PercentEvery1Minutes",
    "Linear10PercentEvery3Minutes",
)  # fmt: skip
"""How CodeDeploy moves the requests of a service, of what it has ready."""

SCHEMA_COMMAND = "SchemaCommand"
"""What a service gives that has one: how its image brings the schema up to date."""

SERVICE = {
    "ClusterName": "the cluster",
    "ServiceName": "the service; its target group's health check decides",
    "HealthPath": "what that health check asks for",
}
"""What the application gives instead, where it is a service of ECS."""

RELEASED = {
    "DeploymentApplication": "CodeDeploy's application",
    "DeploymentGroup": "its deployment group",
}
"""What such a service must give too, where CodeDeploy replaces its tasks."""

OUTPUTS = {
    "base": {"ReleaseBucketName": "the bucket of artefacts, ledger and locks"},
    "app": {"FunctionName": "the function", "FunctionAlias": "the ARN of the alias that serves"},
}
"""Stack -> what it must give. ``DatabaseFunctionName`` and ``DatabaseIdentifier`` it may give."""

REPOSITORY = {"RepositoryUri": "where images are pushed: a repository of ECR"}
"""What the base must give too, where an image is released."""

STATIC = {"StaticBucketName": "the bucket that static files are served from"}
"""What the application must give too, where the artefact has static files."""

PARAMETERS = {
    "zip": {
        "CodeBucket": "the bucket of the zip",
        "CodeKey": "the zip's key",
        "LayerKey": "the key of its layer; empty without dependencies",
        "Runtime": "the Python it was built for",
        "Handler": "what Lambda calls",
        "Architecture": "the processor it was built for",
        LIVE_VERSION: "the version that serves; empty for the first one",
    },
    "image": {
        "ImageUri": "the image by its digest",
        "Architecture": "the processor it was built for",
        LIVE_VERSION: "the version that serves; empty for the first one",
    },
}
"""Kind of artefact -> the parameters that a release sets in the application's template."""


def service(app: Template) -> bool:
    """Whether the application is a service of ECS, and no function."""
    return "ServiceName" in (app.body.get("Outputs") or {})


def _schema_command(deployment: Deployment, app: Template) -> str:
    """What the output will be, as far as it can be told: itself, or a parameter's value."""
    found = ((app.body.get("Outputs") or {}).get(SCHEMA_COMMAND) or {}).get("Value")
    if isinstance(found, dict):
        name = str(found.get("Ref"))
        found = deployment.parameters.get(name, (app.parameters.get(name) or {}).get("Default"))
    return found if isinstance(found, str) else ""


def codedeploy(shape: Shape) -> str:
    """A shape as CodeDeploy calls it, which has minutes always."""
    return shape.name if not shape.steps or shape.name.endswith("s") else f"{shape.name}s"


def check(deployment: Deployment, app: Template, kind: str, *, static: bool = False) -> None:
    """Refuse a template that could be deployed, and not be released to.

    Raises:
        ConfigError: naming the output or the parameter that is missing.
    """
    if service(app) and (command := _schema_command(deployment, app)):
        words(command)
    blue_green = service(app) and deployment.parameters.get(BLUE_GREEN) == "true"
    if blue_green and codedeploy(deployment.traffic) not in CODEDEPLOY:
        raise ConfigError(
            f"{deployment.name}: traffic: CodeDeploy has no {deployment.traffic.name} for services",
            hint=f"traffic is one of {', '.join(CODEDEPLOY)}",
        )
    if service(app) and not blue_green and deployment.traffic.steps:
        raise ConfigError(
            f"{deployment.name}: traffic: a service has no shares of its requests to give",
            hint='traffic = "AllAtOnce": tasks are replaced while they pass their health check',
        )
    for name, what in PARAMETERS[kind].items():
        if name not in app.parameters:
            hint = f"declare it ({what}): a release of a {kind} sets it; docs/any-app.md shows how"
            if other := [one for one, wanted in PARAMETERS.items() if set(wanted) <= set(app.parameters)]:
                hint = (
                    f'it is made for an artefact of another kind: kind = "{other[0]}" in [app] of gymops.toml'
                )
            raise ConfigError(f"{app.name}: there is no parameter {name}", hint=hint)
    for stack, outputs in OUTPUTS.items():
        template = app if stack == "app" else compose(deployment.architecture.stack(stack).template)
        found = template.body.get("Outputs") or {}
        if stack == "app" and service(app):
            outputs = {**SERVICE, **(RELEASED if blue_green else {})}
        if stack == "base" and kind == "image":
            outputs = {**outputs, **REPOSITORY}
        if stack == "app" and static:
            outputs = {**outputs, **STATIC}
        for name, what in outputs.items():
            if name not in found:
                raise ConfigError(
                    f"{template.name}: there is no output {name}",
                    hint=f"add it ({what}): releases need it; docs/any-app.md shows how",
                )
