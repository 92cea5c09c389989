"""``gymops destroy``: an environment's stacks deleted, the last made first, after a final snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gymops.deploy.release.journal import Journal
from gymops.deploy.release.ledger import DESTROY, Ledger, Release, Source, last_good
from gymops.deploy.release.lock import Owner
from gymops.deploy.release.operation import Operation
from gymops.deploy.release.plan import Context, Plan, Request, Step
from gymops.deploy.release.run import carry_out
from gymops.deploy.stack import kinds
from gymops.deploy.stack.waiting import drain
from gymops.deploy.template import Stack
from gymops.deploy.verbs import snapshots
from gymops.deploy.verbs.remains import INSTANCE, Fate, Holdings, Remains, look, parts
from gymops.deploy.verbs.run import settled, tell
from gymops.deploy.verbs.site import Site
from gymops.errors import GateRefused

PATIENCE = (
    "a function in a VPC takes AWS 25 to 40 minutes to delete, while its network interfaces are taken down;"
    " that is no failure, and Ctrl-C leaves it running"
)
_DATABASES = frozenset(one for one in kinds.DATA if one.endswith(("::DBInstance", "::DBCluster")))


@dataclass(frozen=True)
class Destroyed:
    """What became of an environment."""

    environment: str
    operation: str | None
    """None: there was nothing to delete."""
    snapshots: Sequence[str] = ()
    deleted: Sequence[str] = ()
    """Stacks."""
    kept: Sequence[Fate] = ()
    release: int | None = None
    """The record's number in the ledger; None where nothing had been released."""

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "environment": self.environment, "operation": self.operation, "snapshots": list(self.snapshots),
            "deleted": list(self.deleted), "release": self.release,
            "kept": [{**fate.as_dict(), "next": fate.way or None} for fate in self.kept],
        }  # fmt: skip


def begun(site: Site) -> bool:
    """Whether an earlier destroy is unfinished; then the same command goes on with it."""
    bucket = site.bucket()
    if bucket is None:
        return False
    found = Journal(site.objects(bucket), site.deployment.name, site.clock).unfinished()
    return found is not None and found.request.verb == DESTROY


def gate(site: Site, remains: Remains, name: str | None) -> None:
    """What stands against it, each with what to do; ``--yes`` is no answer to any of it.

    Raises:
        GateRefused: it is protected; something would not be deleted; or there is data, and nobody named it.
    """
    environment = site.deployment.name
    if name is not None and name != environment:
        raise GateRefused(
            f"--name {name} is not {environment}: nothing was deleted",
            hint=f"gymops destroy {environment} --name {environment}",
        )
    protected = any(stack.parameters.get("Protection") == "true" for stack in remains.stacks)
    if remains.stacks and (protected or site.deployment.parameters.get("Protection") == "true"):
        raise GateRefused(
            f"{environment} is protected against deletion (Protection is true)",
            hint=f'put Protection = "false" into [environments.{environment}.parameters] of gymops.toml,'
            " release that, then destroy it",
        )
    for stack in remains.stacks:
        if stack.protected:
            raise GateRefused(
                f"{stack.name} is protected against deletion",
                hint="aws cloudformation update-termination-protection --no-enable-termination-protection"
                f" --stack-name {stack.name}",
            )
    if full := [fate for fate in remains.going if fate.holds]:
        told = "; ".join(f"{fate.id} ({fate.kind}) holds {fate.holds}" for fate in full)
        raise GateRefused(
            f"what is not empty is not deleted, and nothing here empties it: {told}",
            hint=f"look at it: {full[0].way}; save what you need, empty it, then run the same again",
        )
    if lost := [fate for fate in remains.going if fate.kind in _DATABASES and not _saved(site, fate)]:
        raise GateRefused(
            "no final snapshot can be taken of " + ", ".join(f"{one.id} ({one.kind})" for one in lost),
            hint="give it DeletionPolicy: Snapshot in the template, release that, then destroy it",
        )
    if remains.data and name is None:
        told = ", ".join(fate.name for fate in remains.data)
        raise GateRefused(
            f"{environment} has data in it: {told}",
            hint=f"gymops destroy {environment} --name {environment} takes a final snapshot first"
            " (--yes is no answer to this)",
        )


def destroy(site: Site, holdings: Holdings, owner: Owner, *, name: str | None) -> Destroyed:
    """Delete the environment's own stacks, under its lock and journal.

    Raises:
        GateRefused: as ``gate``, or it never was released to.
        LockHeld, Unfinished: somebody else is at it.
        Detached, Unknown: it goes on; the same command does too.
        GymopsError: a stack could not be deleted; those before it are gone.
    """
    environment, bucket = site.deployment.name, site.bucket()
    remains = look(site, holdings)
    if not remains.stacks and not begun(site):
        return Destroyed(environment, None)
    gate(site, remains, name)
    if bucket is None:
        raise GateRefused(
            f"{environment} has stacks, but no bucket for its lock and its journal",
            hint=f"gymops deploy {environment} makes it",
        )
    site.ledger(bucket).releases()  # where a record is damaged none could be added afterwards
    steps = _Steps(site, holdings, bucket)
    again = f"gymops destroy {environment}" + (f" --name {name}" if name else "")
    request = Request(verb=DESTROY, command=again, who=site.who)
    objects = site.objects(bucket)
    with site.lock(bucket, owner).take(lambda: settled(site)) as held:
        entry = Journal(objects, environment, site.clock).begin(request, steps.plan, held)
        steps.operation = lambda: entry.operation
        done = carry_out(entry, steps.plan, site.clock, lambda operation: tell(site, operation))
    return _destroyed(site, done.id, done.results)


class _Steps:
    """The steps; they are the same whatever is there, so that any gymops can go on with them."""

    def __init__(self, site: Site, holdings: Holdings, bucket: str) -> None:
        self._site = site
        self._holdings = holdings
        self._bucket = bucket
        self.operation: Any = None
        """The operation as it is written down; set when it begins."""

    @property
    def plan(self) -> Plan:
        return Plan(
            steps=(
                Step("inventory", self.inventory),
                Step("snapshot", self.snapshot),
                *(self._delete(part) for part in parts(self._site)),
                Step("record", self.record),
            ),
            recovery=(Step("record-failure", self.record),),
        )

    def inventory(self, _: Context) -> dict[str, Any]:
        """Write down what is there: afterwards nobody could tell what was kept."""
        remains = look(self._site, self._holdings)
        return {
            "stacks": [stack.name for stack in remains.stacks],
            "kept": [fate.as_dict() for fate in remains.kept],
            "databases": [fate.id for fate in remains.going if fate.kind == INSTANCE],
        }

    def snapshot(self, context: Context) -> list[str]:
        """A final snapshot of each database, whatever CloudFormation takes by itself."""
        prefix, found = self._site.deployment.prefix, context.results["inventory"]["databases"]
        return [
            snapshots.take(
                self._site, instance, f"{prefix}-final-{context.operation}" + (f"-{at}" if at else "")
            )
            for at, instance in enumerate(found)
        ]

    def record(self, context: Context) -> int | None:
        """Write into the ledger that nothing runs any more; its artefact is what ran."""
        ledger = Ledger(self._site.objects(self._bucket), self._site.deployment.name)
        ran = last_good(ledger.releases())
        if ran is None:
            return self._recorded(ledger, context)
        operation: Operation = self.operation()
        release = ledger.append(
            Release(
                environment=ran.environment, operation=context.operation, verb=DESTROY,
                outcome=operation.verdict, who=operation.request.who, artefact=ran.artefact,
                template=ran.template, parameters=ran.parameters, withheld=ran.withheld,
                started=operation.started, ended=self._site.clock.now(),
                why=context.failure.message if context.failure else None, commit=ran.commit, dirty=ran.dirty,
                schema_before=ran.schema_after, durations=operation.durations,
                source=Source(ran.environment, ran.number),
            )
        )  # fmt: skip
        return release.number

    def _recorded(self, ledger: Ledger, context: Context) -> int | None:
        """Nothing runs: nothing was released, or an attempt before had recorded it already."""
        done = [one.number for one in ledger.releases() if one.operation == context.operation]
        return done[0] if done else None

    def _delete(self, part: Stack) -> Step:
        name, region = self._site.deployment.stack_name(part), self._site.deployment.region_of(part)

        def run(context: Context) -> None:
            if name not in context.results["inventory"]["stacks"]:
                return
            deletion = self._site.stacks(region, None).delete(name, token=context.token)
            drain(deletion, self._site.talk.progress)
            self._site.talk.say(f"the stack {name} is gone")

        return Step(f"delete-{part.name}", run)


def _saved(site: Site, fate: Fate) -> bool:
    """Whether it leaves a snapshot: ours, which are of instances in the environment's region, or its own."""
    return fate.policy == "Snapshot" or (fate.kind == INSTANCE and fate.region == site.deployment.region)


def _destroyed(site: Site, operation: str, results: Mapping[str, Any]) -> Destroyed:
    found = results["inventory"]
    kept = [Fate(**one) for one in found["kept"]]
    return Destroyed(
        site.deployment.name, operation, results["snapshot"], found["stacks"], kept, results["record"]
    )
