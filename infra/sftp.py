"""The SFTP server: its endpoint, host keys and logs."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.host_key import HostKey

# The provider's default is of 2018. https://docs.aws.amazon.com/transfer/latest/userguide/security-policies.html
SECURITY_POLICY = "TransferSecurityPolicy-2025-03"
PORT = 22


@dataclass(frozen=True, kw_only=True)
class SftpServerArgs:
    """`host_keys` outlive the server, and the first is its own; without one AWS makes them."""

    prefix: str
    log_retention_days: pulumi.Input[int]
    host_keys: list[HostKey]
    key_arn: pulumi.Input[str] | None
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
            kms_key_id=args.key_arn,
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
            # The first key is the server's own: AWS would make one of each type, and an imported key of a type that is
            # there stays inactive. https://docs.aws.amazon.com/transfer/latest/userguide/server-host-key-add.html
            host_key=pulumi.Output.secret(args.host_keys[0].pem) if args.host_keys else None,
            structured_log_destinations=[pulumi.Output.concat(logs.arn, ":*")],
            tags=args.tags | {"Name": args.prefix},
            # A replaced server has another endpoint and host key: every client would have to act.
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        for key in args.host_keys[1:]:
            aws.transfer.HostKey(
                f"{name}-host-key-{key.type}",
                server_id=self.server.id,
                host_key_body=pulumi.Output.secret(key.pem),
                description=key.fingerprint,
                tags=args.tags,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.host_key_fingerprints: pulumi.Input[list[str]] = (
            [key.fingerprint for key in args.host_keys]
            if args.host_keys
            # AWS pads the base64, OpenSSH does not.
            else self.server.host_key_fingerprint.apply(lambda own: [own.rstrip("=")])
        )
        self.register_outputs({"endpoint": self.server.endpoint})
