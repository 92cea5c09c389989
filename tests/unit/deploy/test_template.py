"""Parts put together, and what architectures hold."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from gymops.app import container, database, settings
from gymops.app.database import TokenUrl
from gymops.app.secret import DatabaseUrl
from gymops.aws import secrets, tokens
from gymops.cli.payload import payload
from gymops.deploy import template as templates
from gymops.deploy.build.target import DEFAULT_PYTHON
from gymops.deploy.evaluate import evaluate
from gymops.deploy.syntax import TemplateError
from gymops.deploy.template import Place, Stack, architecture, compose, names
from gymops.errors import ConfigError
from tests.unit.deploy.shipped import stack, stacks, titan, values


def put(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder / "main.yaml"


PART = "Resources:\n\n  Topic:\n    Type: AWS::SNS::Topic\n"


def test_parts_become_one_template_that_knows_their_lines(tmp_path: Path) -> None:
    main = "Description: all\nParts: [part.yaml]\nResources:\n  Queue:\n    Type: AWS::SQS::Queue\n"
    made = compose(put(tmp_path, main=main, part=PART))
    assert json.loads(made.text) == made.body
    assert set(made.body) == {"Description", "Resources"}
    assert [(one.name, one.kind) for one in made.resources()] == [
        ("Queue", "AWS::SQS::Queue"),
        ("Topic", "AWS::SNS::Topic"),
    ]
    assert made.where(("Resources", "Topic", "Type")) == Place(str(tmp_path / "part.yaml"), 4)
    assert made.where(("Resources", "Queue", "Type", "deeper")) == Place(str(tmp_path / "main.yaml"), 5)


def test_what_a_part_gives_may_be_there_only_where_a_condition_holds(tmp_path: Path) -> None:
    part = PART + "Outputs:\n  Name: {Value: !Ref Topic}\nParameters:\n  Size: {Type: Number}\n"
    main = "Parts:\n  - {Part: part.yaml, Condition: TopicOn}\nResources:\n  Queue: {Type: AWS::SQS::Queue}\n"
    made = compose(put(tmp_path, main=main, part=part)).body
    assert (made["Resources"]["Topic"]["Condition"], made["Outputs"]["Name"]["Condition"]) == ("TopicOn",) * 2
    assert "Condition" not in made["Resources"]["Queue"]
    assert made["Parameters"] == {"Size": {"Type": "Number"}}


@pytest.mark.parametrize(
    ("main", "part", "why"),
    [
        ("Parts: [part.yaml]\n" + PART, PART, "Topic stands in"),
        (
            "Parts: [{Part: part.yaml, Condition: TopicOn}]",
            PART + "    Condition: Other\n",
            "a condition already",
        ),
        ("Parts: [{Part: part.yaml, If: TopicOn}]", PART, "Parts is a list of files"),
        ("Parts: [part.yaml, other.yaml]", PART, "other.yaml: no such file"),
        ("Parts: [part.yaml]", "Description: a part", "a part has no 'Description'"),
        ("Parts: part.yaml", PART, "Parts is a list of files"),
        ("Parts: [part.yaml]", "Resources: [", "no YAML"),
    ],
)
def test_parts_that_do_not_fit_are_refused(tmp_path: Path, main: str, part: str, why: str) -> None:
    with pytest.raises(TemplateError) as caught:
        compose(put(tmp_path, main=main, part=part))
    assert why in caught.value.message


def test_parts_that_are_too_much_together_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(templates, "LARGEST", 100)
    topics = "".join(f"  Topic{n}: {{Type: AWS::SNS::Topic}}\n" for n in range(2))
    main = put(
        tmp_path,
        main="Parts: [part.yaml]\nResources:\n  T: {Type: AWS::SNS::Topic}\n",
        part=f"Resources:\n{topics}",
    )
    with pytest.raises(TemplateError, match="put together, and CloudFormation takes 100"):
        compose(main)


def test_an_unknown_architecture_is_refused_with_the_list() -> None:
    with pytest.raises(ConfigError, match="did you mean titan-trakr") as caught:
        architecture("titan-tracker")
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(f"known architectures: {', '.join(names())}")
    with pytest.raises(ConfigError, match=r"no such folder|No such file"):
        architecture("../shared")


@pytest.mark.parametrize(
    ("needs", "given", "wanted"),
    [
        (None, {}, True),
        ("Domain", {}, False),
        ("Domain", {"Domain": ""}, False),
        ("Domain", {"Domain": "a.example"}, True),
        ("LongTermBackups=true", {"LongTermBackups": "false"}, False),
        ("LongTermBackups=true", {"LongTermBackups": "true"}, True),
    ],
)
def test_a_stack_is_made_where_it_is_needed(needs: str | None, given: dict[str, str], wanted: bool) -> None:
    one = Stack("x", Path("x.yaml"), "us-east-1", "environment", needs)
    assert one.wanted(given) is wanted


def test_every_environment_names_each_of_its_parameters_rightly() -> None:
    for environment in ("local", "staging", "prod"):
        assert values(stack("app"), environment)["Environment"] == environment


def test_the_same_parameters_are_set_in_staging_and_prod() -> None:
    """What one sets and the other forgets would differ by accident."""
    windows = {"DatabaseBackupWindow", "DatabaseMaintenanceWindow"}  # prod's are the defaults
    environments = titan().environments
    assert set(environments["staging"]) - windows == set(environments["prod"])


@pytest.mark.parametrize(("of", "name"), stacks())
def test_every_parameter_is_used(of: str, name: str) -> None:
    template = stack(name, of)
    rest = json.dumps({key: value for key, value in template.body.items() if key != "Parameters"})
    unused = [
        one for one in template.parameters if f'{{"Ref": "{one}"}}' not in rest and f"${{{one}}}" not in rest
    ]
    shared = {"Domain", "DomainZoneId", "SecondDomainZoneId", "ThirdDomainZoneId"}
    assert set(unused) <= shared


def test_an_output_is_a_parameter_of_a_later_stack_by_its_name() -> None:
    """``stacks.toml`` says so; these are the ones there are."""
    given: set[str] = set()
    taken: set[tuple[str, str]] = set()
    for one in titan().stacks:
        template = stack(one.name)
        taken |= {(one.name, name) for name in template.parameters if name in given}
        given |= set(template.body.get("Outputs", {}))
    edge = {("edge", "DistributionId"), ("edge", "AlertTopicArn")}
    app = {("app", name) for name in ("CertificateArn", "CopyVaultArn", "ReleaseBucketName")}
    assert taken == {*app, *edge}


def test_the_function_is_told_what_the_payload_reads() -> None:
    told = stack("app").body["Resources"]["Function"]["Properties"]["Environment"]["Variables"]
    assert set(told) <= {*container.VARIABLES, *settings.VARIABLES}
    assert {"GYMOPS_APP_PASSCODE_ARN", "GYMOPS_APP_SESSION_SECRET_ARN"} <= set(told)


_HANDLERS = {
    "Function": "Handler",
    "DatabaseFunction": "OperationsHandler",
    "OperationsFunction": "AuditHandler",
}


@pytest.mark.parametrize(
    "zipped",
    [{}, {"Runtime": "python3.13", "Handler": "theirs.main.entry", "Architecture": "x86_64"}],
)
def test_a_zip_runs_as_what_it_was_built_for(zipped: dict[str, str]) -> None:
    app = stack("app")
    place = {"ImageUri": "", "CodeBucket": "b", "CodeKey": "k", "LayerKey": "l", **zipped}
    parameters = {**values(app, "staging"), **place}
    python, arch = parameters["Runtime"], parameters["Architecture"]
    for function in app.resources("AWS::Lambda::Function"):
        made = evaluate(function.properties, app, parameters)
        assert (made["Runtime"], made["Architectures"]) == (python, [arch])
        assert made["Handler"] == parameters[_HANDLERS[function.name]]
    layer = evaluate(app.body["Resources"]["Layer"]["Properties"], app, parameters)
    assert (layer["CompatibleRuntimes"], layer["CompatibleArchitectures"]) == ([python], [arch])


def test_what_a_build_makes_by_default_the_templates_run_by_default() -> None:
    runtime = stack("app").parameters["Runtime"]
    assert runtime["Default"] == f"python{DEFAULT_PYTHON}"
    assert stack("app").parameters["Handler"]["Default"] == payload().handler


def test_handlers_named_are_in_the_artefact_and_no_schedule_calls_another() -> None:
    for environment, off_hours in (("staging", {"StopDatabase", "StartDatabase"}), ("prod", set[str]())):
        named = titan().environments[environment]
        for parameter in ("OperationsHandler", "AuditHandler"):
            module, _, name = named[parameter].rpartition(".")
            assert callable(getattr(importlib.import_module(module), name))
            assert module.startswith(payload().packages) or module in payload().modules
        schedules = {one.name for one in stack("app").resources("AWS::Scheduler::Schedule")}
        assert schedules & made(**named) == {"AuditSchedule", *off_hours}


@pytest.mark.parametrize(
    ("function", "environment", "way"),
    [
        ("Function", "staging", DatabaseUrl),
        ("Function", "prod", TokenUrl),
        ("DatabaseFunction", "staging", DatabaseUrl),
        ("DatabaseFunction", "prod", DatabaseUrl),
    ],
)
def test_a_function_is_told_one_way_to_prove_who_it_is(function: str, environment: str, way: type) -> None:
    app = stack("app")
    variables = app.body["Resources"][function]["Properties"]["Environment"]["Variables"]
    told = evaluate(variables, app, values(app, environment))
    environ = {name: {"GYMOPS_APP_DATABASE_PORT": "5432"}.get(name, str(one)) for name, one in told.items()}
    assert isinstance(database.provider(environ, secrets=secrets, tokens=tokens), way)


def test_no_live_image_expires() -> None:
    policy = json.loads(
        stack("base").body["Resources"]["Repository"]["Properties"]["LifecyclePolicy"]["LifecyclePolicyText"]
    )
    assert [rule["selection"]["tagStatus"] for rule in policy["rules"]] == ["untagged"]


def test_the_dashboard_is_json_and_its_widgets_do_not_overlap() -> None:
    body = stack("app").body["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(body)["widgets"]
    cells = [(w["x"] + x, w["y"] + y) for w in widgets for x in range(w["width"]) for y in range(w["height"])]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize(
    "text",
    [
        "[1]",
        '[{"ParameterKey": "A"}]',
        '[{"ParameterKey": "A", "ParameterValue": 1}]',
        "no JSON",
        '[{"ParameterKey": "A", "ParameterValue": "1"}, {"ParameterKey": "A", "ParameterValue": "2"}]',
    ],
)
def test_a_parameter_file_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "prod.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="no list of parameters"):
        templates.parameter_file(file)


def made(**given: str) -> set[str]:
    """The resources of the app's stack that these parameters make."""
    app = stack("app")
    parameters = {
        **values(app, "local"),
        "OperationsHandler": "",
        "AuditHandler": "",
        "AlertEmail": "",
        "CopyVaultArn": "",
        **given,
    }
    return {
        one.name
        for one in app.resources()
        if "Condition" not in one.body
        or evaluate({"Condition": one.body["Condition"]}, app, parameters) is True
    }


@pytest.mark.parametrize(
    ("given", "more", "less"),
    [
        (
            {"Nat": "true"},
            {"NatGateway", "NatAddress", "NatRoute"},
            {"SecretsEndpoint", "EndpointSecurityGroup"},
        ),
        (
            {"DatabaseProxy": "true"},
            {"Proxy", "ProxyTargets", "ProxyRole", "ProxySecurityGroup", "ProxyAlarm"},
            set(),
        ),
        ({"OffHours": "true"}, {"StopDatabase", "StartDatabase"}, set()),
        ({"AlertEmail": "a@example.com"}, {"AlertByEmail"}, set()),
        ({"AlertPhone": "+14155550100"}, {"AlertByPhone"}, set()),
        ({"ImageUri": "", "CodeBucket": "b", "CodeKey": "k", "LayerKey": "l"}, {"Layer"}, set()),
        ({"CopyVaultArn": "arn"}, {"BackupCopyAlarm"}, set()),
        (
            {"OperationsHandler": "a.b"},
            {"DatabaseFunction", "DatabaseFunctionRole", "OperationsLogs"},
            set(),
        ),
        (
            {"OperationsHandler": "a.b", "AuditHandler": "a.c"},
            {"DatabaseFunction", "DatabaseFunctionRole", "OperationsFunction", "OperationsRole"}
            | {"OperationsLogs", "AuditSchedule", "AuditSilenceAlarm", "RestoreTestRule"}
            | {"RestoreTestPermission"},
            set(),
        ),
        (
            {"CertificateArn": "arn", "Domain": "a.example", "DomainZoneId": "Z1", "Www": "true"},
            {"DomainRecord4", "DomainRecord6", "WwwRecord4", "WwwRecord6"},
            set(),
        ),
        ({"CertificateArn": "arn", "Domain": "a.example"}, set(), set()),
    ],
)
def test_a_parameter_switches_these_resources_and_no_others(
    given: dict[str, str], more: set[str], less: set[str]
) -> None:
    before, after = made(), made(**given)
    assert (after - before, before - after) == (more, less)


def test_one_slack_configuration_shows_the_topics_of_both_regions() -> None:
    """AWS refuses a second one for the same channel, whatever its name and region."""
    kind = "AWS::Chatbot::SlackChannelConfiguration"
    found = [(one.name, resource) for one in titan().stacks for resource in stack(one.name).resources(kind)]
    [(name, slack)] = found
    arn = "arn:aws:sns:us-west-1:123456789012:gym-app-alerts"
    given = {**values(stack(name), "prod"), "AlertTopicArn": arn}
    assert arn in evaluate(slack.properties["SnsTopicArns"], stack(name), given)
    assert {"Ref": "AlertTopic"} in slack.properties["SnsTopicArns"]


def test_every_function_in_the_vpc_reaches_the_database_and_its_secrets() -> None:
    app = stack("app")
    body = app.body["Resources"]
    functions = [one for one in app.resources("AWS::Lambda::Function") if "VpcConfig" in one.properties]
    groups = [one.properties["VpcConfig"]["SecurityGroupIds"][0]["Fn::GetAtt"][0] for one in functions]
    assert sorted(groups) == ["FunctionSecurityGroup", "OperationsSecurityGroup"]
    for name in ("EndpointSecurityGroup", "DatabaseSecurityGroup"):
        entries = evaluate(
            body[name]["Properties"]["SecurityGroupIngress"],
            app,
            {**values(app, "staging"), **{group: group for group in groups}},
        )
        assert sorted(entry["SourceSecurityGroupId"] for entry in entries) == sorted(groups), name
