"""What of ECR's lifecycle policies may take a released image away."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gymops.deploy.verbs.lifecycle import threats

RELEASED = frozenset({"keep-sha256-0123456789ab", "staging"})
VERSIONED = frozenset({"keep-sha256-ba9876543210", "v1.2"})


def policy(**selection: Any) -> str:
    counted = {"countType": "imageCountMoreThan", "countNumber": 100_000, **selection}
    return json.dumps({"rules": [{"rulePriority": 3, "selection": counted, "action": {"type": "expire"}}]})


@pytest.mark.parametrize(
    "selection",
    [
        {"tagStatus": "untagged"},
        {"tagStatus": "tagged", "tagPrefixList": ["pr-"]},
        {"tagStatus": "tagged", "tagPrefixList": ["keep-sha256-0", "pr-"]},
        {"tagStatus": "tagged", "tagPatternList": ["pr-*"]},
        {"tagStatus": "tagged", "tagPatternList": ["stag"]},
        {"tagStatus": "tagged", "tagPatternList": ["*-sha256-*", "v1*2*3"]},
        {"tagStatus": "tagged", "tagPrefixList": ["staging", "v1"]},
    ],
)
def test_what_selects_no_release(selection: dict[str, Any]) -> None:
    assert not threats(policy(**selection), [RELEASED, VERSIONED])


@pytest.mark.parametrize(
    ("selection", "why"),
    [
        ({"tagStatus": "any"}, "tagStatus any selects them too"),
        ({"tagStatus": "tagged", "tagPrefixList": ["keep"]}, "keep* selects keep-sha256-0123456789ab"),
        ({"tagStatus": "tagged", "tagPrefixList": ["stag"]}, "stag* selects staging"),
        ({"tagStatus": "tagged", "tagPrefixList": ["v", "keep"]}, "v*, keep* selects v1.2, keep-sha256-ba98"),
        ({"tagStatus": "tagged", "tagPatternList": ["*"]}, "* selects"),
        ({"tagStatus": "tagged", "tagPatternList": ["*sha*ab"]}, "selects keep-sha256-0123456789ab"),
        ({"tagStatus": "tagged", "tagPatternList": ["staging"]}, "staging selects staging"),
        ({"tagStatus": "tagged"}, "its selection is not understood"),
        ({"tagStatus": "of a later ECR", "tagPrefixList": ["x"]}, "its selection is not understood"),
    ],
)
def test_what_may_select_one(selection: dict[str, Any], why: str) -> None:
    (found,) = threats(policy(**selection), [RELEASED, VERSIONED])
    assert found.rule == "rule 3"
    assert why in found.why


@pytest.mark.parametrize(
    "text", ["no JSON", "[]", '{"rules": [{}]}', '{"rules": [{"rulePriority": 1}]}', "{}"]
)
def test_what_is_not_understood_counts_as_one(text: str) -> None:
    assert threats(text, [RELEASED])


def test_the_policy_of_our_own_repository_lets_every_release_be() -> None:
    from gymops.deploy.template import architecture, compose

    base = compose(architecture("titan-trakr").stack("base").template)
    (repository,) = base.resources("AWS::ECR::Repository")
    assert not threats(repository.properties["LifecyclePolicy"]["LifecyclePolicyText"], [RELEASED])
