"""Whatever the plane touches of the emulator is pinned: a name it uses and does not list is found here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from gymops.local.plane import ministack

_PLANE = Path(ministack.__file__).parent
_SERVICES = "ministack.services."
_PREFIXES = {"_SERVICES": ministack._SERVICES, "_CFN": ministack._CFN}


def used(tree: ast.AST) -> Iterator[tuple[str, str, int]]:
    """Module, name and line of everything that is taken from one of the emulator's modules."""
    bound = dict(_bound(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (found := _module(node.value, bound)):
            yield found, node.attr, node.lineno
        if isinstance(node, ast.Call) and _called(node) == "wrap" and (found := _module(node.args[0], bound)):
            assert isinstance(node.args[1], ast.Constant)
            yield found, str(node.args[1].value), node.lineno


def private(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Names with an underscore that are looked up on something else than the object itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            on = node.value.id if isinstance(node.value, ast.Name) else ""
            if on not in {"self", "cls"}:
                yield node.attr, node.lineno


def _bound(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Variables that hold a module of the emulator."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign):
            continue
        target, value = node.targets[0], node.value
        pairs = (
            zip(target.elts, value.elts, strict=False)
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
            else [(target, value)]
        )
        for name, one in pairs:
            if isinstance(name, ast.Name) and (found := _module(one, {})):
                yield name.id, found


def _module(node: ast.expr, bound: dict[str, str]) -> str | None:
    if isinstance(node, ast.Name):
        return bound.get(node.id)
    if not isinstance(node, ast.Call):
        return None
    if _called(node) == "rds" and not node.args:
        return f"{_SERVICES}rds"
    if _called(node) not in {"service", "module"} or not node.args:
        return None
    name = _text(node.args[0])
    name = f"{_SERVICES}{name}" if _called(node) == "service" else name
    return name if name.startswith("ministack") else None  # botocore and hypercorn promise theirs


def _text(node: ast.expr) -> str:
    """A constant, or one of ministack.py's prefixes with a constant; nothing for a parameter."""
    if isinstance(node, ast.BinOp):
        return _text(node.left) + _text(node.right)
    if isinstance(node, ast.Name):
        return _PREFIXES.get(node.id, "")
    return str(node.value) if isinstance(node, ast.Constant) else ""


def _called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


_SOURCES = {str(file.relative_to(_PLANE)): ast.parse(file.read_text()) for file in _PLANE.rglob("*.py")}
_OURS = {
    node.attr
    for tree in _SOURCES.values()
    for node in ast.walk(tree)
    if isinstance(node, ast.Attribute)
    and isinstance(node.value, ast.Name)
    and node.value.id in {"self", "cls"}
}
_PINNED = {name.rpartition(".")[2] for names in ministack.INTERFACES.values() for name in names}
_PINNED |= {"_data"}  # of every mapping that is by account and region


@pytest.mark.parametrize("file", sorted(_SOURCES))
def test_what_is_used_of_the_emulator_is_pinned(file: str) -> None:
    lost = [
        f"{file}:{line}: {module}.{name} is used and not in INTERFACES"
        for module, name, line in used(_SOURCES[file])
        if name not in ministack.INTERFACES.get(module, {})
    ]
    lost += [
        f"{file}:{line}: {name} is used and not in INTERFACES"
        for name, line in private(_SOURCES[file])
        if name not in _PINNED | _OURS
    ]
    assert not lost, "\n".join(lost)


def test_what_is_pinned_is_used() -> None:
    uses = {(module, name) for tree in _SOURCES.values() for module, name, _ in used(tree)}
    text = "".join(file.read_text() for file in _PLANE.rglob("*.py") if file.name != "ministack.py")
    idle = [
        f"{module}.{name}"
        for module, names in ministack.INTERFACES.items()
        for name in names
        if (module, name) not in uses and f".{name.rpartition('.')[2]}" not in text
    ]
    assert not idle


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("ministack.service('rds')._new", ("ministack.services.rds", "_new")),
        ("a = ministack.module('ministack.app')\na._LOOP", ("ministack.app", "_LOOP")),
        ("a, b = ministack.service('x'), ministack.service('y')\nb.go()", ("ministack.services.y", "go")),
        ("ministack.wrap(records.rds(), '_xml', f)", ("ministack.services.rds", "_xml")),
        ("module(_CFN + 'stacks').run", ("ministack.services.cloudformation.stacks", "run")),
    ],
)
def test_a_use_is_seen_in_every_way_it_is_written(code: str, found: tuple[str, str]) -> None:
    assert found in {(module, name) for module, name, _ in used(ast.parse(code))}
