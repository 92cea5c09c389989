"""What the doctor says of an account, healthy or broken in each way, before the first deploy and after."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gymops.aws.domains import Holder, Record, Zone
from gymops.aws.engines import Engine
from gymops.aws.quotas import Usage
from gymops.aws.session import AwsError
from gymops.aws.stack import StackResource
from gymops.config import Environment
from gymops.deploy.doctor import doctor
from gymops.deploy.doctor.findings import Check, Finding, Verdict, examine, ok
from tests.unit.clocks import START
from tests.unit.deploy.doctor.healthy import ACCOUNT, CERTIFICATE, NAMES, PARAMETERS, ROLE, Account

OK, WARNING, FAILED, UNTOLD = Verdict.OK, Verdict.WARNING, Verdict.FAILED, Verdict.UNTOLD
DISTRIBUTION = StackResource("Distribution", "AWS::CloudFront::Distribution", "EOURS", "CREATE_COMPLETE")


@pytest.fixture
def account() -> Account:
    return Account()


def test_before_the_first_deploy_of_a_healthy_account_all_is_ok(account: Account) -> None:
    found = account.look()
    assert {one.verdict for one in found.findings} == {OK}, found.as_dict()
    assert (found.exit_code, found.untold) == (0, ())
    assert list(dict.fromkeys(one.check for one in found.findings)) == [
        "credentials", "clock", "stacks", "permissions", "quotas", "service-linked roles", "domains",
        "aliases", "certificate", "versions",
    ]  # fmt: skip


def test_after_it_too(account: Account) -> None:
    account.certificate()
    account.stacks["prod-gym-app"] = [DISTRIBUTION]
    account.stacks["gym-app-base"] = []
    assert {one.verdict for one in account.look().findings} == {OK}, account.look().as_dict()


def test_a_template_and_an_app_that_are_not_ours(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text(
        "Parameters: {Runtime: {Type: String}}\n"
        "Resources: {Function: {Type: AWS::Lambda::Function, Properties: {Runtime: !Ref Runtime}}}\n"
    )
    own = Environment(account=ACCOUNT, region="eu-central-1")
    found = Account("qa", own, template).look()
    assert found.exit_code == 0
    assert "python3.12, until 2028-10-31" in {one.found for one in found.findings}


def test_what_is_not_told_is_never_ok_and_hides_nothing(account: Account) -> None:
    account.certificate()
    account.stacks["prod-gym-app"] = [DISTRIBUTION]
    everything = {one for one in dir(type(account.patient().iam)) if not one.startswith("_")} - {
        "zone_of",
        "events",
    }
    said = {"caller": "ExpiredToken", "denied": "AccessDenied", "usage": "Unreachable"}
    for method in everything:
        account.broken = {method: AwsError(f"{method} failed", reason=said.get(method, "InternalError"))}
        found = account.look()
        assert found.untold, method
        assert found.exit_code == 1, method
        others = {one.check for one in found.findings if one.check not in found.untold}
        assert len(others) >= 4, method


def test_each_error_is_shown_as_what_it_is(account: Account) -> None:
    account.broken = {
        "now": AwsError(
            "the clock: gone (ExpiredToken)", reason="ExpiredToken", hint="renew the credentials"
        ),
        "usage": AwsError("the service does not answer", reason="Unreachable", hint="in a VPC"),
        "distributions": AwsError("no (AccessDenied)", reason="AccessDenied", hint="the role's policy"),
        "engine": ValueError("strange"),
    }
    said = {one.check: (one.found, one.fix) for one in account.look().findings if one.verdict is UNTOLD}
    assert said["clock"] == ("the clock: gone (ExpiredToken)", "renew the credentials")
    assert "does not answer" in said["quotas"][0]
    assert said["quotas"][1].startswith("check the network")
    assert said["aliases"] == ("no (AccessDenied)", "the role's policy")
    assert said["versions"][0] == "internal error: ValueError: strange"


def test_a_check_that_does_not_end_in_time_hides_no_other() -> None:
    never = threading.Event()

    def slow() -> list[Finding]:
        never.wait(60)
        return []

    found = examine("prod", [Check("slow", slow), Check("quick", lambda: [ok("fine")])], seconds=0.3)
    never.set()
    assert [(one.check, one.verdict) for one in found.findings] == [("slow", UNTOLD), ("quick", OK)]


def test_what_will_break_a_deploy_outweighs_what_could_not_be_told(account: Account) -> None:
    account.broken = {"usage": AwsError("no answer", reason="Unreachable")}
    account.off = timedelta(minutes=10)
    assert (account.look().exit_code, account.look().untold) == (3, ("quotas",))


def test_on_the_local_aws_there_is_less_to_tell_and_that_is_no_failure() -> None:
    found = Account(own=Environment()).look()
    skipped = [one.check for one in found.findings if one.verdict is Verdict.SKIPPED]
    assert skipped == [
        "permissions", "quotas", "service-linked roles", "domains", "aliases", "certificate"
    ]  # fmt: skip
    assert found.exit_code == 0


def test_credentials_of_another_account_of_root_or_that_end_soon(account: Account) -> None:
    account.number = "444444444444"
    assert account.worst("credentials").verdict is FAILED
    account = Account()
    account.arn = f"arn:aws:iam::{ACCOUNT}:root"
    assert account.worst("credentials").verdict is WARNING
    assert [one.verdict for one in account.of("permissions")] == [OK]
    account = Account()
    account.expires = START + timedelta(minutes=20)
    found = account.worst("credentials")
    assert (found.verdict, found.found) == (WARNING, "they end in 20 minutes")
    assert found.fix.startswith("aws sso login --profile prod")
    account = Account(own=Environment(profile="prod", parameters=PARAMETERS))
    assert f'account = "{ACCOUNT}"' in account.worst("credentials").fix


@pytest.mark.parametrize(("seconds", "verdict"), [(20, OK), (-90, WARNING), (400, FAILED), (-400, FAILED)])
def test_the_clock(account: Account, seconds: int, verdict: Verdict) -> None:
    account.off = timedelta(seconds=seconds)
    (found,) = account.of("clock")
    assert found.verdict is verdict
    assert verdict is OK or ("behind" in found.found) is (seconds > 0)


@pytest.mark.parametrize(
    ("status", "verdict", "says"),
    [
        ("UPDATE_COMPLETE", OK, "at rest: prod-gym-app"),
        ("UPDATE_IN_PROGRESS", WARNING, "a deploy waits for it"),
        ("UPDATE_ROLLBACK_FAILED", WARNING, "goes on with the rollback first"),
        ("ROLLBACK_FAILED", FAILED, "holds data: Db"),
        ("IMPORT_ROLLBACK_FAILED", FAILED, "no operation leads out of"),
    ],
)
def test_a_stack_that_is_stuck(account: Account, status: str, verdict: Verdict, says: str) -> None:
    account.stacks["prod-gym-app"] = [StackResource("Db", "AWS::RDS::DBInstance", "db", "CREATE_COMPLETE")]
    account.states["prod-gym-app"] = status
    (found,) = account.of("stacks")
    assert (found.verdict, says in found.found) == (verdict, True), found
    assert verdict is OK or "stuck-stack" in found.fix


def test_a_session_s_role_is_simulated_with_its_path(account: Account) -> None:
    assert account.look().exit_code == 0
    assert {principal for principal, _, _ in account.asked} == {ROLE}
    account.roles = {}
    account.asked.clear()
    account.look()
    assert {principal for principal, _, _ in account.asked} == {f"arn:aws:iam::{ACCOUNT}:role/deployer"}


def test_a_permission_that_is_missing(account: Account) -> None:
    account.forbidden = {"rds:CreateDBInstance"}
    found = account.worst("permissions")
    assert (found.verdict, "rds:CreateDBInstance" in found.found) == (FAILED, True)
    assert "gymops doctor prod --policy" in found.fix
    account.forbidden = {"lambda:InvokeFunction"}
    assert "gymops itself" in account.worst("permissions").found
    account.forbidden = {"lambda:PutRuntimeManagementConfig"}  # of a property that may not be set
    assert account.worst("permissions").verdict is WARNING


def test_what_is_allowed_on_the_environment_s_own_resources_only_is_allowed(account: Account) -> None:
    account.scoped = {"lambda:CreateFunction", "s3:PutObject"}
    assert {one.verdict for one in account.of("permissions")} == {OK}
    account.scoped = {"ec2:CreateVpc"}  # nobody can name a VPC before it is there
    assert account.worst("permissions").verdict is FAILED


def test_where_simulating_is_denied_the_permission_for_it_is_named(account: Account) -> None:
    account.broken = {"denied": AwsError("not for you (AccessDenied)", reason="AccessDenied")}
    found = account.worst("permissions")
    assert (found.verdict, "iam:SimulatePrincipalPolicy" in found.fix) == (UNTOLD, True)
    account = Account()
    account.arn = f"arn:aws:sts::{ACCOUNT}:federated-user/mara"
    assert account.worst("permissions").verdict is UNTOLD


def test_a_quota_counts_what_is_there_and_what_will_come(account: Account) -> None:
    account.used = {"AWS::EC2::VPC": Usage(5, 5, "vpc L-F678F1CE")}
    found = account.worst("quotas")
    assert (found.verdict, found.found) == (FAILED, "EC2 VPC in us-west-1: 5 there, 1 to come, 5 allowed")
    assert "--service-code vpc --quota-code L-F678F1CE --desired-value 6 --region us-west-1" in found.fix
    account.stacks["prod-gym-app"] = [StackResource("Vpc", "AWS::EC2::VPC", "vpc-1", "CREATE_COMPLETE")]
    assert {one.verdict for one in account.of("quotas")} == {OK}


def test_a_new_account_has_ten_functions_at_once(account: Account) -> None:
    account.lambdas = Usage(0, 10, "lambda L-B99A9384")
    found = account.worst("quotas")
    assert "--service-code lambda --quota-code L-B99A9384 --desired-value 1" in found.fix
    reserves = any("reserve" in one.found and one.verdict is FAILED for one in account.of("quotas"))
    assert found.verdict is (FAILED if reserves else WARNING)


def test_reserved_concurrency_must_leave_a_hundred(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text(
        "Resources: {F: {Type: AWS::Lambda::Function, Properties: {ReservedConcurrentExecutions: 5}}}\n"
    )
    account = Account("qa", Environment(account=ACCOUNT, region="eu-central-1"), template)
    account.lambdas = Usage(0, 100, "lambda L-B99A9384")
    assert account.worst("quotas").verdict is FAILED
    account.lambdas = Usage(0, 105, "lambda L-B99A9384")
    assert {one.verdict for one in account.of("quotas")} == {OK}


def test_a_service_linked_role_that_is_not_there(account: Account) -> None:
    account.linked = False
    found = [one for one in account.of("service-linked roles") if one.verdict is WARNING]
    assert "aws iam create-service-linked-role --aws-service-name rds.amazonaws.com" in {
        one.fix for one in found
    }
    assert account.look().exit_code == 0


def test_a_zone_that_is_not_there_private_or_another_s(account: Account) -> None:
    del account.zones["Z1"]
    assert {one.verdict for one in account.of("domains")} >= {FAILED}
    account = Account()
    account.zones["Z1"] = replace(account.zones["Z1"], servers=frozenset())
    assert "private" in account.worst("domains").found
    account = Account()
    account.zones["Z1"] = Zone("Z1", "other.com", account.zones["Z1"].servers)
    account.named["other.com"] = account.zones["Z1"].servers
    assert {one.verdict for one in account.of("domains")} >= {FAILED}


def test_a_zone_that_the_world_does_not_ask(account: Account) -> None:
    account.named["titantrakr.com"] = frozenset()
    found = account.worst("domains")
    assert (found.verdict, "names no servers" in found.found) == (FAILED, True)
    assert "ns-1.awsdns-01.com ns-2.awsdns-02.net" in found.fix
    account.named["titantrakr.com"] = frozenset({"dns1.registrar.com"})
    assert "the world asks dns1.registrar.com" in account.worst("domains").found
    account.named["titantrakr.com"] = frozenset({"ns-1.awsdns-01.com"})
    assert account.worst("domains").verdict is WARNING
    account.named["titantrakr.com"] |= {"dns1.registrar.com", "ns-2.awsdns-02.net"}
    assert "dns1.registrar.com is another's" in account.worst("domains").found


def test_a_name_whose_zone_no_parameter_names() -> None:
    account = Account(own=Environment(profile="prod", account=ACCOUNT))
    found = [one for one in account.of("domains") if one.verdict is WARNING]
    assert "this account's zone Z1 holds it" in " ".join(one.found for one in found)
    account.zones = {}
    assert {one.verdict for one in account.of("domains")} == {WARNING}


def test_a_name_that_another_distribution_holds(account: Account) -> None:
    account.held = [Holder("EOTHER", "", NAMES[0]), Holder("ENOT", "", "elsewhere.com")]
    found = account.worst("aliases")
    assert (found.verdict, "EOTHER" in found.found) == (FAILED, True)
    account.held = [Holder("EOURS", "", NAMES[0])]
    account.stacks["prod-gym-app"] = [DISTRIBUTION]
    assert {one.verdict for one in account.of("aliases")} == {OK}
    account.foreign = [Holder("***********ABCDE", "******112233", NAMES[1])]
    found = account.worst("aliases")
    assert (found.verdict, "account ******112233" in found.found) == (FAILED, True)
    assert f"associate-alias --target-distribution-id EOURS --alias {NAMES[1]}" in found.fix


def test_a_certificate_that_waits_ends_does_not_cover_or_will_not_be_renewed(account: Account) -> None:
    waiting = Record(NAMES[0], "PENDING_VALIDATION", "_a.titantrakr.com.", "_b.acm-validations.aws.")
    account.certificate(status="PENDING_VALIDATION", records=(waiting,), ends=None)
    verdicts = {one.verdict: one for one in account.of("certificate")}
    assert verdicts[FAILED].fix == "make in DNS: _a.titantrakr.com. CNAME _b.acm-validations.aws."
    assert verdicts[WARNING].fix == "make _a.titantrakr.com. CNAME _b.acm-validations.aws."
    account.certificate(names=("titantrakr.com", "*.titantrakr.com"))
    assert "does not cover traktitan.com, tritontracker.com" in account.worst("certificate").found
    account.certificate(ends=START + timedelta(days=10))
    assert account.worst("certificate").verdict is WARNING
    account.certificate(ends=START - timedelta(days=1))
    assert account.worst("certificate").verdict is FAILED
    account.certificate()
    del account.cnames["_x.www.titantrakr.com"]
    assert "www.titantrakr.com: its validation record is not in DNS" in account.worst("certificate").found


def test_a_certificate_in_another_region(tmp_path: Path) -> None:
    arn = CERTIFICATE.replace("us-east-1", "eu-central-1")
    template = tmp_path / "template.yaml"
    template.write_text(
        "Resources: {D: {Type: AWS::CloudFront::Distribution, Properties: {DistributionConfig:"
        f' {{Aliases: [titantrakr.com], ViewerCertificate: {{AcmCertificateArn: "{arn}"}}}}}}}}}}\n'
    )
    account = Account("qa", Environment(account=ACCOUNT, region="eu-central-1"), template)
    found = [one.found for one in account.of("certificate") if one.verdict is FAILED]
    assert found == [
        f"{arn} is not in us-east-1, and CloudFront takes one from there only",
        f"there is no certificate {arn}",
    ]


@pytest.mark.parametrize(
    ("runtime", "verdict"),
    [("python2.7", FAILED), ("python3.10", WARNING), ("python3.99", UNTOLD), ("python3.13", OK)],
)
def test_a_runtime_that_lambda_gives_up(account: Account, runtime: str, verdict: Verdict) -> None:
    account.clock.sleep(330 * 86400)  # the end of November 2026
    found = doctor(replace(account.patient(), runtime=runtime))
    (told,) = (one for one in found.findings if one.check == "versions" and runtime in one.found)
    assert told.verdict is verdict


def test_a_database_version_that_is_not_offered_or_near_its_end(account: Account) -> None:
    account.engines = {}
    assert account.worst("versions").verdict is FAILED
    account.engines[("postgres", "17")] = Engine("17.1", "deprecated", None)
    assert account.worst("versions").verdict is FAILED
    account.engines[("postgres", "17")] = Engine("17.6", "available", START + timedelta(days=30))
    assert account.worst("versions").verdict is WARNING


def test_a_record_of_a_later_gymops(account: Account) -> None:
    account.stacks["gym-app-base"] = []
    account.store.create("releases/prod/00000001.json", b'{"schema": 99}')
    assert account.worst("versions").verdict is FAILED
