"""Images and stacks for the tests of ECS: one layer of Python, pushed to the local AWS's own registry."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from tests.integration.local.functions import push
from tests.local_aws import Aws, unique

APP = """import http.server, os, signal, sys

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status, text = (200 if self.path.startswith(("/health", "/")) else 404), answer(self.path)
        if self.path == "/health" and SICK:
            status = 500
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        if self.path != "/health":
            print("asked for", self.path, flush=True)

def answer(path):
    return f"{os.environ.get('SAYS')} {os.environ.get('SECRET', '')} {os.getpid()}".encode()

SICK = os.environ.get("SICK") == "yes"
if os.environ.get("SICK") == "dead":
    sys.exit("this is the end")
print("listening", flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""

TEMPLATE: dict[str, Any] = {
    "Parameters": {name: {"Type": "String"} for name in ("Image", "Name", "Says", "Sick", "Secret", "Tasks")},
    "Resources": {
        "Cluster": {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": {"Ref": "Name"}}},
        "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": {"Ref": "Name"}}},
        "Task": {
            "Type": "AWS::ECS::TaskDefinition",
            "Properties": {
                "Family": {"Ref": "Name"}, "Cpu": "256", "Memory": "512", "NetworkMode": "awsvpc",
                "RequiresCompatibilities": ["FARGATE"],
                "ContainerDefinitions": [
                    {
                        "Name": "app", "Image": {"Ref": "Image"}, "Essential": True,
                        "PortMappings": [{"ContainerPort": 8080}],
                        "Environment": [
                            {"Name": "SAYS", "Value": {"Ref": "Says"}},
                            {"Name": "SICK", "Value": {"Ref": "Sick"}},
                        ],
                        "Secrets": [{"Name": "SECRET", "ValueFrom": {"Ref": "Secret"}}],
                        "LogConfiguration": {
                            "LogDriver": "awslogs",
                            "Options": {
                                "awslogs-group": {"Ref": "Logs"}, "awslogs-region": "us-east-1",
                                "awslogs-stream-prefix": "task",
                            },
                        },
                    }
                ],
            },
        },
        "Balancer": {
            "Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "Properties": {"Name": {"Ref": "Name"}},
        },
        "Targets": {
            "Type": "AWS::ElasticLoadBalancingV2::TargetGroup",
            "Properties": {
                "Name": {"Ref": "Name"}, "Port": 8080, "TargetType": "ip", "HealthCheckPath": "/health",
                "HealthCheckIntervalSeconds": 1, "UnhealthyThresholdCount": 2,
            },
        },
        "Listener": {
            "Type": "AWS::ElasticLoadBalancingV2::Listener",
            "Properties": {
                "LoadBalancerArn": {"Ref": "Balancer"}, "Port": 80,
                "DefaultActions": [
                    {
                        "Type": "fixed-response",
                        "FixedResponseConfig": {"StatusCode": "403", "MessageBody": "not for you"},
                    }
                ],
            },
        },
        "Rule": {
            "Type": "AWS::ElasticLoadBalancingV2::ListenerRule",
            "Properties": {
                "ListenerArn": {"Ref": "Listener"}, "Priority": 1,
                "Conditions": [
                    {
                        "Field": "http-header",
                        "HttpHeaderConfig": {"HttpHeaderName": "X-Origin", "Values": ["cloudfront"]},
                    }
                ],
                "Actions": [{"Type": "forward", "TargetGroupArn": {"Ref": "Targets"}}],
            },
        },
        "Service": {
            "Type": "AWS::ECS::Service",
            "DependsOn": "Rule",
            "Properties": {
                "ServiceName": {"Ref": "Name"}, "Cluster": {"Ref": "Cluster"}, "LaunchType": "FARGATE",
                "TaskDefinition": {"Ref": "Task"}, "DesiredCount": {"Ref": "Tasks"},
                "LoadBalancers": [
                    {"ContainerName": "app", "ContainerPort": 8080, "TargetGroupArn": {"Ref": "Targets"}}
                ],
                "DeploymentConfiguration": {
                    "DeploymentCircuitBreaker": {"Enable": True, "Rollback": True},
                },
            },
        },
    },
    "Outputs": {
        "Address": {"Value": {"Fn::GetAtt": ["Balancer", "DNSName"]}},
        "Targets": {"Value": {"Ref": "Targets"}},
    },
}  # fmt: skip


def image(aws: Aws, source: str = APP) -> str:
    """An image that starts a module, as ``gymops build`` makes them; its name by digest."""
    config = {
        "Entrypoint": ["python", "-m", "shop"], "WorkingDir": "/opt/app",
        "Env": ["PYTHONPATH=/opt/app:/opt/python", "SAYS=the image"],
    }  # fmt: skip
    return push(aws, unique("shop"), {"opt/app/shop.py": source}, config)


class Shop:
    """A service of tasks behind a load balancer, in a stack."""

    def __init__(self, aws: Aws, **given: str) -> None:
        self.aws = aws
        self.name = unique("shop")[:20]
        self.given = {"Image": image(aws), "Says": "first", "Sick": "no", "Tasks": "2", "Name": self.name}
        self.given |= given
        if "Secret" not in given:
            made = aws.client("secretsmanager").create_secret(Name=self.name, SecretString="hush")
            self.given["Secret"] = made["ARN"]

    def send(self, what: str, **changed: str) -> None:
        self.given |= changed
        parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in self.given.items()]
        call = getattr(self.aws.client("cloudformation"), f"{what}_stack")
        call(StackName=self.name, TemplateBody=json.dumps(TEMPLATE), Parameters=parameters)

    def rest(self, status: str) -> dict[str, str]:
        outputs = self.aws.stack(self.name, status).get("Outputs", [])
        return {one["OutputKey"]: one["OutputValue"] for one in outputs}

    @property
    def address(self) -> str:
        found = self.aws.client("elbv2").describe_load_balancers(Names=[self.name])["LoadBalancers"]
        return f"http://{found[0]['DNSName']}"

    def get(self, path: str = "/", **headers: str) -> tuple[int, str]:
        head = {"X-Origin": "cloudfront", **headers}
        request = urllib.request.Request(f"{self.address}{path}", headers=head)  # noqa: S310 - loopback
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def service(self) -> Any:
        ecs = self.aws.client("ecs")
        return ecs.describe_services(cluster=self.name, services=[self.name])["services"][0]

    def processes(self) -> set[int]:
        """Those that answer; one that just ended may be asked once more, as on AWS."""
        answers = [self.get() for _ in range(8)]
        return {int(text.split()[-1]) for status, text in answers if status == 200}
