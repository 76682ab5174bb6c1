"""The function that makes deliveries."""

from dataclasses import dataclass
from functools import partial

import pulumi

from infra import policies
from infra.artifact import Artifact
from infra.deployment import Deployment
from infra.function import Function, FunctionArgs
from referral_delivery.file.upload import DOWNLOADS
from referral_delivery.settings import Settings

HANDLER = "referral_delivery.handlers.export.handler"
# The most that Lambda allows; a delivery that takes longer needs more memory, hence CPU.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html
TIMEOUT_SECONDS = 900


@dataclass(frozen=True, kw_only=True)
class ExporterArgs:
    """`memory_mb` also decides the CPU, and DuckDB's limits (query.py); no `concurrency` reserves none.

    `signing_secret` is the name of a secret; empty is none.
    """

    deployment: Deployment
    artifact: Artifact
    memory_mb: pulumi.Input[int]
    ephemeral_mb: pulumi.Input[int]
    concurrency: pulumi.Input[int] | None
    log_retention_days: pulumi.Input[int]
    lake_name: pulumi.Input[str]
    lake_arn: pulumi.Input[str]
    lake_prefix: str
    lake_kms_key_arn: str | None
    bucket_name: pulumi.Input[str]
    bucket_arn: pulumi.Input[str]
    table_name: pulumi.Input[str]
    table_arn: pulumi.Input[str]
    signing_secret: str


class Exporter(pulumi.ComponentResource):
    """The export function, with just the access that it needs."""

    def __init__(self, name: str, args: ExporterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("referrals:exporter:Exporter", name, None, opts)
        made = Function(
            self,
            name,
            FunctionArgs(
                deployment=args.deployment,
                artifact=args.artifact,
                purpose="export",
                access="export-referrals",
                handler=HANDLER,
                memory_mb=args.memory_mb,
                ephemeral_mb=args.ephemeral_mb,
                concurrency=args.concurrency,
                timeout_seconds=TIMEOUT_SECONDS,
                log_retention_days=args.log_retention_days,
                environment=pulumi.Output.all(
                    stack=args.deployment.prefix,
                    lake_bucket=args.lake_name,
                    lake_prefix=args.lake_prefix,
                    delivery_bucket=args.bucket_name,
                    ledger_table=args.table_name,
                    pgp_signing_secret=args.signing_secret,
                ).apply(lambda names: Settings.model_validate(names).to_environment()),
                arns={"lake_arn": args.lake_arn, "bucket_arn": args.bucket_arn, "table_arn": args.table_arn},
                rights=partial(
                    policies.export_referrals,
                    lake_prefix=args.lake_prefix,
                    lake_kms_key_arn=args.lake_kms_key_arn,
                    downloads_prefix=DOWNLOADS,
                    signing_secret_arn=_secret_arn(args.deployment, args.signing_secret),
                ),
            ),
        )
        self.function, self.failures = made.function, made.failures
        self.register_outputs({"function": self.function.name})


# Secrets Manager puts a hyphen and six characters of its own behind the name.
# https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_iam-permissions.html
def _secret_arn(deployment: Deployment, name: str) -> str | None:
    return deployment.arn("secretsmanager", f"secret:{name}-??????") if name else None
