"""Moves a deployed stack's ledger out of the emulator, into another DynamoDB."""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

from referralctl.local_system import session
from referralctl.stacks import Stack

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

# What describes a table as the program defines it; the rest is the emulator's.
DEFINITION = ("TableName", "KeySchema", "AttributeDefinitions", "StreamSpecification")


@dataclass(frozen=True)
class MovedStack(Stack):
    """A local stack whose DynamoDB is elsewhere."""

    dynamodb_url: str = ""

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        """DynamoDB of the stack."""
        assert self.local is not None
        client: DynamoDBClient = session(self.local).client("dynamodb", endpoint_url=self.dynamodb_url)
        return client


def moved(stack: Stack, dynamodb_url: str) -> MovedStack:
    """The stack with its table in that DynamoDB and none in the emulator's, so that a request gone astray fails.

    The function follows by its environment: botocore takes a service's endpoint from there.
    """
    made = MovedStack(**{each.name: getattr(stack, each.name) for each in fields(stack)}, dynamodb_url=dynamodb_url)
    described: dict[str, Any] = dict(stack.dynamodb.describe_table(TableName=stack["ledger_table"])["Table"])
    definition = {name: described[name] for name in DEFINITION if name in described}
    made.dynamodb.create_table(**definition, BillingMode="PAY_PER_REQUEST")
    function = stack["function_name"]
    configured = stack.functions.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    stack.functions.update_function_configuration(
        FunctionName=function, Environment={"Variables": configured | {"AWS_ENDPOINT_URL_DYNAMODB": dynamodb_url}}
    )
    stack.dynamodb.delete_table(TableName=stack["ledger_table"])
    return made
