"""The composition root of releases: an environment, with everything that reaches it."""

from __future__ import annotations

import getpass
import os
import secrets
import signal
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from gymops.cli import context, output
from gymops.clock import SystemClock

if TYPE_CHECKING:
    from gymops.aws.account import Account
    from gymops.config import Settings
    from gymops.deploy.build.registry import Repository
    from gymops.deploy.release.lock import Owner
    from gymops.deploy.stack.preview import Preview
    from gymops.deploy.stack.stacks import Recovery, Stacks
    from gymops.deploy.stack.waiting import Progress
    from gymops.deploy.verbs.site import Images, Site, Talk

_PACE_HERE = 0.1
"""Seconds between two looks at a stack of the local AWS, which is done in no time."""


def site(settings: Settings, name: str, *, yes: bool, allowed: Sequence[str] = ()) -> Site:
    """An environment by its name.

    Raises:
        ConfigError, LocalError, AwsError: it is not known, or not reached.
    """
    from gymops.aws.alarms import Alarms
    from gymops.aws.bucket import Bucket
    from gymops.aws.cdn import Cdn
    from gymops.aws.cloudformation import CloudFormationClient
    from gymops.aws.drift import Drift
    from gymops.aws.functions import Functions
    from gymops.aws.instances import Instances
    from gymops.aws.s3 import S3Objects
    from gymops.aws.services import Services
    from gymops.aws.static import StaticBucket
    from gymops.deploy.environment import resolve
    from gymops.deploy.verbs.site import Site

    deployment = resolve(settings, name)
    if (own := settings.environments.get(name)) and own.backup:
        from gymops.cli import tiers

        tiers.check(settings, name)
    with suppress(ValueError):  # not in a thread
        # Whoever is told to end detaches, as by Ctrl-C.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    account = context.account(settings, deployment)
    clock = SystemClock()
    # The lock lasts a minute: who waits that long for an answer has lost it.
    records = account.client("s3", timeout=10.0, attempts=2)
    return Site(
        deployment=deployment,
        reader=lambda region: CloudFormationClient.of(account, region),
        stacks=lambda region, upload: _stacks(account, region, upload, name),
        files=lambda bucket: Bucket(account, bucket),
        objects=lambda bucket: S3Objects(records, bucket, clock),
        images=cache(lambda uri: _images(account, uri)),
        static=lambda bucket: StaticBucket(account, bucket),
        cdn=Cdn(account),
        functions=Functions(account, clock),
        services=Services(account, clock, _PACE_HERE if account.local else 5.0),
        instances=Instances(account),
        drift=lambda region: Drift.of(account, region),
        ringing=Alarms(account, f"{deployment.prefix}-").ringing,
        clock=clock,
        talk=_talk(yes=yes, allowed=allowed),
        who=who(),
        locks=settings.home / "locks",
    )


def _images(account: Account, uri: str) -> Images:
    from gymops.aws.ecr import EcrRepository
    from gymops.deploy.verbs.site import Images

    ecr = EcrRepository.of(account, uri)

    @cache
    def registry() -> Repository:
        from gymops.deploy.build.reference import Reference
        from gymops.deploy.build.registry import Repository

        where = Reference.parse(uri)
        return Repository(where, credentials=lambda _: ecr.login(), clock=SystemClock(), at=account.endpoint)

    return Images(ecr, registry)


def owner() -> Owner:
    """This process, for those who find its lock."""
    from gymops.deploy.release.lock import Owner

    return Owner(who(), socket.gethostname(), os.getpid())


def who() -> str:
    """Who runs this."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())  # a container's user may have no name


def token() -> str:
    """For what is done outside of a journalled operation."""
    return f"run-{secrets.token_hex(6)}"


def _stacks(account: Account, region: str, upload: Callable[[str], str] | None, environment: str) -> Stacks:
    from gymops.aws.cloudformation import CloudFormationClient
    from gymops.aws.probes import AcmProbe, EcsProbe, LambdaProbe, RdsProbe
    from gymops.deploy.stack.probe import Probes
    from gymops.deploy.stack.stacks import Stacks
    from gymops.deploy.stack.waiting import Means, Pace

    probes = Probes(
        functions=LambdaProbe(account, region),
        certificates=AcmProbe(account, region),
        databases=RdsProbe(account, region),
        tasks=EcsProbe(account, region),
    )
    attach = f"gymops attach {environment}"
    if account.local:  # nothing is slow there
        pace = Pace(first=_PACE_HERE, most=1.0)
        means = Means(SystemClock(), pace, probes, attach, usual=lambda _kind, _status: None)
    else:
        means = Means(SystemClock(), Pace(), probes, attach)
    return Stacks(CloudFormationClient.of(account, region), means, upload=upload)


def _talk(*, yes: bool, allowed: Sequence[str]) -> Talk:
    from gymops.deploy.verbs.site import Talk

    def confirm(preview: Preview) -> bool:
        _show(preview)
        verb = "Make" if preview.create else "Change"
        return output.confirm(f"{verb} the stack {preview.target.name}?", yes=yes)

    def agree(recovery: Recovery) -> bool:
        output.note(f"{recovery.stack} is {recovery.decision.status}: {recovery.decision.why}")
        for one in recovery.skip:  # --yes skips them too, and nobody else would say which
            why = f": {one.reason}" if one.reason else ""
            output.note(f"  not rolled back: {one.name} ({one.kind}) {one.physical}{why}")
        skipped = ", ".join(one.name for one in recovery.skip)
        what = f"Leave {skipped} as they are and go on" if skipped else "Delete what is left of it"
        return output.confirm(f"{what}?", yes=yes)

    def ask(question: str) -> bool:
        return output.confirm(question, yes=yes)

    return Talk(output.note, _told, confirm, agree, ask, allowed)


def _show(preview: Preview) -> None:
    """A new stack in one line, changes one by one; all of it is masked already."""
    name, many = f"{preview.target.name} ({preview.target.region})", len(preview.changes)
    if preview.create:
        output.note(f"{name}: {many} {'resource is' if many == 1 else 'resources are'} made")
        return
    output.note(f"{name}: {many} change{'' if many == 1 else 's'}")
    for line in lines(preview):
        output.note(line)


def lines(preview: Preview) -> Iterator[str]:
    """What a stack's preview says, change by change; those that only follow from others, counted by type."""
    endangered = {danger.name for danger in preview.dangers}
    follows = [one for one in preview.changes if one.follows and one.path not in endangered]
    for change in preview.changes:
        if change in follows:
            continue
        replaced = {"True": ", replaced", "Conditional": ", perhaps replaced"}.get(change.replacement, "")
        yield f"  {change.action.lower():7} {change.path} ({change.kind}){replaced}"
        for one in change.details:
            if one.before is not None or one.after is not None:
                yield f"          {one.path or one.name}: {one.before} -> {one.after}"
    if follows:
        kinds = Counter(one.kind for one in follows).most_common()
        counted = ", ".join(f"{count} {kind}" for kind, count in kinds)
        yield f"  {len(follows)} that refer to these may change with them: {counted}"
    for danger in preview.dangers:
        yield f"  DANGER  {danger}"


def _told(progress: Progress) -> None:
    if progress.note:
        output.note(f"  {progress.note}")
    event = progress.event
    if event is None or event.status.endswith("_IN_PROGRESS"):
        return
    if event.of_stack or "FAILED" in event.status:
        reason = f": {event.reason}" if event.reason else ""
        output.note(f"  {event.name} {event.status}{reason}")
