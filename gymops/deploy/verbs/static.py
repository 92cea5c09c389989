"""The static files of a release: those called by their content before the traffic, all others after it.

So old pages and new ones both find what they name. What was there stays, for pages that are still open, until
none of the last releases names it.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from gymops.clock import ticks
from gymops.deploy.artefact import Artefact, location
from gymops.deploy.release.ledger import Release
from gymops.deploy.release.plan import Context, Step
from gymops.deploy.static import ARCHIVE, MANIFEST, Manifest, StaticFile, invalidations
from gymops.deploy.verbs.app import App
from gymops.deploy.verbs.site import Files, Site, StaticBucket
from gymops.deploy.verbs.wanted import Wanted, blob_key
from gymops.errors import ConfigError, GymopsError

BUCKET, DISTRIBUTION = "StaticBucketName", "DistributionId"
"""What the application's template gives: where the files go, and whose cache has to forget."""

KEPT = 10
"""Releases whose files stay."""
_PATIENCE, _PAUSE = 1200.0, 5.0
"""Seconds for an invalidation, and between two looks at it; a minute or two is usual."""


def upload(artefact: Artefact, folder: Path, files: Files) -> None:
    """Store archive and list under their digests; what is there already is not sent again.

    Raises:
        AwsError: one cannot be stored.
    """
    for blob in artefact.blobs:
        if blob.name in (ARCHIVE, MANIFEST):
            path = folder / location(artefact.kind, blob)
            files.put(blob_key(blob.digest, blob.name), path, blob.digest)


def copy(digest: str | None, source: Files, target: Files) -> None:
    """Copy archive and list from one environment's bucket to another's, comparing digests on both sides.

    Raises:
        AwsError: one is gone, or another.
    """
    if digest is None:
        return
    data = source.get(blob_key(digest, MANIFEST), digest)
    archive = Manifest.load(data).archive
    where = blob_key(archive, ARCHIVE)
    target.put(where, source.get(where, archive), archive)
    target.put(blob_key(digest, MANIFEST), data, digest)


def keys(digest: str | None, files: Files) -> Iterator[str]:
    """Where list and archive lie in the bucket of releases; the list must be there for the second."""
    if digest is not None:
        yield (manifest := blob_key(digest, MANIFEST))
        yield blob_key(Manifest.load(files.get(manifest, digest)).archive, ARCHIVE)


@dataclass(frozen=True)
class _Tree:
    """The static files of an artefact, as the bucket of releases has them."""

    files: Files
    digest: str

    @cached_property
    def manifest(self) -> Manifest:
        return Manifest.load(self.files.get(blob_key(self.digest, MANIFEST), self.digest))

    @cached_property
    def _archive(self) -> zipfile.ZipFile:
        digest = self.manifest.archive
        return zipfile.ZipFile(io.BytesIO(self.files.get(blob_key(digest, ARCHIVE), digest)))

    def read(self, path: str) -> bytes:
        return self._archive.read(path)


class Static:
    """The steps of a release that are about the static files of its artefact; none if it has none."""

    def __init__(self, site: Site, bucket: str, app: App, digest: str | None) -> None:
        self._site = site
        self._release_bucket = bucket
        self._app = app
        self._digest = digest or ""

    def first(self) -> tuple[Step, ...]:
        """With an alias that is back at the version of then; otherwise they wait for the traffic."""
        return self._steps(
            Step("static-first", self._ahead_at_once), Step("pages-first", self._pages_at_once)
        )

    def ahead(self) -> tuple[Step, ...]:
        """Before the traffic."""
        return self._steps(Step("static", self._ahead))

    def pages(self) -> tuple[Step, ...]:
        """After the traffic."""
        return self._steps(Step("pages", self._pages))

    def back(self, before: Callable[[], Wanted] | None) -> tuple[Step, ...]:
        """After a failure; ``before`` finds the last good release."""
        return self._steps(Step("pages-back", lambda context: self._back(context, before)))

    def _steps(self, *steps: Step) -> tuple[Step, ...]:
        return steps if self._digest else ()

    def _ahead_at_once(self, context: Context) -> dict[str, Any] | None:
        if not context.results.get("alias") or BUCKET not in self._app.outputs():
            return None
        return self._ahead(context)

    def _pages_at_once(self, context: Context) -> dict[str, Any] | None:
        return self._pages(context) if context.results["static-first"] else None

    def _ahead(self, context: Context) -> dict[str, Any]:
        """Add what is called by its content and not there yet, which no page of now names. What it returns
        says what else will change, and is written down before anything does.

        Raises:
            ConfigError: the stack gives no bucket for them.
            AwsError: one could not be stored.
        """
        if done := context.results.get("static-first"):
            return dict(done)
        tree = self._tree(self._digest)
        there = self._bucket().look({file.path: file.size for file in tree.manifest.files})
        new = [file for file in tree.manifest.files if file.path not in there]
        other = [file for file in _differing(tree.manifest.files, there) if file.path in there]
        self._bucket().put([file for file in new if file.immutable], tree.read)
        again = [file.path for file in other if file.immutable]
        for path in again:
            self._site.talk.say(
                f"{path} is called by its content, and holds another: who has it keeps the old one"
            )
        kept = len(tree.manifest.files) - len(new) - len(other)
        self._site.talk.say(f"static files: {len(new)} new, {len(other)} changed, {kept} as they were")
        return {
            "files": len(tree.manifest.files),
            "uploaded": len(new) + len(other),
            "unchanged": kept,
            "forget": invalidations(file.path for file in other),
            "again": again,
        }

    def _pages(self, context: Context) -> dict[str, Any]:
        """Change the rest, pages last; have the cache forget what changed; take away what nobody names.

        Raises:
            AwsError: one could not be stored.
        """
        if done := context.results.get("pages-first"):
            return dict(done)
        ahead = context.results.get("static") or context.results["static-first"]
        tree = self._tree(self._digest)
        self._change(
            tree, [one for one in tree.manifest.files if not one.immutable or one.path in ahead["again"]]
        )
        forget: list[str] = ahead["forget"]
        warnings = self._forget(forget, context.token)
        cleared = bool(not warnings and self._app.outputs().get(DISTRIBUTION))
        warnings += self._sweep()
        return {"invalidated": len(forget) if cleared else 0, "warning": "; ".join(warnings) or None}

    def _back(self, context: Context, before: Callable[[], Wanted] | None) -> None:
        """The pages of the last good release, wherever they were changed.

        Raises:
            AwsError: one could not be stored.
        """
        if "traffic" not in context.results or context.results.get("alias") or before is None:
            return  # no page was touched, or they belong to a version that stays, or there was nothing before
        if digest := before().artefact.static:
            self._change(tree := self._tree(digest), tree.manifest.files)
            self._site.talk.say("the pages are those of the release before")
            self._forget(context.results["static"]["forget"], context.token)

    def _change(self, tree: _Tree, files: Sequence[StaticFile]) -> None:
        bucket = self._bucket()
        differing = _differing(files, bucket.look({file.path: file.size for file in files}))
        bucket.put([file for file in differing if not file.entry], tree.read)
        bucket.put([file for file in differing if file.entry], tree.read)

    def _forget(self, paths: Sequence[str], token: str) -> list[str]:
        """The files are in their place by now, and the traffic has moved: a cache that does not forget is no
        reason to go back, but to be said.
        """
        distribution = self._app.outputs().get(DISTRIBUTION)
        if not paths or not distribution:
            return []
        say, cdn = self._site.talk.say, self._site.cdn
        say(f"CloudFront forgets {', '.join(paths[:5])}{' ...' if len(paths) > 5 else ''}: a minute or two")
        try:
            begun = None
            for _ in ticks(self._site.clock, timeout=_PATIENCE, interval=_PAUSE):
                begun = begun or cdn.forget(distribution, paths, token)
                if begun and cdn.forgotten(distribution, begun):
                    return []
            why = f"not done after {_PATIENCE / 60:.0f} minutes"
        except GymopsError as error:
            if error.unknown:
                raise
            why = error.message
        warning = f"the cache of {distribution} may hold old files ({why})"
        listed = " ".join(f"'{path}'" for path in paths)
        say(
            f"warning: {warning}; to try again: aws cloudfront create-invalidation"
            f" --distribution-id {distribution} --paths {listed}"
        )
        return [warning]

    def _sweep(self) -> list[str]:
        """Take away what a release brought, and none of the last ones names; nothing else is ours."""
        releases = self._site.ledger(self._release_bucket).releases()
        keep, fading = lasting(self._digest, releases)
        if not fading:
            return []
        try:
            named = {path for one in keep for path in self._tree(one).manifest.paths}
            once = {path for one in fading for path in self._tree(one).manifest.paths}
            if gone := sorted((once - named) & set(self._bucket().names())):
                self._bucket().remove(gone)
                self._site.talk.say(f"{len(gone)} static files of earlier releases are taken away")
        except GymopsError as error:
            if error.unknown:
                raise
            warning = f"static files of earlier releases were not taken away ({error.message})"
            self._site.talk.say(f"warning: {warning}")
            return [warning]
        return []

    def _tree(self, digest: str) -> _Tree:
        return _Tree(self._site.files(self._release_bucket), digest)

    def _bucket(self) -> StaticBucket:
        name = self._app.outputs().get(BUCKET)
        if not name:
            raise ConfigError(
                f"the application's stack gives no {BUCKET}",
                hint="add the output (the bucket of static files), or take `static` out of [app]",
            )
        return self._site.static(name)


def recorded(results: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a release's record says of its static files; None where none were looked at."""
    ahead = results.get("static") or results.get("static-first")
    if not ahead:
        return None
    pages = results.get("pages") or results.get("pages-first") or {"invalidated": 0, "warning": None}
    return {**{name: ahead[name] for name in ("files", "uploaded", "unchanged")}, **pages}


def lasting(digest: str, releases: Sequence[Release]) -> tuple[Collection[str], Collection[str]]:
    """Whose files stay: of this release, of the last that succeeded, and of the last attempts; and whose do
    not, of those before that.
    """
    had = [(one.good, one.artefact.static) for one in releases if one.artefact.static]
    good = [static for fine, static in had if fine and static][-KEPT:]
    keep = {digest, *good, *(static for _, static in had[-KEPT:] if static)}
    return keep, {static for _, static in had[-3 * KEPT :] if static} - keep


def _differing(files: Sequence[StaticFile], there: Mapping[str, Any]) -> list[StaticFile]:
    """What is not there, or is there with other content, another type, or another time to be kept."""

    def same(file: StaticFile) -> bool:
        found = there.get(file.path)
        return found is not None and (found.digest, found.type, found.cache) == (
            file.digest,
            file.type,
            file.cache,
        )

    return [file for file in files if not same(file)]
