"""The application's own files: its packages whole, what they import of their surroundings, and what is named.

Caches, tests and what version control keeps never get in. What lies on the disk and cannot be told apart
from a mistake (a link that leads out, a file that cannot be read) is an error and not left out.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from gymops.config import App
from gymops.deploy.build.entry import Entry
from gymops.deploy.build.failures import BuildError
from gymops.deploy.build.imports import Modules
from gymops.deploy.build.patterns import matches

NEVER = (
    "**/__pycache__/**", "**/*.pyc", "**/*.pyo", "**/*.egg-info/**", "**/.DS_Store", "**/*.swp", "**/*~",
    "**/.git/**", "**/.hg/**", "**/.svn/**", "**/.gitignore", "**/.gitattributes", "**/.gitkeep",
    "**/.mypy_cache/**", "**/.ruff_cache/**", "**/.pytest_cache/**", "**/.hypothesis/**", "**/.coverage",
    "**/.venv/**", "**/venv/**", "**/node_modules/**", "**/.gymops/**",
    "**/tests/**", "**/test/**", "**/test_*.py", "**/*_test.py", "**/conftest.py",
)  # fmt: skip
"""Left out of every artefact, whatever is asked for."""
NEVER_STATIC = tuple(
    one for one in NEVER if not one.startswith(("**/test", "**/*_test", "**/conftest", "**/venv"))
)
"""The same among files that are only read: a page may be called ``tests``."""


def collect(app: App) -> list[Entry]:
    """Every file of the application, by path.

    Raises:
        BuildError: a package is missing, a link leads out of the sources, or something cannot be read.
    """
    tree = _Tree(app.source, (*NEVER, *app.exclude))
    modules = Modules(tree.root, kept=tree.wanted)
    found: dict[str, Path] = {}
    for name in app.packages:
        found |= {path: file for path, file in tree.package(name) if tree.wanted(path)}
    for pattern in app.files:
        matched = {path: file for path, file in tree.named(pattern) if tree.wanted(path)}
        if not matched:
            raise BuildError(
                f"{pattern}: no file of {app.source} matches", hint="mend `files` of [app] in gymops.toml"
            )
        found |= matched
    named = [path for name in app.modules for path in modules.files(name)]
    for path in sorted(modules.reached_from([*found, *named]) - set(found)):
        found[path] = tree.checked(tree.root / path)
        found |= {near: file for near, file in tree.beside(path) if tree.wanted(near)}
    return [_entry(path, found[path]) for path in sorted(found)]


def collect_static(app: App) -> list[Entry]:
    """Every static file, by its path in their folder; none if the app names no such folder.

    Raises:
        BuildError: the folder is missing, a link leads out of it, or something cannot be read.
    """
    if app.static is None:
        return []
    root = app.source / app.static
    if not app.static.parts or app.static.is_absolute() or ".." in app.static.parts or not root.is_dir():
        raise BuildError(
            f"{root}: no such folder below {app.source}",
            hint="build the pages first, or mend `static` of [app] in gymops.toml",
        )
    tree = _Tree(root, (*NEVER_STATIC, *app.exclude), below=f"{app.static.as_posix()}/")
    return [_entry(path, file) for path, file in sorted(tree.files(root, deep=True))]


class _Tree:
    """The folder the sources lie in, and nothing outside it."""

    def __init__(self, root: Path, exclude: Sequence[str], *, below: str = "") -> None:
        self.root = root
        self._real = root.resolve()
        self._exclude = exclude
        self._below = below
        """Where the folder lies, for patterns that start further up."""
        if not self.root.is_dir():
            raise BuildError(f"{root}: no such folder", hint="mend `source` of [app] in gymops.toml")

    def wanted(self, path: str) -> bool:
        return not matches(f"{self._below}{path}", self._exclude)

    def package(self, name: str) -> Iterator[tuple[str, Path]]:
        """A package with all it holds, or a module."""
        base = self.root.joinpath(*name.split("."))
        if base.is_dir():
            yield from self.files(base, deep=True)
            return
        module = base.with_suffix(".py")
        if not module.is_file():
            raise BuildError(
                f"{name}: no such package in {self.root}", hint="mend `package` of [app] in gymops.toml"
            )
        yield self._path(module), self.checked(module)

    def named(self, pattern: str) -> Iterator[tuple[str, Path]]:
        """Files by a pattern such as ``migrations/**``; only folders that can hold one are read."""
        fixed = Path(*_fixed(pattern))
        if fixed.is_absolute() or ".." in fixed.parts:
            raise BuildError(f"{pattern}: leads out of {self.root}", hint="name files below `source`")
        base = self.root / fixed
        if base.is_dir():
            yield from ((p, f) for p, f in self.files(base, deep=True) if matches(p, (pattern,)))
        elif base.exists() or base.is_symlink():
            yield self._path(base), self.checked(base)

    def beside(self, module: str) -> Iterator[tuple[str, Path]]:
        """What lies beside a module and is read by it: SQL, schemas, a list of words."""
        folder = (self.root / module).parent
        if folder != self.root:
            yield from ((p, f) for p, f in self.files(folder, deep=False) if not p.endswith(".py"))

    def files(self, folder: Path, *, deep: bool, above: tuple[Path, ...] = ()) -> Iterator[tuple[str, Path]]:
        """The regular files of a folder, links resolved."""
        real = self._inside(folder)
        if real in above:
            raise BuildError(f"{folder}: a link to a folder that it lies in", hint="remove the link")
        try:
            names = sorted(entry.name for entry in os.scandir(folder))
        except OSError as error:
            raise _unreadable(folder, error) from None
        for name in names:
            path = folder / name
            if not self.wanted(self._path(path)) or not self.wanted(f"{self._path(path)}/x"):
                continue
            if path.is_dir():
                if deep:
                    yield from self.files(path, deep=True, above=(*above, real))
            else:
                yield self._path(path), self.checked(path)

    def checked(self, path: Path) -> Path:
        """A file that is one, inside the sources, and can be read."""
        real = self._inside(path)
        try:
            mode = real.stat().st_mode
        except OSError as error:
            raise _unreadable(path, error) from None
        if not stat.S_ISREG(mode):
            raise BuildError(
                f"{path}: neither a file nor a folder", hint="remove it, or `exclude` it in [app]"
            )
        return real

    def _inside(self, path: Path) -> Path:
        real = path.resolve()
        if not real.is_relative_to(self._real):
            raise BuildError(
                f"{path}: a link that leads out of {self.root}",
                hint="copy what it points to, or `exclude` it in [app] of gymops.toml",
            )
        return real

    def _path(self, path: Path) -> str:
        relative = path.relative_to(self.root).as_posix()
        try:
            relative.encode()
        except UnicodeEncodeError:
            raise BuildError(f"{relative!r}: a name that is no UTF-8", hint="rename the file") from None
        return relative


def _fixed(pattern: str) -> list[str]:
    """The folders a pattern names before its first wildcard."""
    parts: list[str] = []
    for part in pattern.split("/"):
        if any(sign in part for sign in "*?["):
            break
        parts.append(part)
    return parts if not pattern.startswith("/") else ["/", *parts]


def _entry(path: str, file: Path) -> Entry:
    return Entry(path, partial(_read, file), bool(file.stat().st_mode & stat.S_IXUSR), file)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise _unreadable(file, error) from None


def _unreadable(path: Path, error: OSError) -> BuildError:
    return BuildError(
        f"{path}: cannot be read: {error.strerror}", hint="mend its rights, or `exclude` it in [app]"
    )
