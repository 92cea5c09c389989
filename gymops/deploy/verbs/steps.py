"""The steps of a release, in the order they are taken.

No step moves traffic before the version was asked by its number; each can be repeated, or finds what it did.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gymops.deploy import smoke, traffic
from gymops.deploy.release.ledger import Ledger, Release, Source
from gymops.deploy.release.operation import Operation
from gymops.deploy.release.plan import Context, Plan, Step
from gymops.deploy.release.records import shown
from gymops.deploy.stack.port import StackTarget
from gymops.deploy.stack.preview import Preview
from gymops.deploy.stack.stacks import Deployed
from gymops.deploy.stack.waiting import drain
from gymops.deploy.template import Stack, Template, compose
from gymops.deploy.verbs import snapshots
from gymops.deploy.verbs.failures import Declined, NothingToReturnTo, WorkFailed
from gymops.deploy.verbs.site import Site
from gymops.deploy.verbs.wanted import LIVE_VERSION, Wanted, template_key
from gymops.errors import GymopsError

_ASKED_AT_ONCE = 3
"""Times each path is asked for, each time the traffic is looked at."""


class Steps:
    """The steps of one release of one environment."""

    def __init__(self, site: Site, bucket: str, wanted: Wanted, facts: Mapping[str, Any]) -> None:
        self._site = site
        self._bucket = bucket
        self._wanted = wanted
        self._facts = facts
        """What the record says beside what the steps find: verb, who approved, commit, source, ..."""
        self._deployment = site.deployment
        self.operation: Callable[[], Operation] | None = None
        """The operation as it is written down; set when it begins."""

    def plan(self, artefact: Callable[[Context], Any]) -> Plan:
        """All of them; ``artefact`` brings the artefact to the environment's bucket."""
        around = [stack for stack in self._deployment.stacks() if stack.name not in {"base", "app"}]
        app = [one.name for one in self._deployment.architecture.stacks].index("app")
        order = [one.name for one in self._deployment.architecture.stacks]
        before = [stack for stack in around if order.index(stack.name) < app]
        after = [stack for stack in around if order.index(stack.name) > app]
        return Plan(
            steps=(
                Step("artefact", artefact),
                *(self._around(stack) for stack in before),
                Step("stack", self.stack),
                Step("schema", self.schema),
                Step("version", self.version),
                Step("smoke", self.smoke),
                Step("traffic", self.traffic),
                Step("settle", self.settle),
                *(self._around(stack) for stack in after),
                Step("record", self.record),
            ),
            recovery=(Step("restore", self.restore), Step("record-failure", self.record)),
        )

    def return_plan(self, version: str | None) -> Plan:
        """Those of a rollback: the alias goes first, nothing is uploaded, the schema stays as it is."""
        return Plan(
            steps=(
                Step("alias", lambda _: self.alias(version)),
                Step("stack", self.stack),
                Step("version", self.version),
                Step("smoke", self.smoke),
                Step("traffic", self.traffic),
                Step("settle", self.settle),
                Step("record", self.record),
            ),
            recovery=(Step("record-failure", self.record),),
        )

    def alias(self, version: str | None) -> str | None:
        """The fast way back: to the version of then, if it is still there, runs that code, and answers.

        Its answer says whether the code of then accepts the schema of now.
        """
        function, alias = self._function()
        functions = self._site.functions
        if version is None or not self._published(function, version):
            return None
        asked = smoke.ask_all(
            lambda event: functions.invoke(function, event, version), self._deployment.smoke
        )
        try:
            smoke.refuse(asked)
        except smoke.SmokeFailed as error:
            raise NothingToReturnTo(
                f"that release does not work any more: {error.message}",
                hint=f"gymops releases {self._deployment.name} lists others",
            ) from None
        functions.serve(function, alias, version)
        self._site.talk.say(f"version {version} serves again")
        return version

    def stack(self, context: Context) -> dict[str, Any]:
        """Bring the application's stack to what is wanted; the alias stays at the version that serves."""
        serving = self._serving()
        done = self._deploy(
            self._wanted.template, {**self._wanted.parameters, LIVE_VERSION: serving}, context
        )
        return {"changed": done.changed, "change_set": done.change_set or None, "serving": serving or None}

    def schema(self, context: Context) -> dict[str, Any] | None:
        """Expand the schema by the release's own one-shot function, directly on the instance."""
        function = self._outputs().get("DatabaseFunctionName")
        if not function:
            return None
        before = self._work(function, {"do": "schema-current"})
        if before["pending"]:
            self._snapshot(context)
        after = self._work(function, {"do": "schema-upgrade", "phase": "expand"})
        for revision in after["applied"]:
            self._site.talk.say(f"schema revision {revision} applied")
        accepts = before["accepts"]["highest"]
        # A rollback leaves the database ahead of the code, by revisions that only add.
        reached = accepts if before["newer"] else after["current"]
        expected = self._facts.get("schema")
        if expected and reached != expected:
            raise WorkFailed(
                f"the schema is at {reached}, and the release was tested with {expected}",
                hint=f"bring {self._deployment.after} to the same revision, test there, promote again",
            )
        told = {"before": before["current"], "after": reached, "applied": after["applied"]}
        return {**told, "accepts": accepts}

    def version(self, context: Context) -> str:
        """Publish what the function runs now; the running digest is read back."""
        function, _ = self._function()
        if back := context.results.get("alias"):
            return str(back)
        version = self._site.functions.publish(function, self._wanted.code)
        self._site.talk.say(f"version {version} is published")
        return version

    def smoke(self, context: Context) -> list[dict[str, Any]]:
        """Ask the version by its number; nobody else reaches it."""
        function, _ = self._function()
        version = context.results["version"]
        paths = self._deployment.smoke
        asked = smoke.ask_all(lambda event: self._site.functions.invoke(function, event, version), paths)
        smoke.refuse(asked)
        self._site.talk.say(f"version {version} answers {', '.join(paths) or '(no path is asked for)'}")
        return [one.as_dict() for one in asked]

    def traffic(self, context: Context) -> dict[str, Any]:
        """Move the traffic, watching; it comes back by itself at the first sign of trouble."""
        function, alias = self._function()
        live = _Live(self._site, function, alias, self._deployment.smoke)
        watched = traffic.Watched()
        for line in traffic.move(
            live,
            context.results["version"],
            self._deployment.traffic,
            ask=live.ask,
            alarms=self._site.ringing,
            clock=self._site.clock,
            watched=watched,
        ):
            self._site.talk.say(line)
        return {"shape": self._deployment.traffic.name, "asked": watched.asked}

    def settle(self, context: Context) -> dict[str, Any]:
        """Say in the stack which version serves, so that its next update leaves the alias there."""
        version = context.results["version"]
        done = self._deploy(
            self._wanted.template, {**self._wanted.parameters, LIVE_VERSION: version}, context
        )
        return {"changed": done.changed}

    def restore(self, context: Context) -> str | None:
        """After a failure: the alias at the version that served, the stack as the last good release was."""
        if "stack" not in context.results:
            return None  # CloudFormation rolled the stack back itself, or it was never touched
        serving = context.results["stack"]["serving"]
        before = self._facts.get("before")
        if not serving or before is None:
            return None  # the first release: there is nothing to return to, and nobody is served
        function, alias = self._function()
        self._site.functions.serve(function, alias, serving)
        good: Wanted = before()
        self._deploy(good.template, {**good.parameters, LIVE_VERSION: serving}, context)
        self._site.talk.say(f"the stack is back at the release before; version {serving} serves")
        return None

    def record(self, context: Context) -> int | None:
        """Write the release down, as it ended."""
        if context.failure and context.failure.code == Declined.code:
            return None
        release = self.ledger().append(self._release(context))
        self._site.talk.say(f"recorded as release {release.number} of {release.environment}")
        return release.number

    def ledger(self) -> Ledger:
        """The environment's releases."""
        return Ledger(self._site.objects(self._bucket), self._deployment.name)

    def _release(self, context: Context) -> Release:
        if self.operation is None:
            raise AssertionError("a step outside of an operation")
        operation, results = self.operation(), context.results
        schema = results.get("schema") or {}
        app = self._deployment.architecture.stack("app")
        parameters = {**self._deployment.parameters, **self._found(app), **self._wanted.parameters}
        known = {
            name: value for name, value in parameters.items() if name in self._wanted.template.parameters
        }
        recorded = shown(known, _secret(self._wanted.template))
        facts = self._facts
        source: Source | None = facts.get("source")
        return Release(
            environment=self._deployment.name,
            operation=context.operation,
            verb=operation.request.verb,
            outcome=operation.verdict,
            who=operation.request.who,
            artefact=self._wanted.artefact,
            template=self._wanted.template_digest,
            parameters=recorded,
            withheld=tuple(sorted(set(known) - set(recorded))),
            started=operation.started,
            ended=self._site.clock.now(),
            why=context.failure.message if context.failure else None,
            approved_by=facts.get("approved_by"),
            commit=facts.get("commit"),
            dirty=bool(facts.get("dirty")),
            schema_before=schema.get("before") or facts.get("schema_now"),
            schema_after=schema.get("after") or facts.get("schema_now"),
            accepts=schema.get("accepts") or facts.get("accepts"),
            change_set=(results.get("stack") or {}).get("change_set"),
            test=facts.get("test"),
            smoke=tuple(results.get("smoke") or ()),
            durations=operation.durations,
            source=source,
            break_glass=facts.get("break_glass"),
            version=results.get("version"),
        )

    def _around(self, stack: Stack) -> Step:
        def run(context: Context) -> dict[str, Any]:
            template = compose(stack.template)
            done = self._deploy(template, {}, context, stack)
            return {"changed": done.changed}

        return Step(f"stack-{stack.name}", run)

    def _deploy(
        self, template: Template, given: Mapping[str, str], context: Context, stack: Stack | None = None
    ) -> Deployed:
        one = stack or self._deployment.architecture.stack("app")
        region = self._deployment.region_of(one)
        target = StackTarget(
            self._deployment.stack_name(one),
            region,
            template,
            self._deployment.given(template, {**self._found(one), **given}),
            tags={"gymops:environment": self._deployment.name},
        )
        files = self._site.files(self._bucket)

        def upload(text: str) -> str:
            from gymops.deploy.artefact import sha256

            key = template_key(digest := sha256(text.encode()))
            files.put(key, text.encode(), digest)
            return files.url(key)

        def confirm(preview: Preview) -> bool:
            if not self._site.talk.confirm(preview):
                raise Declined(
                    f"{target.name} stays as it is", hint="nothing was changed; run it again when ready"
                )
            if preview.touched and not preview.create:
                self._snapshot(context)
            return True

        upload(template.text)  # a release is returned to by the template it had
        stacks = self._site.stacks(region, upload)
        waiting = stacks.deploy(
            target,
            token=context.token,
            confirm=confirm,
            agree=self._site.talk.agree,
            allowed=self._site.talk.allowed,
        )
        return drain(waiting, self._site.talk.progress)

    def _found(self, stack: Stack) -> dict[str, str]:
        """The outputs of the stacks that are made before it; a later one's win."""
        found: dict[str, str] = {}
        for one in self._deployment.stacks():
            if one.name == stack.name:
                break
            found |= self._site.outputs(one.name)
        return found

    def _outputs(self) -> Mapping[str, str]:
        return self._site.outputs("app")

    def _function(self) -> tuple[str, str]:
        """The function's name, and its alias's."""
        outputs = self._outputs()
        return outputs["FunctionName"], outputs["FunctionAlias"].rpartition(":")[2]

    def _serving(self) -> str:
        """The version that serves; empty before the first release."""
        outputs = self._outputs()
        if "FunctionAlias" not in outputs:
            return ""
        function, alias = self._function()
        return self._site.functions.serving(function, alias)

    def _published(self, function: str, version: str) -> bool:
        try:
            return self._site.functions.version(function, version).code == self._wanted.code
        except GymopsError as error:
            if error.unknown:
                raise
            return False

    def _work(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        """Have one-shot work done; its errors are ours."""
        done = self._site.functions.invoke(function, event)
        found = done.answer if isinstance(done.answer, dict) else {}
        error = found.get("error")
        if done.failed or error or not found:
            error = error or {"message": found.get("errorMessage") or "it did not answer"}
            raise WorkFailed(
                f"{event['do']}: {error['message']}",
                hint=error.get("hint") or f"the log of {function} says more",
            )
        return found

    def _snapshot(self, context: Context) -> None:
        """Before what cannot be taken back, where the environment is protected."""
        if self._deployment.parameters.get("Protection") != "true":
            return
        instance = self._outputs().get("DatabaseIdentifier")
        if not instance:
            return
        snapshots.take(self._site, instance, f"{self._deployment.prefix}-before-{context.operation}")


class _Live:
    """The alias that serves, as the traffic sees it."""

    def __init__(self, site: Site, function: str, alias: str, paths: Sequence[str]) -> None:
        self._site = site
        self._function = function
        self._alias = alias
        self._paths = paths

    def now(self) -> str:
        return self._site.functions.serving(self._function, self._alias)

    def split(self, version: str, other: str, share: float) -> None:
        self._site.functions.split(self._function, self._alias, version, other, share)

    def point(self, version: str) -> None:
        self._site.functions.serve(self._function, self._alias, version)

    def ask(self) -> list[smoke.Asked]:
        def call(event: dict[str, Any]) -> smoke.Answer:
            return self._site.functions.invoke(self._function, event, self._alias)

        return smoke.ask_all(call, list(self._paths) * _ASKED_AT_ONCE)


def _secret(template: Template) -> frozenset[str]:
    """The parameters that no record may hold."""
    declared = template.parameters.items()
    return frozenset(name for name, one in declared if str(one.get("NoEcho", "")).lower() == "true")
