"""What modules import of the folder they lie in, read from their text: nothing of the app is run."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from gymops.deploy.build.failures import BuildError


class Modules:
    """The modules of a folder, and which of them import which."""

    def __init__(self, root: Path, *, kept: Callable[[str], bool]) -> None:
        self._root = root
        self._kept = kept

    def reached_from(self, paths: Iterable[str]) -> set[str]:
        """These files (from the root) and all they import in turn.

        Imports inside functions count, those only a type checker sees do not. A module that is left out
        is not followed.

        Raises:
            BuildError: a module is no Python.
        """
        found: set[str] = set()
        waiting = [path for path in paths if path.endswith(".py")]
        while waiting:
            path = waiting.pop()
            if path in found or not self._kept(path):
                continue
            found.add(path)
            waiting.extend(self._imports(path))
        return found

    def _imports(self, path: str) -> Iterator[str]:
        file = self._root / path
        try:
            tree = ast.parse(file.read_bytes(), filename=path)
        except (SyntaxError, ValueError) as error:
            at = f":{error.lineno}" if isinstance(error, SyntaxError) else ""
            raise BuildError(
                f"{file}{at}: no Python that this Python can read: {error.args[0]}",
                hint="mend the file, or run gymops with a later Python",
            ) from None
        except OSError as error:
            raise BuildError(f"{file}: cannot be read: {error.strerror}", hint="mend its rights") from None
        parts = path.removesuffix(".py").split("/")
        package = parts[:-1]
        for node in _running(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield from self.files(alias.name)
            elif isinstance(node, ast.ImportFrom):
                above = package[: len(package) - node.level + 1] if node.level else []
                module = ".".join([*above, *(node.module or "").split(".")]).strip(".")
                yield from self.files(module)
                for alias in node.names:
                    yield from self.files(f"{module}.{alias.name}")

    def files(self, name: str) -> Iterator[str]:
        """A module's file and those of the packages around it, where they lie in the folder."""
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            base = self._root.joinpath(*parts[:depth])
            for file in (base / "__init__.py", base.with_name(f"{base.name}.py")):
                if file.is_file():
                    yield file.relative_to(self._root).as_posix()


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those under ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and _type_checking(child.test):
            for other in child.orelse:
                yield other
                yield from _running(other)
            continue
        yield child
        yield from _running(child)


def _type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", None)
    return name == "TYPE_CHECKING"
