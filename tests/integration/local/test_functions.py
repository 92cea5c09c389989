"""Functions run: their own code, in a process of their own, behind their own addresses."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections import Counter
from typing import Any

import pytest

from gymops.local import processes
from tests.integration.local.functions import ROLE, RUNTIME, deploy, invoke, package, push
from tests.local_aws import Aws, unique, until


def _request(url: str, body: bytes | None = None) -> tuple[int, Any]:
    request = urllib.request.Request(url, body, {"content-type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_function_sees_its_environment_and_context_and_nothing_of_this_machine(aws: Aws) -> None:
    source = """
import os, sys
def handler(event, context):
    try:
        import psycopg, pytest
    except ImportError as error:
        foreign = str(error)
    import boto3
    return {"event": event, "env": os.environ["GREETING"], "arn": context.invoked_function_arn,
            "left": context.get_remaining_time_in_millis() > 1000, "foreign": foreign,
            "settings": [name for name in os.environ if name in ("STATE_DIR", "PERSIST_STATE")],
            "level": os.environ["LOG_LEVEL"],
            "account": boto3.client("sts").get_caller_identity()["Account"]}
"""
    name = deploy(aws, source, Environment={"Variables": {"GREETING": "hello", "LOG_LEVEL": "DEBUG"}})
    found = invoke(aws, name, {"a": [1, None]})
    assert found == {
        "event": {"a": [1, None]}, "env": "hello", "left": True, "settings": [], "account": "111111111111",
        "level": "DEBUG",
        "arn": f"arn:aws:lambda:us-east-1:111111111111:function:{name}",
        "foreign": "No module named 'psycopg'",
    }  # fmt: skip


def test_changed_code_and_settings_are_what_runs_next(aws: Aws) -> None:
    name = deploy(aws, "import os\ndef handler(event, context): return os.environ.get('A', 'old')")
    assert invoke(aws, name) == "old"
    lambdas = aws.client("lambda")
    lambdas.update_function_configuration(FunctionName=name, Environment={"Variables": {"A": "new"}})
    assert invoke(aws, name) == "new"
    changed = package({"main.py": "def handler(event, context): return 'other'"})
    lambdas.update_function_code(FunctionName=name, ZipFile=changed)
    assert invoke(aws, name) == "other"


def test_a_failing_function_is_told_from_one_that_cannot_start(aws: Aws) -> None:
    failing = deploy(aws, "def handler(event, context): raise ValueError('no such set')")
    assert invoke(aws, failing)["failed"]["errorType"] == "ValueError"
    assert invoke(aws, failing)["failed"]["errorMessage"] == "no such set"
    broken = deploy(aws, "import does_not_exist")
    told = invoke(aws, broken)["failed"]
    assert told["errorType"] == "ModuleNotFoundError"
    assert told["errorMessage"] == "No module named 'does_not_exist'"
    other = deploy(aws, "def handler(event, context): return 1", Runtime="python3.8")
    assert "python3.8" in invoke(aws, other)["failed"]["errorMessage"]


def test_a_function_that_takes_too_long_is_ended(aws: Aws) -> None:
    name = deploy(aws, "import time\ndef handler(event, context): time.sleep(60)", Timeout=1)
    began = time.monotonic()
    assert "Task timed out after 1" in invoke(aws, name)["failed"]["errorMessage"]
    assert time.monotonic() - began < 50  # and not at its own end


def test_layers_are_found_the_function_s_own_code_first(aws: Aws) -> None:
    lambdas = aws.client("lambda")
    content = package({"python/shared.py": "who = 'layer'", "python/both.py": "who = 'layer'"})
    layer = lambdas.publish_layer_version(LayerName=unique("layer"), Content={"ZipFile": content})
    code = package(
        {
            "main.py": "import both, shared\ndef handler(event, context): return [shared.who, both.who]",
            "both.py": "who = 'function'",
        }
    )
    name = deploy(aws, "", Code={"ZipFile": code}, Layers=[layer["LayerVersionArn"]])
    assert invoke(aws, name) == ["layer", "function"]


@pytest.mark.long
def test_alias_weights_split_the_traffic(aws: Aws) -> None:
    lambdas, name = aws.client("lambda"), deploy(aws, "def handler(event, context): return 'one'")
    first = lambdas.publish_version(FunctionName=name)["Version"]
    lambdas.update_function_code(
        FunctionName=name, ZipFile=package({"main.py": "def handler(event, context): return 'two'"})
    )
    second = lambdas.publish_version(FunctionName=name)["Version"]
    weights = {"AdditionalVersionWeights": {second: 0.5}}
    lambdas.create_alias(FunctionName=name, Name="live", FunctionVersion=first, RoutingConfig=weights)
    url = lambdas.create_function_url_config(FunctionName=name, AuthType="NONE", Qualifier="live")
    seen = Counter(_request(url["FunctionUrl"])[1] for _ in range(40))
    assert set(seen) == {"one", "two"}
    seen = Counter(invoke(aws, name, Qualifier="live") for _ in range(40))
    assert set(seen) == {"one", "two"}
    lambdas.update_alias(FunctionName=name, Name="live", FunctionVersion=second, RoutingConfig={})
    assert {invoke(aws, name, Qualifier="live") for _ in range(8)} == {"two"}


def test_a_function_url_answers_on_a_port_of_its_own_until_it_is_deleted(aws: Aws) -> None:
    source = """
import json
def handler(event, context):
    http = event["requestContext"]["http"]
    return {"statusCode": 201, "headers": {"x-mine": "1"},
            "body": json.dumps([http["method"], event["rawPath"], event["rawQueryString"], event["body"]])}
"""
    lambdas, name = aws.client("lambda"), deploy(aws, source)
    url = lambdas.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    assert url.startswith("http://127.0.0.1:")
    assert lambdas.get_function_url_config(FunctionName=name)["FunctionUrl"] == url
    status, found = _request(f"{url}api/sets?user=a%20b", b'{"reps": 5}')
    assert (status, json.loads(found)) == (201, ["POST", "/api/sets", "user=a%20b", '{"reps": 5}'])
    lambdas.delete_function_url_config(FunctionName=name)

    def closed() -> bool:
        try:
            _request(url)
        except OSError:
            return True
        return False

    until(closed)


def test_an_http_api_answers_on_a_port_of_its_own(aws: Aws) -> None:
    name = deploy(aws, "def handler(event, context): return {'statusCode': 200, 'body': event['rawPath']}")
    gateway = aws.client("apigatewayv2")
    target = f"arn:aws:lambda:us-east-1:111111111111:function:{name}"
    api = gateway.create_api(Name=unique("api"), ProtocolType="HTTP")
    integration = gateway.create_integration(
        ApiId=api["ApiId"], IntegrationType="AWS_PROXY", IntegrationUri=target, PayloadFormatVersion="2.0"
    )["IntegrationId"]
    gateway.create_route(ApiId=api["ApiId"], RouteKey="$default", Target=f"integrations/{integration}")
    gateway.create_stage(ApiId=api["ApiId"], StageName="$default", AutoDeploy=True)
    assert api["ApiEndpoint"].startswith("http://127.0.0.1:")
    assert _request(f"{api['ApiEndpoint']}/api/health") == (200, "/api/health")


def test_an_image_s_last_layer_runs_by_its_entry_point(aws: Aws) -> None:
    """The image brings its own client of the Runtime API, as an image for Lambda does."""
    client = """
import json, os, urllib.request, helper
api = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
while True:
    with urllib.request.urlopen(f"{api}/next") as answer:
        event, which = json.load(answer), answer.headers["Lambda-Runtime-Aws-Request-Id"]
    body = json.dumps([helper.who, os.environ["FROM_IMAGE"], event]).encode()
    urllib.request.urlopen(urllib.request.Request(f"{api}/{which}/response", body)).read()
"""
    files = {
        "opt/app/titan/__init__.py": "", "opt/app/titan/entry.py": client,
        "opt/venv/lib/python3/site-packages/helper.py": "who = 'site-packages'",
    }  # fmt: skip
    config = {"Entrypoint": ["python", "-m", "titan.entry"], "WorkingDir": "/opt/app",
              "Env": ["PYTHONPATH=/opt/app", "FROM_IMAGE=yes", "PATH=/opt/venv/bin"]}  # fmt: skip
    uri = push(aws, unique("titan"), files, config)
    name = unique("fn")
    aws.client("lambda").create_function(
        FunctionName=name, PackageType="Image", Code={"ImageUri": uri}, Role=ROLE, Timeout=20
    )
    assert invoke(aws, name, {"n": 1}) == ["site-packages", "yes", {"n": 1}]


def test_an_image_that_is_not_there_is_told(aws: Aws) -> None:
    name = unique("fn")
    uri = f"111111111111.dkr.ecr.us-east-1.amazonaws.com/{unique('none')}@sha256:{'0' * 64}"
    aws.client("lambda").create_function(
        FunctionName=name, PackageType="Image", Code={"ImageUri": uri}, Role=ROLE
    )
    assert "does not exist" in invoke(aws, name)["failed"]["errorMessage"]


def test_a_stack_s_function_ends_with_it(aws: Aws) -> None:
    resources = {
        "Fn": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": RUNTIME, "Handler": "index.handler", "Role": ROLE, "FunctionName": unique("mine"),
                "Code": {"ZipFile": "import os\ndef handler(event, context): return os.getpid()"},
            },
        }
    }  # fmt: skip
    cloudformation, stack = aws.client("cloudformation"), unique("stack")
    cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps({"Resources": resources}))
    found = aws.stack(stack, "CREATE_COMPLETE")
    pid = invoke(aws, resources["Fn"]["Properties"]["FunctionName"])  # type: ignore[index]
    assert pid in processes.naming(f"{aws.settings.state}/functions/")
    cloudformation.delete_stack(StackName=stack)
    aws.stack(found["StackId"], "DELETE_COMPLETE")
    until(lambda: pid not in processes.naming(f"{aws.settings.state}/functions/"))


@pytest.mark.parametrize("account", ["111111111111", "222222222222"])
def test_two_accounts_have_functions_of_the_same_name(aws: Aws, account: str) -> None:
    aws.client("lambda", account).create_function(
        FunctionName="the-same", Runtime=RUNTIME, Handler="main.handler", Role=ROLE,
        Code={"ZipFile": package({"main.py": f"def handler(event, context): return '{account}'"})},
    )  # fmt: skip
    answer = aws.client("lambda", account).invoke(FunctionName="the-same")
    assert json.load(answer["Payload"]) == account
