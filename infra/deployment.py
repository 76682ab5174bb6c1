"""What all resources of a stack share: where they stand, what leads their names, their tags, and how roles are made."""

from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

# No project, stack or client has it in its name, so that `prod` + `eu-acme` is not `prod-eu` + `acme`. IAM takes it.
SEPARATOR = "."


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One stack in one account and region; `prefix` is `<project>-<stack>`."""

    prefix: str
    partition: str
    region: str
    account_id: str
    tags: dict[str, str] = field(default_factory=dict)
    role_path: str = "/"
    permissions_boundary: str | None = None
    # What all data lies under; None is each service's own key.
    key_arn: pulumi.Input[str | None] = None

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource of this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account_id}:{resource}"

    def of_client(self, client: str, *, suffix: str) -> str:
        """The name of a client's resource that is unique in the account."""
        return SEPARATOR.join((self.prefix, client, suffix))

    def client_tags(self, client: str) -> dict[str, str]:
        """The tags of a client's resources."""
        return self.tags | {"client": client}

    def role(
        self,
        name: str,
        role_name: str,
        *,
        trust: pulumi.Input[str],
        parent: pulumi.Resource,
        tags: dict[str, str] | None = None,
    ) -> aws.iam.Role:
        """A role under the stack's path and permissions boundary."""
        return aws.iam.Role(
            name,
            name=role_name,
            path=self.role_path,
            permissions_boundary=self.permissions_boundary,
            assume_role_policy=trust,
            tags=tags or self.tags,
            opts=pulumi.ResourceOptions(parent=parent),
        )
