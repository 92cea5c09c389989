"""The actions that gymops itself asks of AWS, beside those by which CloudFormation makes what templates say.

A test reads every call out of ``gymops/aws`` and compares.
"""

from __future__ import annotations

RELEASE: frozenset[str] = frozenset({
    "sts:GetCallerIdentity",
    # the stacks, and why they fail
    "cloudformation:ContinueUpdateRollback", "cloudformation:CreateChangeSet",
    "cloudformation:DeleteChangeSet", "cloudformation:DeleteStack", "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeEvents", "cloudformation:DescribeStackDriftDetectionStatus",
    "cloudformation:DescribeStackEvents", "cloudformation:DescribeStackResourceDrifts",
    "cloudformation:DescribeStacks", "cloudformation:DetectStackDrift",
    "cloudformation:DetectStackResourceDrift", "cloudformation:ExecuteChangeSet",
    "cloudformation:GetTemplate", "cloudformation:ListStackResources", "cloudformation:RollbackStack",
    # artefacts, ledger, journal and lock
    "s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject",
    # the function, its versions and its alias
    "lambda:GetAlias", "lambda:GetFunction", "lambda:GetFunctionConfiguration", "lambda:InvokeFunction",
    "lambda:PublishVersion", "lambda:UpdateAlias",
    # a snapshot before what cannot be taken back
    "rds:CreateDBSnapshot", "rds:DescribeDBSnapshots",
    # served files, and what CloudFront's edges are to forget
    "cloudfront:CreateInvalidation", "cloudfront:GetInvalidation",
    # a secret made anew while the app stays up
    "secretsmanager:DescribeSecret", "secretsmanager:GetRandomPassword",
    "secretsmanager:ListSecretVersionIds", "secretsmanager:PutSecretValue", "secretsmanager:RotateSecret",
    "secretsmanager:UpdateSecretVersionStage",
    # looking: alarms, logs, events
    "acm:DescribeCertificate", "cloudwatch:DescribeAlarms", "logs:FilterLogEvents", "rds:DescribeEvents",
})  # fmt: skip
"""What a release, a rollback, attach, drift, logs and secrets do."""

IMAGES: frozenset[str] = frozenset({
    "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages",
    "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer", "ecr:GetLifecyclePolicy",
    "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
})  # fmt: skip
"""What pushing an image does, besides; most of it is the registry's protocol."""

TASKS: frozenset[str] = frozenset({
    "ecs:DescribeServices", "ecs:DescribeTaskDefinition", "ecs:DescribeTasks", "ecs:ListTasks",
    "ecs:RunTask", "ecs:StopTask", "ecs:UpdateService", "elasticloadbalancing:DescribeTargetHealth",
})  # fmt: skip
"""What releasing a service does, and explaining one that does not start."""

BLUE_GREEN: frozenset[str] = frozenset({
    "codedeploy:BatchGetDeployments", "codedeploy:ContinueDeployment", "codedeploy:CreateDeployment",
    "codedeploy:GetApplicationRevision", "codedeploy:GetDeploymentConfig", "codedeploy:ListDeployments",
    "codedeploy:RegisterApplicationRevision", "codedeploy:StopDeployment",
    "codedeploy:UpdateDeploymentGroup",
})  # fmt: skip
"""What releasing a service by CodeDeploy does, besides; a deployment registers its revision,
and one that ignores the group's alarms counts as a change of the group."""

DESTROY: frozenset[str] = frozenset({"backup:ListRecoveryPointsByBackupVault", "s3:ListBucketVersions"})
"""What destroy looks into before it deletes."""

RESTORE: frozenset[str] = frozenset({
    "backup:DescribeBackupJob", "backup:DescribeBackupVault", "backup:DescribeCopyJob",
    "backup:ListRestoreJobs", "backup:ListTags", "backup:PutRestoreValidationResult",
    "backup:StartBackupJob", "backup:StartCopyJob", "kms:Decrypt", "kms:Encrypt",
    "s3:AbortMultipartUpload", "s3:GetBucketObjectLockConfiguration", "s3:GetObjectRetention",
    "s3:ListBucketMultipartUploads", "s3:PutObjectRetention",
    "rds:DeleteDBInstance", "rds:DeleteDBSnapshot", "rds:DeregisterDBProxyTargets",
    "rds:DescribeDBInstanceAutomatedBackups",
    "rds:DescribeDBInstances", "rds:DescribeDBProxies", "rds:DescribeDBProxyTargets",
    "rds:RegisterDBProxyTargets", "rds:RemoveTagsFromResource",
    "rds:ModifyDBInstance", "rds:RestoreDBInstanceFromDBSnapshot", "rds:RestoreDBInstanceToPointInTime",
})  # fmt: skip
"""What backing a database up and bringing it back does; no deploy needs it."""

TABLES: frozenset[str] = frozenset({
    "dynamodb:CreateBackup", "dynamodb:DeleteBackup", "dynamodb:DeleteItem", "dynamodb:DeleteTable",
    "dynamodb:DescribeBackup", "dynamodb:DescribeContinuousBackups", "dynamodb:DescribeTable",
    "dynamodb:ListBackups", "dynamodb:PutItem", "dynamodb:RestoreTableFromBackup",
    "dynamodb:RestoreTableToPointInTime", "dynamodb:Scan", "dynamodb:TagResource",
    "backup:DeleteRecoveryPoint", "backup:DescribeBackupJob", "backup:DescribeBackupVault",
    "backup:DescribeRestoreJob", "backup:ListRecoveryPointsByBackupVault", "backup:ListTags",
    "backup:StartBackupJob", "backup:StartRestoreJob",
    "s3:DeleteBucket", "s3:DeleteObjectVersion", "s3:GetBucketVersioning", "s3:ListBucketVersions",
    "s3:PutBucketTagging",
    # what DynamoDB does in the new table for whoever restores
    "dynamodb:BatchWriteItem", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem",
})  # fmt: skip
"""What backing tables and buckets up and bringing them back does; no deploy needs it."""

NEON: frozenset[str] = frozenset({"secretsmanager:CreateSecret"})
"""What keeping a branch's URLs as secrets does; no deploy needs it."""

AUDIT: frozenset[str] = frozenset({
    "backup:ListBackupJobs", "backup:ListCopyJobs", "backup:ListRestoreJobs", "cloudwatch:PutMetricData",
    "sns:Publish",
})  # fmt: skip
"""What an audit asks and tells, beside what lists backups."""

DOCTOR: frozenset[str] = frozenset({
    "acm:DescribeCertificate", "acm:ListCertificates", "cloudformation:DescribeStacks",
    "cloudfront:ListConflictingAliases", "cloudfront:ListDistributions", "ec2:DescribeAddresses",
    "ec2:DescribeInternetGateways", "ec2:DescribeVpcs", "iam:GetAccountSummary", "iam:GetRole",
    "iam:SimulatePrincipalPolicy", "lambda:GetAccountSettings", "rds:DescribeDBEngineVersions",
    "rds:DescribeDBInstances", "rds:DescribeDBMajorEngineVersions", "rds:DescribeDBProxies",
    "route53:GetAccountLimit", "route53:GetHostedZone", "route53:ListHostedZonesByName",
    "s3:ListAllMyBuckets", "servicequotas:GetAWSDefaultServiceQuota", "servicequotas:GetServiceQuota",
})  # fmt: skip
"""What this doctor reads."""

RUNTIME: frozenset[str] = frozenset({"rds-db:connect", "secretsmanager:GetSecretValue"})
"""What the app does with its own role: no business of whoever deploys it."""


def actions(kinds: frozenset[str]) -> frozenset[str]:
    """What releasing needs, where the templates make resources of these types."""
    images = IMAGES if "AWS::ECR::Repository" in kinds else frozenset()
    tasks = TASKS if "AWS::ECS::Service" in kinds else frozenset()
    blue_green = BLUE_GREEN if "AWS::CodeDeploy::DeploymentGroup" in kinds else frozenset()
    return RELEASE | DESTROY | images | tasks | blue_green
