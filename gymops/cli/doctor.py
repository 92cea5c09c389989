"""``gymops doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gymops.cli import context, output
from gymops.cli.payload import python
from gymops.clock import SystemClock

if TYPE_CHECKING:
    from gymops.config import Settings
    from gymops.deploy.doctor import Examination, Patient, Policy

_EPILOG = """\b
--json: {"environment", "ok", "could_not_tell": [checks], "findings": [{"check", "verdict": "ok", "warning",
"failed", "could not tell" or "skipped", "found", "fix" or null}]}
--policy: an IAM policy for the role that deploys; --json adds nothing to it.

\b
Examples:
  gymops doctor staging
  gymops doctor prod --json | jq '.findings[] | select(.verdict == "failed")'
  gymops doctor prod --policy > policy.json

\b
Exit codes: 0 nothing stands in the way (warnings may be there); 3 something will break a deploy; 1 something
could not be told, and nothing else will break it."""


@click.command("doctor", epilog=_EPILOG)
@click.argument("environment", metavar="ENV")
@click.option("--policy", is_flag=True, help="Print what the deploying role must be allowed; ask nobody.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(ctx: click.Context, environment: str, policy: bool, as_json: bool) -> None:
    """Look for what would break a deploy: credentials, clock, permissions, quotas, service-linked roles,
    domains, aliases, certificate, versions. Each finding says what to do.

    Works before the first deploy and after it, and only reads. On the local AWS it says what there is nothing
    to tell about.
    """
    settings = context.settings(ctx)
    if policy:
        from gymops.deploy.doctor import needed
        from gymops.deploy.environment import resolve

        _print(needed(resolve(settings, environment)))
        return
    from gymops.deploy.doctor import doctor

    found = doctor(patient(settings, environment))
    if as_json:
        output.document(found.as_dict())
    else:
        _show(found)
    ctx.exit(found.exit_code)


def patient(settings: Settings, name: str) -> Patient:
    """An environment, to be looked at with clients that do not wait for long.

    Raises:
        ConfigError, LocalError: it is not known, or its local AWS does not run.
    """
    from gymops.aws.cloudformation import CloudFormationClient
    from gymops.aws.dns import Resolver
    from gymops.aws.domains import Domains
    from gymops.aws.engines import Engines
    from gymops.aws.iam import Iam
    from gymops.aws.identity import Identity
    from gymops.aws.quotas import Quotas
    from gymops.aws.s3 import S3Objects
    from gymops.deploy.build.target import DEFAULT_PYTHON
    from gymops.deploy.doctor import Patient
    from gymops.deploy.environment import resolve

    deployment = resolve(settings, name)
    account, clock = context.reach(settings, deployment), SystemClock()

    def client(service: str, region: str | None = None) -> Any:
        return account.client(service, region, timeout=10.0, attempts=3)

    return Patient(
        deployment=deployment,
        clock=clock,
        runtime=f"python{python(settings, deployment) or DEFAULT_PYTHON}",
        reader=lambda region: CloudFormationClient(client("cloudformation", region)),
        objects=lambda bucket: S3Objects(client("s3"), bucket, clock),
        identity=Identity(account),
        iam=Iam(account),
        quotas=Quotas(account),
        domains=Domains(account),
        engines=lambda region: Engines(account, region),
        resolver=Resolver(),
    )


def _show(found: Examination) -> None:
    import shutil
    import textwrap

    width = max(30, (shutil.get_terminal_size((140, 24)).columns - 42) // 2)

    def wrapped(text: str) -> str:
        return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)

    output.table(
        [(one.check, one.verdict.value, wrapped(one.found), wrapped(one.fix)) for one in found.findings],
        ["check", "verdict", "found", "fix"],
    )
    output.text()
    said = {0: "nothing stands in the way of a deploy", 1: "not all could be told", 3: "a deploy would fail"}
    unknown = f"; could not tell: {', '.join(found.untold)}" if found.untold else ""
    output.text(f"{found.environment}: {said[found.exit_code]}{unknown}")


def _print(found: Policy) -> None:
    from gymops.deploy.doctor.policy import LARGEST, LARGEST_INLINE

    output.document(found.document)
    size = f"{found.size:,} of a managed policy's {LARGEST:,} characters"
    if found.wider:
        output.note(f"wider than needed, to be shorter: {found.wider}")
    if found.fits:
        output.note(f"{size}; attach it to the deploying role")
    elif found.size <= LARGEST_INLINE:
        output.note(f"{size}: too long for one; put it into the role itself (an inline policy), or split it")
    else:
        output.note(f"{size}: too long; split its actions over several policies, a role takes ten")
