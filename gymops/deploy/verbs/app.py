"""The application of an environment: its stack, its function and alias, its one-shot work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gymops.aws.session import AwsError
from gymops.deploy.release.plan import Context
from gymops.deploy.stack.masking import Masker
from gymops.deploy.stack.port import StackTarget
from gymops.deploy.stack.preview import Preview
from gymops.deploy.stack.stacks import Deployed
from gymops.deploy.stack.waiting import drain
from gymops.deploy.template import Stack, Template
from gymops.deploy.verbs import snapshots
from gymops.deploy.verbs.failures import Declined, WorkFailed
from gymops.deploy.verbs.site import Runs, Site
from gymops.deploy.verbs.wanted import template_key
from gymops.errors import GymopsError

_TOLD = 5
"""Lines of a task that are told where it failed."""


class App:
    """What the steps of a release do things to."""

    def __init__(self, site: Site, bucket: str) -> None:
        self._site = site
        self._bucket = bucket
        self._deployment = site.deployment
        self._known: dict[str, Mapping[str, str]] = {}
        """What each stack gives, asked once: it only changes by ``change``."""
        self._stored: set[str] = set()

    def outputs(self) -> Mapping[str, str]:
        """What its stack gives; empty before the first release."""
        return self._of("app")

    def ringing(self) -> Sequence[str]:
        """The alarms that ring, of those that its template has a release watch; of all, where it names none.

        Another one, as on what an audit of the backups found, says nothing of a release.
        """
        named = self.outputs().get("ReleaseAlarms", "")
        return [one for one in self._site.ringing() if not named or one in named.split(",")]

    def _of(self, stack: str) -> Mapping[str, str]:
        if stack not in self._known:
            self._known[stack] = self._site.outputs(stack)
        return self._known[stack]

    @property
    def runs(self) -> Runs:
        """What serves; it is there once the stack is."""
        found = self._site.runs(self.outputs())
        if found is None:
            raise AssertionError("its template was checked to give one")
        return found

    def serve(self, version: str) -> None:
        """Have a version serve, and no other."""
        self.runs.by.serve(self.runs.name, self.runs.alias, version)

    def paths(self) -> list[str]:
        """What a release is asked for."""
        health = self.outputs().get("HealthPath", "")
        return [health] if self.runs.service else list(self._deployment.smoke)

    def serving(self) -> str:
        """The version that serves; empty before the first release.

        Raises:
            AwsError: it cannot be told, or somebody deleted the function, which no deploy brings back.
        """
        runs = self._site.runs(self.outputs())
        if runs is None:
            return ""
        try:
            return runs.by.serving(runs.name, runs.alias)
        except AwsError as error:
            if error.reason != "ResourceNotFoundException":
                raise
            name, what = self._deployment.name, f"{runs.name}:{runs.alias}".removesuffix(":")
            raise AwsError(
                f"{what} is not there, though its stack is: somebody deleted it by hand",
                reason=error.reason,
                hint=f"gymops drift {name} names what is gone; gymops destroy {name} and a new release make"
                " it anew",
            ) from None

    def published(self, version: str, code: str) -> bool:
        """Whether a version is still there, and runs this code."""
        try:
            return self.runs.by.version(self.runs.name, version).code == code
        except GymopsError as error:
            if error.unknown:
                raise
            return False

    def found(self, stack: Stack) -> dict[str, str]:
        """The outputs of the stacks that are made before one; a later one's win."""
        found: dict[str, str] = {}
        for one in self._deployment.stacks():
            if one.name == stack.name:
                break
            found |= self._of(one.name)
        return found

    def change(
        self, template: Template, given: Mapping[str, str], context: Context, stack: Stack | None = None
    ) -> Deployed:
        """Bring the application's stack, or another of the environment's, to a template and parameters.

        Raises:
            Declined: the person at the terminal said no.
            GymopsError: it failed.
        """
        one = stack or self._deployment.architecture.stack("app")
        region = self._deployment.region_of(one)
        target = StackTarget(
            self._deployment.stack_name(one),
            region,
            template,
            self._deployment.given(template, {**self.found(one), **given}),
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
                self.snapshot(context)
            return True

        if template.text not in self._stored:
            upload(template.text)  # a release is returned to by the template it had
            self._stored.add(template.text)
        self._known.pop(one.name, None)
        stacks = self._site.stacks(region, upload)
        waiting = stacks.deploy(
            target,
            token=context.token,
            confirm=confirm,
            agree=self._site.talk.agree,
            allowed=self._site.talk.allowed,
        )
        done = drain(waiting, self._site.talk.progress)
        self._known[one.name] = done.outputs
        return done

    def work(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        """Have one-shot work done.

        Raises:
            WorkFailed: the work's own error, or no answer.
        """
        done = self._site.functions.invoke(function, event)
        found = done.answer if isinstance(done.answer, dict) else {}
        error = found.get("error")
        if done.failed or error or not found:
            error = error or {"message": found.get("errorMessage") or "it did not answer"}
            hint = error.get("hint") or f"the log of {function} says more"
            if (secret := self.outputs().get("DatabaseSecretName")) and f":{secret}" in error["message"]:
                hint = f"gymops neon connect {self._deployment.name}, then the same command again"
            raise WorkFailed(f"{event['do']}: {error['message']}", hint=hint)
        return found

    def command(self, version: str, command: str, reference: str) -> list[str]:
        """Have one-shot work done by a task of a service's version; the last lines it wrote.

        Raises:
            WorkFailed: it ended with another exit code than 0, or never ran.
        """
        done = self._site.services.run(self.runs.name, version, command, reference)
        lines = [Masker().text(line) for line in done.lines]
        if done.code == 0:
            return lines
        told = "; ".join(lines[-_TOLD:]) or done.reason or "it wrote nothing"
        ended = "did not run" if done.code is None else f"ended with {done.code}"
        raise WorkFailed(
            f"{command} {ended}: {told}",
            hint=f"nothing was taken back, and no traffic moved; gymops logs {self._deployment.name} has all"
            " it wrote",
        )

    def snapshot(self, context: Context) -> None:
        """Before what cannot be taken back, where the environment is protected."""
        if self._deployment.parameters.get("Protection") != "true":
            return
        instance = self.outputs().get("DatabaseIdentifier")
        if not instance:
            return
        snapshots.take(self._site, instance, f"{self._deployment.prefix}-before-{context.operation}")
