"""The tracker's files behind CloudFront: kept there, and asked for again each time."""

from __future__ import annotations

import pytest

from gymops.app.main import STATIC
from gymops.deploy.template import architecture, compose
from tests.unit.app.api.doubles import client

FILES = sorted(file.relative_to(STATIC).as_posix() for file in STATIC.rglob("*") if file.is_file())


@pytest.mark.parametrize("path", ["", *FILES])
def test_no_file_is_taken_from_a_cache_unasked(path: str) -> None:
    answer = client().get(f"/{path}")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-cache"
    again = client().get(f"/{path}", headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304


def test_the_distribution_does_as_the_app_says_so_a_release_has_nothing_to_clear() -> None:
    template = compose(architecture("titan-trakr").stack("app").template)
    policy = template.body["Resources"]["StaticCache"]["Properties"]["CachePolicyConfig"]
    assert policy["MinTTL"] == 0
