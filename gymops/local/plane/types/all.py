"""The resource types that are ours."""

from __future__ import annotations

from gymops.local.plane.types import (
    containers,
    data,
    gateways,
    network,
    operations,
    pipelines,
    releases,
    schedules,
    tables,
    users,
)
from gymops.local.plane.types.kind import Kind

INSTEAD: tuple[type[Kind], ...] = (
    schedules.Schedule,
    containers.TaskDefinition,
    containers.Service,
    gateways.Api,
    gateways.Stage,
    gateways.RequestValidator,
    tables.Table,
)
"""Types that the emulator has, and whose own handlers pass over too much."""

KINDS: tuple[type[Kind], ...] = (
    network.Eip,
    network.NatGateway,
    network.SecurityGroupIngress,
    network.SecurityGroupEgress,
    network.WebAclAssociation,
    network.MonitoringSubscription,
    gateways.VpcLink,
    users.IdentityProvider,
    data.DBProxy,
    data.DBProxyTargetGroup,
    data.RotationSchedule,
    operations.BackupSelection,
    operations.RestoreTestingPlan,
    operations.RestoreTestingSelection,
    operations.Budget,
    operations.ScalableTarget,
    operations.ScalingPolicy,
    operations.SlackChannel,
    releases.Application,
    releases.DeploymentGroup,
    pipelines.Connection,
    pipelines.Pipeline,
)
"""Types that the emulator refuses."""
