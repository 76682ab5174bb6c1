"""What AWS refused, in one line: what was asked, as whom, and what to do."""

from collections.abc import Callable, Iterable
from typing import Any

from botocore import exceptions as aws

_LOG_IN = "log in (`aws sso login`), or name a profile with AWS_PROFILE"
# https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_UNKNOWN = {
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
    "IncompleteSignature",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "403", "UnauthorizedOperation"}
_MISSING = {"404", "NoSuchBucket", "NoSuchEntity", "NotFound", "ResourceNotFoundException"}
_NO_LOGIN = (
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.CredentialRetrievalError,
    aws.ProfileNotFound,
    aws.SSOError,
    aws.TokenRetrievalError,
    aws.NoAuthTokenError,
    aws.LoginError,
)


def explained(
    error: aws.BotoCoreError | aws.ClientError, *, caller: Callable[[], str | None], accounts: Iterable[str]
) -> str:
    """The line for an error. `caller` asks for the ARN of who called; `accounts` are those of the stack's outputs."""
    if isinstance(error, aws.ClientError):
        return _refused(error, caller, set(accounts))
    text = _one_line(error)
    if isinstance(error, _NO_LOGIN):
        return f"no AWS credentials: {text}; {_LOG_IN}"
    if isinstance(error, aws.ConnectionError | aws.HTTPClientError):
        return f"AWS did not answer: {text}; check the network, the stack's region, and AWS_ENDPOINT_URL if it is set"
    return f"AWS: {text}"


def _refused(error: aws.ClientError, caller: Callable[[], str | None], accounts: set[str]) -> str:
    answer: Any = error.response.get("Error", {})
    code, said = answer.get("Code", "unknown"), f"{error.operation_name}: {_one_line(answer.get('Message') or error)}"
    if code in _EXPIRED:
        return f"AWS refused {said} ({code}): the credentials have expired; {_LOG_IN}"
    if code in _UNKNOWN:
        return f"AWS refused {said} ({code}): it does not know these credentials; {_LOG_IN}"
    if code not in _DENIED | _MISSING:
        return f"AWS refused {said} ({code})"
    arn = caller()
    whom = f"as {arn}" if arn else "as a caller that AWS does not name"
    account = arn.split(":")[4] if arn else None
    if account and accounts and account not in accounts:
        return (
            f"AWS refused {said} ({code}), asked {whom}, but the stack is in account {', '.join(sorted(accounts))}: "
            "name a profile of that account with AWS_PROFILE"
        )
    if code in _DENIED:
        return f"AWS refused {said} ({code}), asked {whom}: ask for the right, or name another profile with AWS_PROFILE"
    return (
        f"AWS has no such thing: {said} ({code}), asked {whom}: the outputs are not what is deployed; "
        "compare with `pulumi stack output`, and deploy with `pulumi up --refresh`"
    )


def _one_line(text: object) -> str:
    return " ".join(str(text).split()).rstrip(".")
