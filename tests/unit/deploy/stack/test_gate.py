"""Nothing that holds data goes because somebody said yes to a list."""

from __future__ import annotations

from typing import Any

import pytest

from gymops.deploy.rules.stateful import STATEFUL
from gymops.deploy.stack import kinds
from gymops.deploy.stack.gate import check, dangers, touched
from gymops.deploy.stack.port import NESTED, Change, Detail
from gymops.errors import GateRefused

DB = "AWS::RDS::DBInstance"
KEPT_KINDS = {
    "database": DB, "cluster": "AWS::RDS::DBCluster", "table": "AWS::DynamoDB::Table",
    "user pool": "AWS::Cognito::UserPool", "bucket": "AWS::S3::Bucket",
    "secret": "AWS::SecretsManager::Secret", "key": "AWS::KMS::Key",
    "vault": "AWS::Backup::BackupVault", "repository": "AWS::ECR::Repository",
}  # fmt: skip


def change(action: str, kind: str = DB, **given: Any) -> Change:
    return Change(action, given.pop("name", "Db"), kind, **given)


def prop(name: str, recreation: str = "") -> Detail:
    return Detail("Properties", name, f"/Properties/{name}", recreation)


@pytest.mark.parametrize("kind", KEPT_KINDS.values(), ids=KEPT_KINDS)
@pytest.mark.parametrize(
    ("action", "replacement"),
    [("Remove", ""), ("Modify", "True"), ("Modify", "Conditional")],
)
def test_removing_and_replacing_what_holds_data_is_refused(kind: str, action: str, replacement: str) -> None:
    found = dangers([change(action, kind, replacement=replacement)])
    with pytest.raises(GateRefused, match="Db") as refused:
        check(found, allowed=())
    assert "--allow-replace Db" in str(refused.value.hint)
    check(found, allowed=("Db",))


@pytest.mark.parametrize("kind", [*KEPT_KINDS.values(), "Custom::Thing", "AWS::SNS::Topic"])
def test_what_is_added_imported_or_changed_in_place_is_no_danger(kind: str) -> None:
    changes = [change("Add", kind), change("Import", kind), change("Modify", kind, replacement="False")]
    assert dangers(changes) == ()


def test_what_holds_nothing_may_go() -> None:
    kind = "AWS::SNS::Topic"
    assert dangers([change("Remove", kind), change("Modify", kind, replacement="True")]) == ()


@pytest.mark.parametrize("kind", ["Custom::Database", "Acme::Store::Thing", "", "AWS::RDS::Misspelt"])
def test_an_unknown_type_counts_as_holding_data(kind: str) -> None:
    assert len(dangers([change("Remove", kind), change("Modify", kind, replacement="True")])) == 2


@pytest.mark.parametrize("action", ["Dynamic", "SyncWithActual", "Explode", ""])
def test_an_unknown_action_counts_as_dangerous(action: str) -> None:
    (found,) = dangers([change(action)])
    assert "not known here" in found.what


def test_the_properties_that_cause_it_are_named_once() -> None:
    details = (prop("Engine", "Conditionally"), prop("DBName", "Always"), prop("DBName", "Always"))
    (found,) = dangers([change("Modify", replacement="True", details=details)])
    assert found.because == ("DBName",)
    assert str(found).startswith("Db (AWS::RDS::DBInstance) would be replaced because of DBName")


def test_where_the_change_set_is_silent_the_schema_tells() -> None:
    def judged(*names: str, kind: str = DB) -> list[str]:
        found = dangers([change("Modify", kind, details=tuple(map(prop, names)))])
        return [one.what for one in found]

    assert judged("MasterUsername") == ["would be replaced"]
    assert judged("Engine") == ["may be replaced"]
    assert judged("DBInstanceClass") == []
    assert judged() == ["may be replaced: nothing says that it would not"]
    assert judged("Anything", kind="Custom::Thing") == ["may be replaced: nothing says that it would not"]


def test_what_the_change_set_says_counts_more_than_the_schema() -> None:
    details = (prop("DBInstanceClass"),)
    assert len(dangers([change("Modify", replacement="Conditional", details=details)])) == 1
    assert dangers([change("Modify", replacement="False", details=(prop("MasterUsername"),))]) == ()


def test_a_policy_that_keeps_the_old_one_is_said_and_is_no_way_through() -> None:
    retained, snapshot = dangers(
        [change("Remove", policy="Retain"), change("Modify", replacement="True", policy="ReplaceAndSnapshot")]
    )
    assert "left behind" in retained.kept
    assert "snapshot" in snapshot.kept
    with pytest.raises(GateRefused):
        check([retained, snapshot], allowed=())


def test_the_template_tells_the_policy_where_the_change_set_does_not() -> None:
    present = {"Resources": {"Db": {"Type": DB, "DeletionPolicy": "RetainExceptOnCreate"}}}
    (found,) = dangers([change("Remove")], present)
    assert "left behind" in found.kept


def test_a_changed_type_replaces_what_was_there() -> None:
    present = {"Resources": {"Db": {"Type": DB}}}
    (found,) = dangers([change("Modify", "AWS::SNS::Topic", replacement="False")], present)
    assert "replaced by a AWS::SNS::Topic" in found.what


def test_nested_stacks_are_looked_into_and_an_opaque_one_is_a_danger() -> None:
    inside = change("Remove", name="Db", within="Data")
    seen = change("Modify", NESTED, name="Data", replacement="False", change_set="arn:inner")
    (found,) = dangers([seen, inside])
    assert found.name == "Data/Db"
    with pytest.raises(GateRefused, match="Data/Db") as refused:
        check([found], allowed=("Db",))
    assert "--allow-replace Data/Db" in str(refused.value.hint)
    (opaque,) = dangers([change("Modify", NESTED, name="Data", replacement="False")])
    assert "does not say how" in opaque.what
    (removed,) = dangers([change("Remove", NESTED, name="Data")])
    assert removed.what == "would be removed"


def test_every_refusal_is_in_one_message_with_every_flag() -> None:
    found = dangers([change("Remove", name="A"), change("Remove", name="B"), change("Remove", name="C")])
    with pytest.raises(GateRefused) as refused:
        check(found, allowed=("B",))
    assert "--allow-replace A --allow-replace C" in str(refused.value.hint)
    assert "--yes is no answer" in str(refused.value.hint)


def test_any_change_to_what_holds_data_asks_for_a_snapshot() -> None:
    small = change("Modify", replacement="False", details=(prop("DBInstanceClass"),))
    assert touched([small, change("Add", name="New"), change("Remove", "AWS::SNS::Topic")]) == (small,)


def test_the_types_that_hold_data_exist_and_none_of_the_linter_s_is_forgotten() -> None:
    assert [kind for kind in kinds.DATA if not kinds.known(kind)] == []
    assert {"AWS::CertificateManager::Certificate"} == STATEFUL - kinds.DATA
