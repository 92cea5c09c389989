"""What is before an app and beside it: HTTP APIs, users, tables, pipelines, asked of their own services."""

from __future__ import annotations

from typing import Any

from tests.integration.stacks.environment import Held
from tests.integration.stacks.services.place import Looks, Place, by_name, only


def _part(call: str, argument: str) -> Any:
    """Of the API that the template names."""

    def look(at: Place, held: Held) -> Any:
        api = at.env.physical(held.stack, held.properties["ApiId"]["Ref"])
        which = held.physical.rpartition("/")[2]
        return getattr(at.apigatewayv2, call)(ApiId=api, **{argument: which})

    return look


def _api(at: Place, held: Held) -> Any:
    return at.apigatewayv2.get_api(ApiId=held.physical)


def _users(at: Place, held: Held) -> Any:
    return getattr(at, "cognito-idp").describe_user_pool(UserPoolId=held.physical)["UserPool"]


def _client(at: Place, held: Held) -> Any:
    pool = at.env.physical(held.stack, held.properties["UserPoolId"]["Ref"])
    asked = getattr(at, "cognito-idp").describe_user_pool_client(UserPoolId=pool, ClientId=held.physical)
    return asked["UserPoolClient"]


def _domain(at: Place, held: Held) -> Any:
    return getattr(at, "cognito-idp").describe_user_pool_domain(Domain=held.physical)["DomainDescription"]


def _provider(at: Place, held: Held) -> Any:
    pool = at.env.physical(held.stack, held.properties["UserPoolId"]["Ref"])
    asked = getattr(at, "cognito-idp").describe_identity_provider
    return asked(UserPoolId=pool, ProviderName=held.properties["ProviderName"])["IdentityProvider"]


def _queue(at: Place, held: Held) -> Any:
    name = held.physical.rpartition("/")[2]
    if not at.sqs.list_queues(QueueNamePrefix=name).get("QueueUrls"):
        return None
    return at.sqs.get_queue_attributes(QueueUrl=held.physical, AttributeNames=["All"])["Attributes"]


def _table(at: Place, held: Held) -> Any:
    """With its point-in-time recovery, which has a call of its own."""
    found = at.dynamodb.describe_table(TableName=held.physical)["Table"]
    backups = at.dynamodb.describe_continuous_backups(TableName=held.physical)["ContinuousBackupsDescription"]
    return {**found, **backups["PointInTimeRecoveryDescription"]}


def _project(at: Place, held: Held) -> Any:
    return only(at.codebuild.batch_get_projects(names=[held.physical])["projects"])


LOOK: Looks = {
    "AWS::CodeBuild::Project": _project,
    "AWS::CodeConnections::Connection": by_name(
        "codeconnections", "get_connection", "ConnectionArn", "Connection"
    ),
    "AWS::CodePipeline::Pipeline": by_name("codepipeline", "get_pipeline", "name", "pipeline"),
    "AWS::ApiGatewayV2::Api": _api,
    "AWS::ApiGatewayV2::Authorizer": _part("get_authorizer", "AuthorizerId"),
    "AWS::ApiGatewayV2::Integration": _part("get_integration", "IntegrationId"),
    "AWS::ApiGatewayV2::Route": _part("get_route", "RouteId"),
    "AWS::ApiGatewayV2::Stage": _part("get_stage", "StageName"),
    "AWS::Cognito::UserPool": _users,
    "AWS::Cognito::UserPoolClient": _client,
    "AWS::Cognito::UserPoolDomain": _domain,
    "AWS::Cognito::UserPoolIdentityProvider": _provider,
    "AWS::DynamoDB::Table": _table,
    "AWS::SQS::Queue": _queue,
}
