"""What the local AWS cannot make is an error that names it, before anything is made."""

from pathlib import Path

import pytest

from local_aws.account import Account
from local_aws.emulator import Emulator
from local_aws.errors import CannotMake
from local_aws.makers import MAKERS, maker_of
from local_aws.makers.maker import Archive, Resource, observed

# Nothing listens there: what these tests refuse must not be asked of it.
NOWHERE = Account(Emulator(0, 0, port=9, sftp_port=9, folder="/nowhere"))
SCHEDULE = "aws:scheduler/schedule:Schedule"


def test_a_type_without_a_maker_is_named() -> None:
    with pytest.raises(CannotMake, match=r"aws:ec2/vpc:Vpc \(net\): nothing in local_aws/makers makes it"):
        maker_of("aws:ec2/vpc:Vpc", "net")


@pytest.mark.parametrize(
    ("type_", "inputs"),
    [
        (SCHEDULE, {"name": "x", "groupName": "g", "colour": "red"}),
        (SCHEDULE, {"name": "x", "groupName": "g", "target": {"arn": "a", "colour": "red"}}),
        ("aws:iam/role:Role", {"name": "x", "assumeRolePolicy": "{}", "colour": "red"}),
        ("aws:sqs/queue:Queue", {"name": "x", "colour": "red"}),
        ("aws:dynamodb/table:Table", {"name": "x", "hashKey": "h", "rangeKey": "r", "attributes": [], "colour": "red"}),
    ],
)
def test_an_input_that_has_no_parameter_is_named_and_nothing_is_asked_of_aws(
    type_: str, inputs: dict[str, object]
) -> None:
    with pytest.raises(CannotMake, match="for the input 'colour'"):
        MAKERS[type_].create(NOWHERE, "x", inputs)


def test_a_change_that_cannot_be_made_is_named() -> None:
    server = Resource("s-1", {"domain": "S3", "securityPolicyName": "old"})
    with pytest.raises(CannotMake, match=r"Server \(s-1\): a change of securityPolicyName cannot be made here"):
        MAKERS["aws:transfer/server:Server"].compare(server, {"domain": "S3", "securityPolicyName": "new"})


def test_a_change_that_aws_cannot_make_replaces_the_resource() -> None:
    difference = MAKERS[SCHEDULE].compare(Resource("g/x", {"name": "x", "groupName": "g"}), {"name": "y"})
    assert difference.changed == difference.replacing == frozenset({"name", "groupName"})


def test_a_value_that_someone_changed_by_hand_is_seen_and_a_document_s_spelling_is_not_a_change() -> None:
    given = {"policy": '{"a": 1}', "tags": {"k": "v"}, "size": 3.0, "own": "kept"}
    described = {"Policy": '{"a":1}', "Tags": [{"Key": "k", "Value": "other"}], "Size": 3}
    assert observed(given, described) == given | {"tags": {"k": "other"}}


def test_an_archive_is_the_same_wherever_it_lies() -> None:
    assert Archive("digest", Path("/here")) == Archive("digest", Path("/there"))
