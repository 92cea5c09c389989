"""A Dockerfile of one's own, built by buildah, released by its digest: as typed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gymops.deploy.artefact import load
from gymops.deploy.build.transfer import Layout, transfer
from tests.integration.build import registries
from tests.integration.build.registries import docker_registry, repository
from tests.integration.build.test_command import gymops
from tests.unit.build.making import tree

DOCKERFILE = 'FROM scratch\nCOPY server.js /app/server.js\nCMD ["node", "/app/server.js"]\n'


@pytest.mark.long
@pytest.mark.skipif(shutil.which("buildah") is None, reason="buildah is not installed")
@pytest.mark.skipif(registries.PROGRAM is None, reason="docker-registry is not installed")
def test_what_buildah_built_is_released_as_it_is(tmp_path: Path) -> None:
    settings = tmp_path / "storage.conf"
    settings.write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/graph"\nrunroot = "{tmp_path}/run"\n'
    )
    environ = {**os.environ, "CONTAINERS_STORAGE_CONF": str(settings), "BUILDAH_ISOLATION": "chroot"}
    toml = '[app]\nname = "shop"\narchive = "shop.tar"\n'
    app = tree(tmp_path / "app", {"Dockerfile": DOCKERFILE, "server.js": "listen()", "gymops.toml": toml})
    for line in ("build --tag shop .", "push shop oci-archive:shop.tar"):
        subprocess.run(["buildah", *line.split()], cwd=app, env=environ, check=True, capture_output=True)

    done = gymops(app, "build", "--arch", "host", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["kind"], document["app"]) == ("image", "shop")
    refused = gymops(app, "build", "--arch", "host", "--python", "3.12")
    assert (refused.returncode, "built already" in refused.stderr) == (2, True)

    folder = app / document["folder"]
    with docker_registry(tmp_path) as host:
        to = repository(f"{host}/team/shop")
        transfer(document["digest"], Layout(folder), to, "keep", lambda _: None)
        assert to.digest("keep") == document["digest"] == load(folder).digest
