"""Secrets that are there: their stages, whose they are, and who names them."""

from __future__ import annotations

import json
import uuid

import pytest

from gymops.aws.account import Account
from gymops.aws.secrets import Keeper, Secret
from gymops.aws.session import AwsError
from tests.local_aws import Aws, unique, until

REGION = "us-east-1"


@pytest.fixture
def keeper(account: Account) -> Keeper:
    return Keeper(account)


@pytest.fixture
def secret(aws: Aws, keeper: Keeper) -> Secret:
    name = unique("session")
    aws.client("secretsmanager").create_secret(Name=name, SecretString="one")
    found = keeper.find(name, REGION)
    assert found
    return found


def text(aws: Aws, secret: Secret, stage: str = "AWSCURRENT") -> str:
    client = aws.client("secretsmanager")
    return str(client.get_secret_value(SecretId=secret.arn, VersionStage=stage)["SecretString"])


def again(keeper: Keeper, secret: Secret) -> Secret:
    found = keeper.find(secret.arn, REGION)
    assert found
    return found


def test_a_value_goes_through_its_stages_and_back(aws: Aws, keeper: Keeper, secret: Secret) -> None:
    old = secret.current
    assert (secret.pending, secret.function, secret.owner) == (None, None, None)
    new = keeper.pend(secret, {"PasswordLength": 40, "ExcludePunctuation": True}, None, str(uuid.uuid4()))
    assert text(aws, secret) == "one"
    assert len(text(aws, secret, "AWSPENDING")) == 40
    assert (again(keeper, secret).current, again(keeper, secret).pending) == (old, new)
    keeper.move(secret, "AWSCURRENT", new, old)
    assert again(keeper, secret).stages == {"AWSCURRENT": new, "AWSPENDING": new, "AWSPREVIOUS": old}
    with pytest.raises(AwsError):
        keeper.move(secret, "AWSCURRENT", new, old)  # it is elsewhere by now
    keeper.move(secret, "AWSCURRENT", old, new)
    keeper.move(secret, "AWSPENDING", None, new)
    assert again(keeper, secret).stages == {"AWSCURRENT": old, "AWSPREVIOUS": new}
    assert text(aws, secret) == "one"


def test_one_value_of_a_json_secret_is_generated_into_its_template(
    aws: Aws, keeper: Keeper, secret: Secret
) -> None:
    rule = {"SecretStringTemplate": '{"user": "app"}', "GenerateStringKey": "password", "PasswordLength": 20}
    keeper.pend(secret, rule, None, str(uuid.uuid4()))
    found = json.loads(text(aws, secret, "AWSPENDING"))
    assert (found["user"], len(found["password"])) == ("app", 20)


def test_what_is_not_there_or_waits_to_be_deleted_is_none(aws: Aws, keeper: Keeper, secret: Secret) -> None:
    assert keeper.find(unique("none"), REGION) is None
    aws.client("secretsmanager").delete_secret(SecretId=secret.arn)
    assert keeper.find(secret.arn, REGION) is None


@pytest.mark.long
def test_the_password_of_a_database_is_its_own_and_rds_renews_it(aws: Aws, keeper: Keeper) -> None:
    plain = aws.create_instance()
    assert keeper.master(plain, REGION) is None
    name = unique("db")
    aws.client("rds").create_db_instance(
        DBInstanceIdentifier=name, Engine="postgres", DBInstanceClass="db.t4g.micro", AllocatedStorage=20,
        MasterUsername="boss", ManageMasterUserPassword=True, DBName="app",
    )  # fmt: skip
    until(lambda: aws.instance(name)["DBInstanceStatus"] == "available")
    arn = keeper.master(name, REGION)
    assert arn
    before = keeper.find(arn, REGION)
    assert before
    assert before.owner == "rds"
    keeper.rotate(before, str(uuid.uuid4()))
    until(lambda: again(keeper, before).current != before.current)
    for one in (plain, name):
        aws.client("rds").delete_db_instance(DBInstanceIdentifier=one, SkipFinalSnapshot=True)
