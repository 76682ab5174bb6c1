"""Roles and their policies."""

from collections.abc import Mapping
from typing import Any

from local_aws.account import Account, Inputs
from local_aws.makers.maker import Maker, Resource, renamed, retag


class Role(Maker):
    """A role, its trust, and the boundary of what it may be given."""

    type = "aws:iam/role:Role"
    fixed = frozenset({"name", "path"})
    changeable = frozenset({"assumeRolePolicy", "tags", "permissionsBoundary"})
    watched = frozenset({"permissionsBoundary"})

    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        request = renamed(inputs, name="roleName", assumeRolePolicy="assumeRolePolicyDocument")
        role = aws.call("iam", "CreateRole", request)["Role"]
        return Resource(role["RoleName"], dict(inputs), {"arn": role["Arn"]})

    def update(self, aws: Account, old: Resource, inputs: Inputs) -> Resource:
        role = {"roleName": old.id}
        aws.call("iam", "UpdateAssumeRolePolicy", {**role, "policyDocument": inputs["assumeRolePolicy"]})
        retag(aws, "iam", role, old, inputs, "Role")
        if boundary := inputs.get("permissionsBoundary"):
            aws.call("iam", "PutRolePermissionsBoundary", {**role, "permissionsBoundary": boundary})
        elif old.inputs.get("permissionsBoundary"):
            aws.call("iam", "DeleteRolePermissionsBoundary", role)
        return Resource(old.id, dict(inputs), old.outputs)

    def delete(self, aws: Account, old: Resource) -> None:
        aws.find("iam", "DeleteRole", {"roleName": old.id})

    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        answer = aws.find("iam", "GetRole", {"roleName": old.id})
        if answer is None:
            return None
        role = answer["Role"]
        boundary = role.pop("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
        return renamed(role, AssumeRolePolicyDocument="assumeRolePolicy") | {"permissionsBoundary": boundary}


class RolePolicy(Maker):
    """A policy inside a role; put again to change it."""

    type = "aws:iam/rolePolicy:RolePolicy"
    fixed = frozenset({"name", "role"})

    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        aws.call("iam", "PutRolePolicy", renamed(inputs, name="policyName", role="roleName", policy="policyDocument"))
        return Resource(self.id_of(aws, inputs), dict(inputs))

    def id_of(self, aws: Account, inputs: Inputs) -> str:
        return f"{inputs['role']}:{inputs['name']}"

    def update(self, aws: Account, old: Resource, inputs: Inputs) -> Resource:
        return self.create(aws, "", inputs)

    def delete(self, aws: Account, old: Resource) -> None:
        aws.find("iam", "DeleteRolePolicy", self._key(old))

    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        answer = aws.find("iam", "GetRolePolicy", self._key(old))
        return answer and {"policy": answer["PolicyDocument"]}

    def _key(self, old: Resource) -> dict[str, str]:
        return {"roleName": old.inputs["role"], "policyName": old.inputs["name"]}


MAKERS: list[Maker] = [Role(), RolePolicy()]
