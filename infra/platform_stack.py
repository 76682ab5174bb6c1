"""What clients' resources use of a platform, whether this stack makes it or another one did."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from infra.deployment import Deployment

# What a platform's stack exports: all that operators' commands, and stacks of clients, find it by.
OUTPUTS = (
    *("region", "sftp_host", "sftp_port", "sftp_host_key_fingerprints", "sftp_server_id"),
    *("delivery_bucket", "delivery_bucket_arn", "lake_bucket", "lake_prefix"),
    *("access_log_bucket", "function_name", "function_arn", "watch_function_name", "ledger_table"),
    *("schedule_group", "schedule_role_arn", "schedule_dlq_arn", "schedule_dlq_url", "failure_queue_url"),
    *("announce_failure_queue_url", "receive_function_name", "receive_failure_queue_url", "alarm_topic_arn"),
    *("notify_function_name", "notify_failure_queue_url", "notice_sender", "pgp_signing_secret"),
)


@dataclass(frozen=True, kw_only=True)
class Platform:
    """A platform by its outputs, with a key's ARN only where there is a key.

    `schedule_group` is the resource, where this stack makes it.
    """

    outputs: dict[str, pulumi.Input[Any]]
    key_arn: pulumi.Input[str | None]
    schedule_group: pulumi.Resource | None = None


def refer_to(stack: str, deployment: Deployment) -> Platform:
    """The platform that another stack has made; RunError where it is of another region, or of an older program."""

    def checked(found: Mapping[str, Any]) -> Mapping[str, Any]:
        if missing := [name for name in OUTPUTS if found.get(name) is None]:
            raise pulumi.RunError(
                f"platform_stack: {stack} has no output {', '.join(missing)}; it must be a platform that this version "
                f"of the program has deployed; do `pulumi up --stack {stack}`"
            )
        if found["region"] != deployment.region:
            raise pulumi.RunError(
                f"aws:region: found {deployment.region!r}; expected {found['region']!r}, where the platform {stack} "
                f"is; do `pulumi config set aws:region {found['region']}`"
            )
        return found

    found = pulumi.StackReference(stack).outputs.apply(checked)
    return Platform(
        outputs={name: found[name] for name in OUTPUTS},
        key_arn=found.apply(lambda outputs: outputs.get("key_arn")),
    )
