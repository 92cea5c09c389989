"""The steps of a release, in the order they are taken.

No step moves traffic before the version was asked by its number; each can be repeated, or finds what it did.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gymops.aws.deployments import UNHEALTHY
from gymops.aws.session import AwsError
from gymops.deploy import smoke, traffic
from gymops.deploy.release.ledger import Ledger, last_good
from gymops.deploy.release.operation import Operation
from gymops.deploy.release.plan import Context, Plan, Step
from gymops.deploy.smoke import Asked
from gymops.deploy.template import Stack, compose
from gymops.deploy.verbs import images, needs, recording, schema
from gymops.deploy.verbs.app import App
from gymops.deploy.verbs.failures import Declined, NothingToReturnTo
from gymops.deploy.verbs.needs import codedeploy
from gymops.deploy.verbs.site import Site
from gymops.deploy.verbs.static import Static
from gymops.deploy.verbs.wanted import LIVE_VERSION, Wanted
from gymops.errors import NobodyToAsk

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
        self._app = App(site, bucket)
        self._static = Static(site, bucket, self._app, wanted.artefact.static)
        self.operation: Callable[[], Operation] | None = None
        """The operation as it is written down; set when it begins."""

    def plan(self, artefact: Callable[[Context], Any]) -> Plan:
        """All of them; ``artefact`` brings the artefact to the environment's bucket."""
        around = [stack for stack in self._deployment.stacks() if stack.name not in {"base", "app"}]
        order = [one.name for one in self._deployment.architecture.stacks]
        before = [stack for stack in around if order.index(stack.name) < order.index("app")]
        after = [stack for stack in around if order.index(stack.name) > order.index("app")]
        return Plan(
            steps=(
                Step("artefact", artefact),
                *(self._around(stack) for stack in before),
                Step("stack", self.stack),
                Step("schema", self.schema),
                *self._serve(),
                *self._static.pages(),
                Step("settle", self.settle),
                *(self._around(stack) for stack in after),
                Step("record", self.record),
            ),
            recovery=(
                *self._static.back(self._facts.get("before")),
                Step("restore", self.restore),
                Step("record-failure", self.record),
            ),
        )

    def return_plan(self, version: str | None) -> Plan:
        """Those of a rollback: the alias goes first, nothing is uploaded, the schema stays as it is."""
        return Plan(
            steps=(
                Step("alias", lambda context: self.alias(version, context.token)),
                *self._static.first(),
                Step("stack", self.stack),
                *self._serve(),
                *self._static.pages(),
                Step("settle", self.settle),
                Step("record", self.record),
            ),
            recovery=(
                *self._static.back(self._facts.get("before")),
                Step("restore", self.restore),
                Step("record-failure", self.record),
            ),
        )

    def _serve(self) -> tuple[Step, ...]:
        """A function's version is asked, then it serves. A service's tasks are asked by their health check
        while they take over, and all of them when they have.
        """
        version, asked = Step("version", self.version), Step("smoke", self.smoke)
        ahead, moved = self._static.ahead(), Step("traffic", self.traffic)
        if needs.service(self._wanted.template):
            return version, *ahead, moved, asked
        return version, asked, *ahead, moved

    def alias(self, version: str | None, reference: str = "") -> str | None:
        """The fast way back: to the version of then, if it is still there, runs that code, and answers.

        Its answer says whether the code of then accepts the schema of now.
        """
        runs = self._app.runs
        if version is None or not self._app.published(version, self._wanted.code):
            return None
        try:
            if not runs.service:
                smoke.refuse(self._ask(version), self._deployment.name)
            _Live(self._site, self._app, reference).point(version)
        except (smoke.SmokeFailed, traffic.Returned) as error:
            raise NothingToReturnTo(
                f"that release does not work any more: {error.message}",
                hint=f"gymops releases {self._deployment.name} lists others",
            ) from None
        self._site.talk.say(f"version {version} serves again")
        return version

    def stack(self, context: Context) -> dict[str, Any]:
        """Bring the application's stack to what is wanted; the alias stays at the version that serves."""
        serving = self._app.serving()
        done = self._app.change(
            self._wanted.template, {**self._wanted.parameters, LIVE_VERSION: serving}, context
        )
        runs = not done.changed and self._runs(serving)
        change_set = done.change_set or None
        return {"changed": done.changed, "change_set": change_set, "serving": serving or None, "runs": runs}

    def _runs(self, serving: str) -> bool:
        """Whether the version that serves is this very release: its code, its template, its parameters."""
        running = last_good(self.ledger().releases())
        if running is None or running.withheld or running.version != serving:
            return False  # what is withheld cannot be compared
        same = (running.artefact.digest, running.template) == (
            self._wanted.artefact.digest,
            self._wanted.template_digest,
        )
        if not same or (running.parameters, ()) != recording.given(self._site, self._wanted, self._given()):
            return False
        return self._app.published(serving, self._wanted.code)

    def schema(self, context: Context) -> dict[str, Any] | None:
        """Bring the schema to what the release needs."""
        if command := self._app.outputs().get(needs.SCHEMA_COMMAND):
            version = self._app.runs.by.publish(self._app.runs.name, self._wanted.code)
            done = schema.by_command(self._app, context, command, version)
            self._site.talk.say(f"{command}: done by a task of version {version}")
            return done
        releases = self.ledger().releases()
        return schema.upgrade(self._site, self._app, context, releases, self._facts.get("schema"))

    def version(self, context: Context) -> str:
        """Publish what the function runs now; the running digest is read back."""
        if back := context.results.get("alias"):
            return str(back)
        if context.results["stack"].get("runs"):
            version = str(context.results["stack"]["serving"])
            self._site.talk.say(f"nothing changed: version {version} runs it already, and is asked again")
            return version
        version = self._app.runs.by.publish(self._app.runs.name, self._wanted.code)
        self._site.talk.say(f"version {version} is published")
        return version

    def smoke(self, context: Context) -> list[dict[str, Any]]:
        """Ask the version by its number; of a function nobody else reaches it yet."""
        version, runs = context.results["version"], self._app.runs
        asked = self._ask(version)
        served = runs.service or version == context.results["stack"]["serving"]
        smoke.refuse(asked, self._deployment.name, served=served)
        paths = ", ".join(self._app.paths()) or "(no path is asked for)"
        self._site.talk.say(f"version {version} answers {paths}")
        return [one.as_dict() for one in asked]

    def _ask(self, version: str) -> list[Asked]:
        runs = self._app.runs
        return smoke.ask_all(
            lambda event: runs.by.invoke(runs.name, event, version, again=True), self._app.paths()
        )

    def traffic(self, context: Context) -> dict[str, Any]:
        """Move the traffic, watching; it comes back by itself at the first sign of trouble."""
        version, shape = context.results["version"], self._deployment.traffic
        moved = {version: codedeploy(shape)} if self._app.runs.alias and self._app.runs.service else {}
        live = _Live(self._site, self._app, context.token, moved)
        watched = traffic.Watched()
        for line in traffic.move(
            live,
            version,
            traffic.AT_ONCE if moved else shape,  # CodeDeploy has the steps itself
            ask=live.ask,
            alarms=self._app.ringing,
            clock=self._site.clock,
            watched=watched,
            logs=f"gymops logs {self._deployment.name}",
        ):
            self._site.talk.say(line)
        return {"shape": self._deployment.traffic.name, "asked": watched.asked}

    def settle(self, context: Context) -> dict[str, Any]:
        """Say in the stack which version serves, so that its next update leaves the alias there."""
        version, before = context.results["version"], context.results["stack"]
        if not before["changed"] and before["serving"] == version:
            return {"changed": False}  # the stack was just found to say so
        done = self._app.change(
            self._wanted.template, {**self._wanted.parameters, LIVE_VERSION: version}, context
        )
        return {"changed": done.changed}

    def restore(self, context: Context) -> str | None:
        """After a failure: the alias at the version that served, the stack as the last good release was.

        A rollback's alias stays at the version of then: whoever goes back does not want the other one.
        """
        if "stack" not in context.results:  # CloudFormation rolled it back itself, or it was never touched
            if back := context.results.get("alias"):  # it may have rolled the alias back as well
                self._app.serve(back)
                self._site.talk.say(f"version {back} serves all the same")
            return None
        serving = context.results["stack"]["serving"]
        before = self._facts.get("before")
        if not serving or before is None:
            return None  # the first release: there is nothing to return to, and nobody is served
        self._app.serve(serving)
        good: Wanted = before()
        self._app.change(good.template, {**good.parameters, LIVE_VERSION: serving}, context)
        self._site.talk.say(f"the stack is back at the release before; version {serving} serves")
        return None

    def record(self, context: Context) -> int | None:
        """Write the release down, as it ended."""
        moved = context.results.get("alias")
        if context.failure and context.failure.code in {Declined.code, NobodyToAsk.code} and not moved:
            return None
        if self.operation is None:
            raise AssertionError("a step outside of an operation")
        release = self.ledger().append(
            recording.release(self._site, self.operation(), self._wanted, self._given(), self._facts, context)
        )
        self._site.talk.say(f"recorded as release {release.number} of {release.environment}")
        if release.good and release.artefact.kind == "image":
            images.label(self._site, release.artefact.uri)
        return release.number

    def known(self) -> dict[str, Any]:
        """What the record will say however the release ends."""
        return recording.known(self._site, self._wanted, self._given(), self._facts)

    def _given(self) -> dict[str, str]:
        """What the application's template is given, over the environment's parameters."""
        return {**self._app.found(self._deployment.architecture.stack("app")), **self._wanted.parameters}

    def ledger(self) -> Ledger:
        """The environment's releases."""
        return self._site.ledger(self._bucket)

    def _around(self, stack: Stack) -> Step:
        def run(context: Context) -> dict[str, Any]:
            template = compose(stack.template)
            done = self._app.change(template, {}, context, stack)
            return {"changed": done.changed}

        return Step(f"stack-{stack.name}", run)


class _Live:
    """The alias that serves, or the service, as the traffic sees it."""

    def __init__(
        self, site: Site, app: App, reference: str = "", shapes: Mapping[str, str] | None = None
    ) -> None:
        self._reference = reference
        self._shapes = shapes or {}
        """Version -> how CodeDeploy moves the requests to it; to any other it goes back."""
        self._environment = site.deployment.name
        self._runs = app.runs
        self._paths = app.paths()

    def now(self) -> str:
        return self._runs.by.serving(self._runs.name, self._runs.alias)

    def split(self, version: str, other: str, share: float) -> None:
        self._runs.by.split(self._runs.name, self._runs.alias, version, other, share)

    def point(self, version: str) -> None:
        try:
            self._runs.by.serve(
                self._runs.name, self._runs.alias, version,
                reference=self._reference, shape=self._shapes.get(version, ""),
            )  # fmt: skip
        except AwsError as error:
            if error.reason != UNHEALTHY:
                raise
            hint = f"gymops logs {self._environment} shows what its tasks wrote"
            raise traffic.Returned(f"{error.message}; the version before serves", hint=hint) from None

    def ask(self) -> list[smoke.Asked]:
        def call(event: dict[str, Any]) -> smoke.Answer:
            return self._runs.by.invoke(self._runs.name, event, self._runs.alias, again=True)

        return smoke.ask_all(call, self._paths * (1 if self._runs.service else _ASKED_AT_ONCE))
