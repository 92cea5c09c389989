"""``gymops cost`` as it is typed: what it names, what it refuses, and what it prints."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gymops.cli import main
from gymops.cost import usage
from gymops.deploy.template import names

OURS = """
architecture = "titan-trakr"

[environments.prod]
profile = "acme"

[environments.prod.parameters]
Nat = "true"
DatabaseClass = "db.t4g.medium"
"""

Cost = Callable[..., tuple[int, str]]


@pytest.fixture
def cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Cost:
    """Run the command in an empty directory: its exit code, and all it printed."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(["cost", *words])
        printed = capfd.readouterr()
        return int(str(ended.value.code)), printed.out + printed.err

    return run


def document(cost: Cost, *words: str) -> Any:
    code, printed = cost(*words, "--json")
    assert code == 0, printed
    return json.loads(printed)


def test_an_architecture_is_reckoned_beside_its_document(cost: Cost) -> None:
    code, printed = cost("titan-trakr")
    assert code == 0
    lines = printed.splitlines()
    assert lines[0].startswith("titan-trakr prod, us-west-1: 6")
    assert lines[0].endswith("its document says 31.50")
    table = [line.split() for line in lines[5 : lines.index("Why they differ:") - 2]]
    amounts = [Decimal(next(word for word in row if "." in word and word[0].isdigit())) for row in table]
    assert amounts == sorted(amounts, reverse=True)
    assert "Without a price, and not in the total:" in lines
    assert any("price: " in line and line.startswith("* no source has us-west-1's") for line in lines)


def test_the_document_of_json_adds_up(cost: Cost) -> None:
    found = document(cost, "titan-trakr")
    total = sum(Decimal(line["usd"]) for line in found["lines"])
    more = sum(Decimal(one["more"]) for one in found["document"]["differences"])
    assert Decimal(found["total"]) == total == Decimal(found["document"]["sum"]) + more
    assert (found["profile"], found["prices_as_of"]) == ("current", "2026-11-21")


def test_without_a_name_every_step_of_every_architecture_stands_there(cost: Cost) -> None:
    found = document(cost)["bills"]
    steps = [(name, step) for name in names() for step in usage.names(name)]
    assert [(bill["architecture"], bill["profile"]) for bill in found] == steps
    assert len(cost()[1].splitlines()) == len(steps) + 2


def test_an_environment_has_the_parameters_of_gymops_toml(cost: Cost) -> None:
    Path("gymops.toml").write_text(OURS, encoding="utf-8")
    services = {line["service"]: line for line in document(cost, "prod")["lines"]}
    assert "NAT" in services
    assert "db.t4g.medium, 730 h" in [line["what"] for line in document(cost)["lines"]]
    assert (
        document(cost)["total"] == document(cost, "prod")["total"] == document(cost, "titan-trakr")["total"]
    )
    assert document(cost, "staging")["environment"] == "staging"


def test_a_template_of_ones_own_is_reckoned_in_a_modest_month(cost: Cost) -> None:
    Path("infra.yaml").write_text("Resources: {Key: {Type: AWS::KMS::Key}}", encoding="utf-8")
    found = document(cost, "./infra.yaml")
    usd = {line["service"]: line["usd"] for line in found["lines"] if line["usd"] != "0.00"}
    assert (found["profile"], usd["KMS"], found["document"]) == ("modest", "1.00", None)
    assert set(usd) == {"KMS", "ECR", "S3"}  # releases are kept somewhere


def test_usage_replaces_a_number_and_says_what_nothing_uses(cost: Cost) -> None:
    more = document(cost, "titan-trakr", "--usage", "transfer_gb=2_000", "--usage", "nat_gb=10")
    assert more["unused"] == ["nat_gb"]
    assert Decimal(more["total"]) == Decimal(document(cost, "titan-trakr")["total"]) + 85


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("10k-dau", [("titan-trakr", "prod", "current"), ("titan-trakr", "prod", "10k-dau")]),
        ("staging", [("titan-trakr", "prod", "current"), ("titan-trakr", "staging", "current")]),
        ("lifestyle-phased", [("titan-trakr", "prod", "current"), ("lifestyle-phased", "prod", "current")]),
    ],
)
def test_a_comparison_is_with_a_profile_an_environment_or_an_architecture(
    cost: Cost, what: str, names: list[tuple[str, str, str]]
) -> None:
    Path("gymops.toml").write_text('architecture = "titan-trakr"\n', encoding="utf-8")
    found = document(cost, "prod", "--compare", what)
    assert [(one["architecture"], one["environment"], one["profile"]) for one in found["bills"]] == names
    for side in 0, 1:
        shown = sum(Decimal(one["usd"][side] or 0) for one in found["differences"])
        assert shown == Decimal(found["bills"][side]["total"])
    code, printed = cost("prod", "--compare", what)
    assert (code, "difference" in printed) == (0, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("titan-trakt",), "did you mean titan-trakr?"),
        (("titan-trakr", "--profile", "10k"), "did you mean 10k-dau?"),
        (("titan-trakr", "--environment", "qa"), "its environments: local, prod, staging"),
        (("titan-trakr", "--usage", "request=5"), "did you mean requests?"),
        (("titan-trakr", "--usage", "requests=many"), "is no number"),
        (("titan-trakr", "--usage", "requests=-1"), "between 0 and"),
        (("titan-trakr", "--usage", "requests=NaN"), "between 0 and"),
        (("titan-trakr", "--compare", "nothing"), "no environment and no architecture"),
        (("./missing",), "there is no such folder or template"),
        (("--profile", "current"), "gymops cost titan-trakr"),
    ],
)
def test_what_is_wrong_is_said_with_what_would_be_right(
    cost: Cost, words: tuple[str, ...], said: str
) -> None:
    code, printed = cost(*words)
    assert code == 2
    assert said in printed
