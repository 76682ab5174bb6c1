"""The ledger's table."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws


@dataclass(frozen=True, kw_only=True)
class LedgerArgs:
    """`protect` guards the table twice: in Pulumi, and in DynamoDB itself."""

    table_name: pulumi.Input[str]
    key_arn: pulumi.Input[str] | None
    protect: bool
    tags: dict[str, str]


class Ledger(pulumi.ComponentResource):
    """What each client has received: on demand, restorable to any second of the last 35 days."""

    def __init__(self, name: str, args: LedgerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("referrals:ledger:Ledger", name, None, opts)
        self.table = aws.dynamodb.Table(
            f"{name}-table",
            name=args.table_name,
            billing_mode="PAY_PER_REQUEST",
            hash_key="client",
            range_key="record",
            attributes=[
                aws.dynamodb.TableAttributeArgs(name="client", type="S"),
                aws.dynamodb.TableAttributeArgs(name="record", type="S"),
            ],
            point_in_time_recovery=aws.dynamodb.TablePointInTimeRecoveryArgs(enabled=True),
            # The outbox of events: what a commit has written is told from here.
            stream_enabled=True,
            stream_view_type="NEW_IMAGE",
            # Left out, DynamoDB's own key encrypts it.
            server_side_encryption=(
                aws.dynamodb.TableServerSideEncryptionArgs(enabled=True, kms_key_arn=args.key_arn)
                if args.key_arn is not None
                else None
            ),
            deletion_protection_enabled=args.protect,
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        self.register_outputs({"table": self.table.name})
