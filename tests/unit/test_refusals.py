"""What a command says where AWS refuses it."""

import pytest
from botocore import exceptions as aws

from referralctl import refusals

CALLER = "arn:aws:sts::111122223333:assumed-role/operator/anna"


def explained(error: aws.BotoCoreError | aws.ClientError, *, caller: str | None = CALLER) -> str:
    return refusals.explained(error, caller=lambda: caller, accounts={"111122223333"})


def refused(code: str, message: str = "no") -> aws.ClientError:
    return aws.ClientError({"Error": {"Code": code, "Message": message}}, "GetSchedule")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (refused("ExpiredTokenException"), "(ExpiredTokenException): the credentials have expired; log in"),
        (refused("UnrecognizedClientException"), "it does not know these credentials; log in"),
        (refused("AccessDeniedException"), f"GetSchedule: no (AccessDeniedException), asked as {CALLER}: ask for the"),
        (refused("ResourceNotFoundException"), "AWS has no such thing: GetSchedule: no (ResourceNotFoundException)"),
        (refused("ThrottlingException"), "AWS refused GetSchedule: no (ThrottlingException)"),
        (aws.NoCredentialsError(), "no AWS credentials: Unable to locate credentials; log in (`aws sso login`)"),
        (aws.ProfileNotFound(profile="x"), "no AWS credentials: The config profile (x) could not be found; log in"),
        (aws.UnauthorizedSSOTokenError(), "no AWS credentials: The SSO session associated with this profile"),
        (aws.EndpointConnectionError(endpoint_url="http://x"), "AWS did not answer: Could not connect to the endpoint"),
        (aws.ConnectTimeoutError(endpoint_url="http://x"), "AWS did not answer: Connect timeout on endpoint URL"),
        (aws.ParamValidationError(report="bad"), "AWS: Parameter validation failed: bad"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_refusal_is_one_line_with_what_to_do(error: aws.BotoCoreError | aws.ClientError, said: str) -> None:
    line = explained(error)
    assert said in line
    assert "\n" not in line


def test_a_message_of_several_lines_becomes_one() -> None:
    assert "GetSchedule: first second (Odd)" in explained(refused("Odd", "first\n  second.\n"))


@pytest.mark.parametrize("code", ["AccessDenied", "ResourceNotFoundException", "NoSuchBucket"])
def test_another_account_than_the_stacks_is_named(code: str) -> None:
    line = explained(refused(code), caller="arn:aws:iam::999988887777:user/anna")
    assert "asked as arn:aws:iam::999988887777:user/anna, but the stack is in account 111122223333" in line
    assert "AWS_PROFILE" in line


def test_a_caller_without_a_name_is_no_reason_to_fail() -> None:
    assert "asked as a caller that AWS does not name" in explained(refused("AccessDenied"), caller=None)
