"""Small apps, wheels and locks to build from."""

from __future__ import annotations

import hashlib
import textwrap
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from gymops.config import App
from gymops.deploy.build import Places


def wheel(
    folder: Path,
    name: str,
    version: str = "1.0",
    *,
    tag: str = "py3-none-any",
    files: Mapping[str, bytes] | None = None,
    requires: Sequence[str] = (),
) -> Path:
    """A wheel with a module of the package's name; more files by path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-{tag}.whl"
    info = f"{name}-{version}.dist-info"
    needed = "".join(f"Requires-Dist: {one}\n" for one in requires)
    held = {
        f"{name}/__init__.py": f"VERSION = {version!r}\n".encode(),
        **(files or {}),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needed}".encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
        f"{info}/RECORD": b"written by another\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for inside, data in held.items():
            # With no time: a wheel made twice is the same.
            archive.writestr(zipfile.ZipInfo(inside), data, zipfile.ZIP_DEFLATED)
    return path


def lock(file: Path, wheels: Sequence[Path], markers: Mapping[str, str] | None = None) -> Path:
    """A lock of these wheels, by hash."""
    lines = []
    for path in wheels:
        name, version, *_ = path.name.split("-")
        marker = f" ; {markers[name]}" if markers and name in markers else ""
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        lines.append(f"{name}=={version}{marker} \\\n    --hash=sha256:{digest}\n")
    file.write_text("".join(lines), encoding="utf-8")
    return file


def tree(folder: Path, files: Mapping[str, str]) -> Path:
    """Files by path, their text without its indentation."""
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")
    return folder


SHOP = {
    "shop/__init__.py": "",
    "shop/main.py": """
        import greeting
        from helpers.words import WORD

        def handler(event, context):
            return {"said": f"{WORD} {greeting.VERSION}", "event": event}
        """,
    "shop/words.txt": "one\n",
    "helpers/__init__.py": "",
    "helpers/words.py": "WORD = 'hello'\n",
    "helpers/unused.py": "WORD = 'nobody asked'\n",
    "migrations/0001.sql": "select 1;\n",
    "tests/test_shop.py": "def test(): ...\n",
    "README.md": "of no use there\n",
    ".env": "PASSWORD=never\n",
    "shop/__pycache__/main.cpython-311.pyc": "stale",
}


def shop(folder: Path, **changes: object) -> App:
    """An app that is not ours, with one dependency named greeting."""
    tree(folder, SHOP)
    index = folder.parent / "index"
    lock(folder / "requirements.lock", [wheel(index, "greeting")])
    known: dict[str, object] = {
        "packages": ("shop",),
        "handler": "shop.main.handler",
        "name": "shop",
        "source": folder,
        "lock": folder / "requirements.lock",
        "files": ("migrations/**",),
    }
    return App(**{**known, **changes})  # type: ignore[arg-type]


def places(folder: Path, environ: Mapping[str, str] | None = None) -> Places:
    """Everything below one folder, and silence."""
    return Places(folder / "out", folder / "cache", environ or {}, lambda _: None)
