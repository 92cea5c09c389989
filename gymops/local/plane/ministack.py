"""The one place that touches the emulator: what we use of it that is not its public interface.

ministack promises none of this. So its version is pinned, and every name used is listed here with the
parameters it must have; ``check`` refuses to start when one moved.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import operator
from collections.abc import Callable
from typing import Any

VERSION = "1.5.33"

_MAPPING = "mapping"
_SCOPED = "mapping by account and region"
_VALUE = "value"
_SERVICES = "ministack.services."
_CFN = "ministack.services.cloudformation."

INTERFACES: dict[str, dict[str, str]] = {
    "ministack.app": {
        "app": "scope, receive, send",
        "_build_persistence_save_dict": "",
        "_resolve_stage_and_path": "api_id, tentative_stage, execute_path",
        "_MAIN_LOOP": _VALUE,
    },
    "ministack.core.persistence": {
        "save_state": "service, data",
        "_json_default": "obj",
        "_state_format_version": "service",
        "STATE_DIR": _VALUE,
    },
    "ministack.core.responses": {
        "get_account_id": "",
        "get_region": "",
        "request_scope": "account_id, region",
        "AccountRegionScopedDict.get_scoped": "self, account_id, region, key, default",
        "AccountRegionScopedDict.all_items": "self",
        "AccountScopedDict.values": "self",
    },
    "ministack.core.concurrency": {"spawn_background": "fn, args, thread_name, kwargs"},
    _SERVICES + "rds": {
        "_ACTION_MAP": _MAPPING,
        "_instances": _SCOPED,
        "_snapshots": _SCOPED,
        "_subnet_groups": _SCOPED,
        "_param_groups": _SCOPED,
        "_db_proxies": _SCOPED,
        "_tags": _MAPPING,
        "_instance_xml": "i",
        "_snapshot_xml": "s",
        "_xml": "status, root_tag, inner",
        "_error": "code, message, status",
        "_p": "params, key, default",
        "_parse_tags": "params",
        "_parse_member_list": "params, prefix",
        "_create_snapshot_internal": "snap_id, instance",
        "_restore_state": "data, resume_runtime",
        "load_persisted_state": "data",
    },
    _SERVICES + "secretsmanager": {
        "_secrets": _SCOPED,
        "_store_new_secret": "name, secret_string, secret_binary, description, tags, kms_key_id,"
        " rotation_lambda_arn, rotation_rules",
        "_publish_new_version": "secret, secret_string, secret_binary",
        "_resolve": "secret_id, use_arn_scope",
        "_purge_secret": "key, secret",
        "_rotate_secret": "data",
        "_get_secret_value": "data",
        "_put_secret_value": "data",
        "_describe_secret": "data",
        "handle_request": "method, path, headers, body, query_params",
    },
    _SERVICES + "lambda_svc": {
        "_functions": _SCOPED,
        "_function_urls": _SCOPED,
        "_url_config_key": "func_name, qualifier",
        "_create_function_url_config": "func_name, data, qualifier",
        "_execute_function_dispatch": "func, config, event, request_id, started",
        "_effective_func_record_for_qualifier": "func, qualifier",
        "_get_func_record_for_ref": "function_ref",
        "_invoke": "name, event, headers, path_qualifier, query_params",
        "_qp_first": "query_params, key, default",
        "_resolve_layer_zip": "attachment",
        "CODE_BLOB_DIR": _VALUE,
        "_write_code_blob": "code_zip",
        "_prune_orphan_code_blobs": "referenced",
        "_emit_lambda_metrics": "function_name, duration_ms, error, throttle",
        "lambda_execute_result_to_api_proxy_response": "exec_result",
        "invalidate_worker": "func_name, qualifier, account, region",
        "handle_function_url_request": "url_id, method, path, headers, body, query_params, resolved,"
        " source_ip",
    },
    _SERVICES + "cloudwatch": {
        "_alarms": _SCOPED,
        "_metrics": _SCOPED,
        "_metric_bucket": "key",
        "_dims_key": "dims",
        "record_metric": "namespace, metric_name, value, unit, dimensions",
        "_evaluate_alarm": "alarm",
        "_calc_stats": "points",
        "_stat_value": "stats, stat_name, points",
        "_record_history": "alarm_name, old_state, new_state, reason, alarm_type, reason_data",
        "_dispatch_alarm_actions": "alarm, old_state, new_state, reason",
        "_evaluate_parent_alarms": "child, seen",
    },
    _SERVICES + "ecr": {
        "_repositories": _SCOPED,
        "_manifest_blobs": _SCOPED,
        "_get_authorization_token": "data",
        "_delete_repository": "data",
        "_resolve_manifest": "name, ref",
        "handle_registry_request": "method, path, headers, body, query_params",
    },
    _SERVICES + "backup": {
        "_vaults": _SCOPED,
        "_plans": _SCOPED,
        "_selections": _SCOPED,
        "handle_request": "method, path, headers, body_bytes, query_params",
    },
    _SERVICES + "dynamodb": {
        "_tables": _SCOPED,
        "_pitr_settings": _SCOPED,
        "_set_item": "table, pk_val, sk_val, item",
        "_remove_item": "table, pk_val, sk_val",
        "_items_replaced": "table",
        "_normalize_table_name": "value",
        "_describe_continuous_backups": "data",
        "_update_continuous_backups": "data",
        "_restore_table_to_point_in_time": "data",
    },
    _SERVICES + "eventbridge": {"_put_events": "data, allow_aws_source"},
    _SERVICES + "ecs": {
        "_ACTION_MAP": _MAPPING,
        "_create_service": "data",
        "_delete_service": "data",
        "_services": _SCOPED,
        "_tasks": _SCOPED,
        "_task_defs": _SCOPED,
        "_ImagePullError": _VALUE,
        "_get_docker": "",
        "_build_run_kwargs": "cdef, td, env, port_bindings, ecs_network, host_mode, task_id, task_arn,"
        " ministack_net_ip, cluster_arn",
        "_make_deployment": "task_definition, desired_count, status",
        "_schedule_service_deployment_completion": "cluster_name, svc_key, account_id, region, healthy_task",
        "_task_is_active": "task_arn, task",
        "_task_ip": "task",
        "_mark_task_stopped": "task_arn, task, reason, stop_code, exit_code",
        "_cleanup_task_resources": "task, docker_client, extra_container",
        "_record_service_task_failure": "task, digest_resolution_failed",
    },
    _SERVICES + "alb": {
        "_ACTION_MAP": _MAPPING,
        "_lbs": _SCOPED,
        "_tgs": _SCOPED,
        "_listeners": _SCOPED,
        "_rules": _SCOPED,
        "_targets": _SCOPED,
        "_p": "params, key, default",
        "_xml": "status, action, inner",
        "_error": "code, message, status",
        "_parse_targets_param": "params, prefix",
        "_forward_to_tg": "tg_arn, method, path, headers, body, query_params, raw_query_string, raw_path",
        "_proxy_http_target": "target, tg, method, path, headers, body, query_params, raw_query_string",
        "dispatch_request": "lb, method, path, headers, body, query_params, port, client_ip,"
        " raw_query_string, raw_path",
    },
    _SERVICES + "apigateway": {
        "_apis": _SCOPED,
        "_create_api": "data",
        "handle_request": "method, path, headers, body, query_params",
        "_invoke_lambda_proxy": "integration, api_id, stage, path, method, headers, body, query_params,"
        " route_key, path_params, authorizer_claims, authorizer_scopes, authorizer_lambda_context,"
        " authorizer_iam, owner_account_id, owner_region, raw_query_string",
        "handle_execute": "api_id, stage, path, method, headers, body, query_params, raw_query_string",
    },
    _SERVICES + "apigateway_v1": {
        "_rest_apis": _SCOPED,
        "_resources": _SCOPED,
        "_stages_v1": _SCOPED,
        "find_api_scope": "api_id",
        "_put_integration": "api_id, resource_id, http_method, data",
        "_invoke_http_proxy_v1": "integration, path, method, headers, body, query_params, path_params",
    },
    _SERVICES + "cognito": {"_user_pools": _SCOPED},
    _SERVICES + "cloudformation": {"_stacks": _SCOPED, "load_persisted_state": "data"},
    _CFN + "provisioners": {
        "_RESOURCE_HANDLERS": _MAPPING,
        "_rds_db_instance_create": "logical_id, props, stack_name",
        "_physical_name": "stack_name, logical_id, lowercase, max_len, seeded",
        "_cw_metric_alarm_record": "name, props",
    },
    _CFN + "stacks": {
        "_runs_on_worker_thread": "resource_type",
        "_resolve_stack_outputs": "outputs_defs, conditions, resources, param_values, mappings, stack_name,"
        " stack_id",
    },
    _CFN + "handlers": {
        "validate_template_support": "template, conditions, params",
        "_resolve_parameters": "template, provided_params, previous_params",
        "_capabilities_enforced": "",
    },
    _CFN + "changesets": {
        "validate_template_support": "template, conditions, params",
        "_resolve_parameters": "template, provided_params, previous_params",
    },
    _CFN + "drift": {"_DRIFT_READERS": _MAPPING},
    _CFN + "engine": {"_intrinsic_references": "value", "_topological_sort": "resources, conditions"},
}


class Moved(RuntimeError):
    """The emulator is not the one this was written for."""


def module(name: str) -> Any:
    """One of the emulator's modules, untyped as it is."""
    return importlib.import_module(name)


def service(name: str) -> Any:
    """One of its services."""
    return module(_SERVICES + name)


def check() -> None:
    """Compare the emulator with what is expected of it.

    Raises:
        Moved: the version, a name or its parameters differ; the message lists them all.
    """
    found = importlib.metadata.version("ministack")
    if found != VERSION:
        raise Moved(f"ministack {found} is installed, and {VERSION} is needed")
    moved = [fault for name, names in INTERFACES.items() for fault in _faults(name, names)]
    if moved:
        raise Moved("; ".join(moved))


def wrap(holder: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Put ``make(what is there)`` in the place of a module's function."""
    setattr(holder, name, make(getattr(holder, name)))


def account() -> str:
    """The account of the request being served."""
    return str(module("ministack.core.responses").get_account_id())


def region() -> str:
    """The region of the request being served."""
    return str(module("ministack.core.responses").get_region())


def scope(account: str, region: str) -> Any:
    """Work as a request of this account and region would."""
    return module("ministack.core.responses").request_scope(account, region)


def background(work: Callable[[], None], name: str) -> None:
    """Run it in a thread of its own, in the scope of the request being served."""
    module("ministack.core.concurrency").spawn_background(work, thread_name=f"gymops-{name}")


def handlers() -> dict[str, Any]:
    """CloudFormation's resource types: type -> create, update, delete."""
    found: dict[str, Any] = module(_CFN + "provisioners")._RESOURCE_HANDLERS
    return found


def drift_readers() -> dict[str, Any]:
    """CloudFormation's look at what is there: type -> (reader, the properties it reads)."""
    found: dict[str, Any] = module(_CFN + "drift")._DRIFT_READERS
    return found


def physical_name(stack: str, logical_id: str, *, max_len: int = 63, lowercase: bool = True) -> str:
    """The name CloudFormation gives a resource that has none."""
    name = module(_CFN + "provisioners")._physical_name
    return str(name(stack, logical_id, lowercase=lowercase, max_len=max_len))


def _faults(name: str, names: dict[str, str]) -> list[str]:
    try:
        holder = module(name)
    except ImportError as error:
        return [f"{name}: {error}"]
    return [
        fault for attribute, expected in names.items() if (fault := _fault(name, holder, attribute, expected))
    ]


def _fault(name: str, holder: Any, attribute: str, expected: str) -> str | None:
    """What is wrong with one name; ``_SCOPED`` keeps everybody's in ``_data``, by (account, region, id)."""
    try:
        found = operator.attrgetter(attribute)(holder)
    except AttributeError:
        return f"{name}.{attribute} is gone"
    if expected == _VALUE:
        return None
    if expected in {_MAPPING, _SCOPED}:
        whole = hasattr(found, "items") and (
            expected == _MAPPING or isinstance(getattr(found, "_data", None), dict)
        )
        return None if whole else f"{name}.{attribute} is no {expected}"
    actual = ", ".join(inspect.signature(found).parameters)
    return None if actual == expected else f"{name}.{attribute}({actual}) was ({expected})"
