"""``restore`` and ``restore-test`` of an environment that is deployed, whose database is an RDS instance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from gymops.cli import context, managed, output, restoring, sites, vaults
from gymops.clock import SystemClock
from gymops.errors import ConfigError, GateRefused, GymopsError, Unverified

if TYPE_CHECKING:
    from gymops.aws.account import Account
    from gymops.backup.managed.backups import ManagedBackups
    from gymops.backup.managed.judging import Verdict
    from gymops.backup.managed.switching import Change
    from gymops.backup.port import RestorePlan, Wanted
    from gymops.backup.restore_test import Restoring, Tested
    from gymops.backup.restored import Restoration
    from gymops.config import Settings
    from gymops.deploy.release.ledger import Release
    from gymops.deploy.verbs.site import Site


def restore(
    settings: Settings, environment: str, wanted: Wanted, *, to_switch: bool, plan_only: bool, yes: bool,
    as_json: bool,
) -> int:  # fmt: skip
    """Restore beside what runs, prove, and point the environment at it if that is wanted; the exit code."""
    from gymops.backup.evidence import Result
    from gymops.backup.restored import record
    from gymops.deploy.verbs import switch
    from gymops.store.records import plain

    backups = managed.backups(settings, environment)
    site = sites.site(settings, environment, yes=yes)
    if to_switch:
        if begun := _begun(site, wanted):
            output.note(f"goes on: {begun.restored} takes the place of {begun.name}")
            _shown(environment, None, _switch(settings, site, backups, begun), as_json=as_json)
            return 0
        switch.ready(site)
    plan = backups.plan(wanted)
    restoring.show_plan(plan)
    if to_switch:
        if plan.seal is None:
            raise GateRefused(
                "nothing was sealed by then, so nothing would be proved of what it is switched to",
                hint="restore without --switch, and look at it",
            )
        output.note("switch   the two instances change names; the one before is kept, and protected")
    if plan_only:
        if as_json:
            output.document(plain(plan))
        return 0
    if to_switch and not output.confirm(f"Point {environment} at it when it is proved?", yes=yes):
        return 130
    done = restored(backups, plan)
    record(backups.objects, backups.keys, done)
    release = None
    if to_switch and done.result is Result.PASSED:
        from gymops.backup.managed.switching import change

        release = _switch(settings, site, backups, change(backups, plan))
    _shown(environment, done, release, as_json=as_json)
    return 0 if done.result is Result.PASSED else 1


def tests(
    settings: Settings,
    environment: str,
    wanted: Sequence[Wanted] | None,
    *,
    drill: str | None,
    with_app: bool,
) -> Iterator[Tested]:
    """Restore-tests, recorded; of nothing in particular: the latest time, and each tier's newest point."""
    from gymops.backup.port import Wanted
    from gymops.backup.recovery_point import new_id
    from gymops.backup.restore_test import How, Records, run
    from gymops.deploy.environment import resolve
    from gymops.eventlog.spoiling import STATEMENTS

    if drill is not None and drill not in STATEMENTS:
        raise ConfigError(
            f"--drill {drill} needs the server's files, and those of {environment} are RDS's",
            hint=f"--drill {' or '.join(STATEMENTS)}",
        )
    backups = managed.backups(settings, environment)
    account = context.account(settings, resolve(settings, environment))
    records = Records(backups.objects, environment, backups.keys)
    tiers = vaults.tiers(settings, environment)
    if wanted is None:
        taken = dict.fromkeys(one.tier for one in backups.listing().points if one.tier and one.ready)
        wanted = [Wanted(), *(Wanted(tier=name) for name in taken)]
    for one in wanted:
        how = How(
            new_id(SystemClock().now()), environment, tiers, backups.seals,
            spoil=partial(backups.spoil, how=drill) if drill else None,
            app=backups.read if with_app else None,
        )  # fmt: skip
        tested = run(backups, one, how, SystemClock(), restoring.Phases())
        records.add(tested)
        _publish(account, tested, stopped=backups.stopped)
        yield tested
    pending(backups)


def pending(backups: ManagedBackups) -> Sequence[Verdict]:
    """Prove what AWS Backup's own plan restored and waits for it."""
    verdicts = backups.judge(restoring.Phases())
    for verdict in verdicts:
        said = {True: "passed", False: "FAILED", None: "could not verify"}[verdict.passed]
        output.note(f"AWS Backup's test of {verdict.point}: {said}: {verdict.why}")
    return verdicts


def _publish(account: Account, tested: Tested, *, stopped: bool) -> None:
    """Put its metrics, which an alarm of the stacks looks at; that nobody took them changes no verdict.

    What a database that is stopped would have lost nobody knows: nothing is written to it. Of a drill there
    is to tell that its fault was not found: nothing that passed can be believed then.
    """
    from gymops.aws.notices import Metrics
    from gymops.backup import telling
    from gymops.backup.gather import trial

    if tested.drill and not tested.passed:
        return
    target = tested.target
    told = telling.Told.of(trial(tested), None if stopped else target.rpo_seconds, target.rto_seconds)
    if tested.drill:
        told = replace(told, passed=False)
    whose = telling.dimensions(tested.environment)
    try:
        Metrics(account, telling.NAMESPACE).put(list(telling.restore_tests([told])), whose, tested.ended)
    except GymopsError as error:
        output.note(f"CloudWatch was not told: {error.message}")


def restored(backups: Restoring, plan: RestorePlan) -> Restoration:
    """Bring it back and hold it to what was sealed; what came of it."""
    from gymops.backup.evidence import Result
    from gymops.backup.restore_test import Watch
    from gymops.backup.restored import Restoration

    clock = SystemClock()
    began, watch = clock.now(), Watch(clock, restoring.Phases())
    made = backups.restore(plan, watch)
    done = Restoration(
        plan.id, plan.environment, plan.point, plan.lost_since, plan.to, Result.UNVERIFIED,
        plan.seal.number if plan.seal else None, None, None, None, plan.lost_events, began, began, {},
    )  # fmt: skip
    try:
        proof = backups.prove(plan, made, watch)
        why = proof.broken[0].describe() if proof.broken else "the rejected rows differ"
        done = replace(
            done, result=Result.PASSED if proof.passed else Result.FAILED, expected=proof.expected_events,
            restored=proof.restored_events, digest=proof.restored_digest,
            message=None if proof.passed else why,
        )  # fmt: skip
    except Unverified as error:
        done = replace(done, message=error.message)
    except GymopsError as error:
        if error.unknown:
            raise
        done = replace(done, message=error.message)
    watch.stop()
    return replace(done, ended=clock.now(), phases=dict(watch.phases))


def _begun(site: Site, wanted: Wanted) -> Change | None:
    """The change of places to go on with; one of another restore is left to be told of."""
    from gymops.backup.managed.switching import Change
    from gymops.deploy.verbs import switch
    from gymops.store.records import read

    found = switch.begun(site)
    if found is None:
        return None
    change: Change = read(Change, found)
    if wanted.to not in (None, change.restored):
        raise GateRefused(
            f"{site.deployment.name} is being pointed at {change.restored}",
            hint=f"gymops restore {site.deployment.name} --to {change.restored} --switch goes on with it",
        )
    return change


def _switch(settings: Settings, site: Site, backups: ManagedBackups, change: Change) -> Release:
    from gymops.aws.proxies import Proxies
    from gymops.backup.managed.switching import Switching
    from gymops.deploy.verbs.switch import switch
    from gymops.store.records import plain

    proxies = Proxies(context.account(settings, site.deployment))
    switching = Switching(backups, proxies, change, restoring.Phases())
    command = f"gymops restore {backups.environment} --to {change.restored} --switch"
    return switch(site, sites.owner(), switching, plain(change), change.restore, command)


def _shown(environment: str, done: Restoration | None, release: Release | None, *, as_json: bool) -> None:
    from gymops.store.records import plain

    if as_json:
        document = plain(done) if done else {}
        seal = (release.restore or {}).get("seal") if release else None
        told = release.as_dict() if release else None
        output.document({**document, "url": None, "switched": seal, "release": told})
        return
    if done:
        restoring.show(done)
    if release:
        kept = (release.restore or {}).get("kept")
        output.text(f"switched {environment} runs on it (release {release.number}); the one before is {kept}")
        output.note(f"next: gymops backup {environment}")
