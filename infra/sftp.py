"""The SFTP server: its endpoint, host key and logs."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

# The provider's default is of 2018. https://docs.aws.amazon.com/transfer/latest/userguide/security-policies.html
SECURITY_POLICY = "TransferSecurityPolicy-2025-03"
PORT = 22


@dataclass(frozen=True, kw_only=True)
class SftpServerArgs:
    """`host_key` is a private key in PEM that outlives the server; without one AWS makes its own."""

    prefix: str
    log_retention_days: int
    host_key: pulumi.Output[str] | None
    protect: bool
    tags: dict[str, str]


class SftpServer(pulumi.ComponentResource):
    """One public SFTP endpoint with service-managed users over S3."""

    def __init__(self, name: str, args: SftpServerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("referrals:sftp:SftpServer", name, None, opts)
        logs = aws.cloudwatch.LogGroup(
            f"{name}-logs",
            name=f"/aws/transfer/{args.prefix}",
            retention_in_days=args.log_retention_days,
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.server = aws.transfer.Server(
            f"{name}-server",
            domain="S3",
            protocols=["SFTP"],
            endpoint_type="PUBLIC",
            identity_provider_type="SERVICE_MANAGED",
            security_policy_name=SECURITY_POLICY,
            # Off by default in the API, and then an empty folder does not list.
            # https://docs.aws.amazon.com/transfer/latest/APIReference/API_S3StorageOptions.html
            s3_storage_options=aws.transfer.ServerS3StorageOptionsArgs(directory_listing_optimization="ENABLED"),
            structured_log_destinations=[pulumi.Output.concat(logs.arn, ":*")],
            tags=args.tags | {"Name": args.prefix},
            # A replaced server has another endpoint and host key: every client would have to act.
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        if args.host_key is not None:
            aws.transfer.HostKey(
                f"{name}-host-key",
                server_id=self.server.id,
                host_key_body=args.host_key,
                tags=args.tags,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({"endpoint": self.server.endpoint})
