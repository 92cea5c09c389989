"""One remedy for each reason that AWS gives for a failure: a table, the first row that fits counts."""

from __future__ import annotations

import re

# fmt: off
TABLE: tuple[tuple[tuple[str, ...], str], ...] = (
    # The order matters: what is particular stands before what is general.
    (
        ("Secrets Manager can't find the specified secret", "resolve:secretsmanager",
         "ResourceNotFoundException.*secretsmanager", "Could not (?:read|parse) SecretString"),
        ("create the secret that the template refers to, in this account and region, or correct "
         "its name; then run the same again"),
    ),
    (
        ("ssm-secure", "ParameterNotFound", r"Parameters?:? \[?.*\]? (?:not found|cannot be found)",
         "Unable to fetch param"),
        ("create the SSM parameter that the template refers to, in this account and region; then "
         "run the same again"),
    ),
    (
        ("MaxSpendLimit", "You have reached the maximum number", "[Ll]imit ?[Ee]xceeded", "LimitExceeded",
         "quota", "Cannot exceed", "TooMany(?!Requests)", "maximum number of .* (?:reached|exceeded)",
         "VpcLimitExceeded"),
        ("a quota of the account is used up: raise it in Service Quotas (gymops doctor ENV lists "
         "them), or remove what is no longer used; then run the same again"),
    ),
    (
        ("Rate exceeded", "Throttling", "TooManyRequests", "RequestLimitExceeded",
         "HandlerErrorCode: Throttling"),
        "AWS was too busy with this account: run the same again in a few minutes",
    ),
    (
        ("explicit deny", "service control policy", "permissions boundary"),
        ("a policy of the organisation or a permissions boundary forbids it: ask whoever keeps it;"
         " no change to the role will help"),
    ),
    (
        ("not authorized to perform: iam:PassRole",),
        "let the deploying role pass this role: iam:PassRole on its ARN; then run the same again",
    ),
    (
        ("service[- ]linked role", "CreateServiceLinkedRole"),
        "create the service-linked role once in the account: gymops doctor ENV names the command",
    ),
    (
        ("not authorized to perform", "AccessDenied", "Access Denied", "UnauthorizedOperation",
         "is not authorized", "HandlerErrorCode: AccessDenied"),
        ("the deploying role lacks a permission: add the action that the message names on this "
         "resource; gymops doctor ENV lists all the template needs"),
    ),
    (
        ("CNAMEAlreadyExists", "One or more of the CNAMEs", "alternate domain name .* already"),
        ("the domain still belongs to another distribution: remove it there, or move it with aws "
         "cloudfront associate-alias; then run the same again"),
    ),
    (
        ("custom-named resource requires replacing", "cannot update a stack when a custom-named"),
        ("the change replaces a resource that has a fixed name: give it another name in the "
         "template, or none"),
    ),
    (
        ("[Aa]lready [Ee]xists", "AlreadyExists", "BucketAlreadyOwnedByYou", "EntityAlreadyExists",
         "NAME_CONFLICT", "already in use", r"not available\. The bucket namespace",
         "DBInstanceAlreadyExists", "ResourceExistsException", "scheduled for deletion"),
        ("something of this name is there already (an earlier stack may have retained it): delete "
         "it, import it into the stack, or choose another name; a secret scheduled for deletion is"
         " freed by aws secretsmanager delete-secret --force-delete-without-recovery"),
    ),
    (
        ("DNS zone", "hosted zone .* not found", "No hosted zone found", "NoSuchHostedZone"),
        "the hosted zone is not in this account: create it, or correct its id in the parameters",
    ),
    (
        ("certificate .*(?:does not exist|doesn't exist|isn't valid|not valid)",
         "InvalidViewerCertificate", "must be in us-east-1", "The specified SSL certificate"),
        ("CloudFront takes only an issued certificate of us-east-1: deploy the certificate's stack"
         " there first and give its ARN"),
    ),
    (
        ("DNS validation", "PENDING_VALIDATION", "CertificateValidation", "Certificate .*(?:time|FAILED)"),
        ("create the CNAME that ACM asks for in the domain's public zone, and check that the "
         "domain is delegated to it; then run the same again"),
    ),
    (
        ("not empty", "BucketNotEmpty", "contains (?:images|recovery points)", "RepositoryNotEmpty",
         "cannot be deleted because it still contains"),
        ("it still holds data: keep it (DeletionPolicy Retain) or empty it yourself; nothing here "
         "does that"),
    ),
    (
        ("Cannot delete protected", "deletion protection", "DeletionProtection",
         "Termination ?[Pp]rotection"),
        ("it is protected against deletion: take the protection away in a deploy of its own, when "
         "it may go"),
    ),
    (
        ("has dependencies and cannot be deleted", "DependencyViolation", "has a dependent object",
         "DeleteConflict", "network interface .* in use", "is currently in use", "resource .* in use by"),
        ("something still uses it (for a VPC, usually a function's network interfaces, for up to "
         "40 minutes): wait or remove that, then run the same again"),
    ),
    (
        ("Export .* cannot be (?:deleted|updated) as it is in use", "is imported by"),
        "another stack imports this output: deploy that stack without the import first",
    ),
    (
        ("image .*(?:does not exist|not found|doesn't exist)", "ImageNotFound", "Source image",
         "CannotPullContainer", "manifest unknown", "image manifest.*not supported"),
        ("the image is not in the registry for this architecture: build and push it again (gymops "
         "build), and check that no lifecycle rule expires releases"),
    ),
    (
        ("NoSuchKey", "The specified key does not exist", "Error occurred while GetObject",
         "S3 Error Code"),
        ("the artefact is not in the bucket: build and upload it again (gymops build), in this "
         "stack's region"),
    ),
    (
        ("[Rr]untime .*(?:no longer|not) supported", "deprecated.*runtime",
         "runtime parameter of .* is no longer"),
        "AWS has retired this runtime: move the function to a supported one",
    ),
    (
        ("The role defined for the function cannot be assumed", "cannot be assumed by",
         "Invalid principal in policy", "role .* cannot be found",
         "does not exist or is not (?:attachable|authorized)"),
        ("the role exists, but not everywhere yet, or does not trust the service: check its trust "
         "policy, and if that is right, run the same again"),
    ),
    (
        ("UnreservedConcurrentExecution",),
        ("reserving this leaves the account too little concurrency: lower "
         "ReservedConcurrentExecutions, or raise the account's quota"),
    ),
    (
        ("InsufficientDBInstanceCapacity", "InsufficientCapacity", "Insufficient capacity",
         "does not have (?:sufficient|enough) .*capacity",
         "not supported in your requested Availability Zone", "StorageTypeNotSupported",
         "not available in .*Availability Zone"),
        "AWS has none of these in this zone now: choose another class or zone, or try again later",
    ),
    (
        ("Cannot find version", "InvalidParameterCombination", "DBEngineVersion",
         "engine version .*(?:not|cannot)"),
        ("this engine version, class and storage do not go together: see"
         " aws rds describe-orderable-db-instance-options, and correct the parameters"),
    ),
    (
        ("[Cc]ircuit [Bb]reaker", "ECS Deployment", "tasks? failed", "did not stabilize", "NotStabilized",
         "steady state"),
        ("the new tasks did not stay up: look at why they stopped (below, or gymops logs ENV), "
         "correct the app or its health check, and deploy again"),
    ),
    (
        ("Init (?:failed|Duration)", r"Runtime\.(?:ImportModuleError|HandlerNotFound|ExitError)",
         "function .*(?:Inactive|Failed state)"),
        ("the function does not start: look at the lines of its log below, correct the app, and "
         "deploy again"),
    ),
    (
        ("[Aa]larm", "[Rr]ollback trigger"),
        ("an alarm that watches the deploy went off: look at the alarm and the app's log (gymops "
         "logs ENV) before deploying again"),
    ),
    (
        ("[Vv]alidation failed", "PROPERTY_VALIDATION", "Properties validation failed", "extraneous key",
         "required key", "Model validation failed", "Encountered unsupported property",
         "Value of property", "Invalid request", "HandlerErrorCode: InvalidRequest",
         "Property .* cannot be empty", "failed to satisfy constraint"),
        ("correct the property that the message names; gymops lint finds most of these before a "
         "deploy"),
    ),
    (
        ("Template format error", "Unresolved resource dependencies", "Circular dependency",
         "Template error"),
        "correct the template; gymops lint names the line",
    ),
    (
        ("Hook", "hook"),
        "a hook of the account refused it: its message says what it wants; ask whoever keeps it",
    ),
    (
        (r"Received response status \[FAILED\]", "custom resource", "Custom Resource", "CustomResource"),
        "the function behind the custom resource said no: its log stream is in the message",
    ),
    (
        ("[Tt]imed? ?out", "Exceeded attempts to wait", "exceeded the timeout", "WaitCondition timed out"),
        ("it was not ready in the time CloudFormation gives it: look at the resource itself, then "
         "run the same again"),
    ),
    (
        ("User [Ii]nitiated", "requested by user"),
        "somebody cancelled it: find out who and why (CloudTrail), then run the same again",
    ),
    (
        ("Internal ?(?:Failure|Error)", "ServiceInternalError", "InternalServiceException",
         "Unable to retrieve", "Service Unavailable",
         "HandlerErrorCode: (?:ServiceInternalError|GeneralServiceException|NetworkFailure)"),
        "AWS itself failed: run the same again; if it stays, see the AWS Health Dashboard",
    ),
)
# fmt: on
"""Patterns found in AWS's own messages, and what to do about it."""

OTHERWISE = "correct what the message names, then run the same again"

_REMEDIES = tuple((re.compile("|".join(patterns)), what) for patterns, what in TABLE)


def remedy(reason: str) -> str:
    """What to do about a failure with this reason."""
    return next((what for pattern, what in _REMEDIES if pattern.search(reason)), OTHERWISE)
