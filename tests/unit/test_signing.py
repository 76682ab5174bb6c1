"""The signing key's secret: read once, and said without a word of it where it is none."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from referral_delivery.errors import SigningKeyUnusable
from referral_delivery.file.signing import NO_SIGNING_KEY, SigningKey
from tests.pgp import secret_key

NAME = "referrals/pgp-signing-key"
KEY = str(secret_key())


class Secrets:
    """Secrets Manager with one secret, or with one answer."""

    def __init__(self, answer: str | ClientError) -> None:
        self.answer, self.asked = answer, 0

    def get_secret_value(self, *, SecretId: str) -> dict[str, Any]:  # noqa: N803 - the API's name
        self.asked += 1
        assert SecretId == NAME
        if isinstance(self.answer, ClientError):
            raise self.answer
        return {"SecretString": self.answer}


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "GetSecretValue")


def key(answer: str | ClientError) -> SigningKey:
    secrets: Any = Secrets(answer)
    return SigningKey(NAME, lambda: secrets)


def test_the_secret_is_read_once_and_not_before_it_is_needed() -> None:
    secrets: Any = Secrets(KEY)
    signing = SigningKey(NAME, lambda: secrets)
    assert secrets.asked == 0
    assert [signing.read(), signing.read()] == [KEY.encode()] * 2
    assert secrets.asked == 1


def test_a_stack_without_the_setting_signs_nothing() -> None:
    with pytest.raises(
        SigningKeyUnusable, match=r"^found no pgp_signing_secret in this stack's settings, .*; expected .*"
    ):
        NO_SIGNING_KEY.read()


# While the secret is not made, its name is no ARN that the function may read: AWS says that access is denied.
@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException"])
def test_a_secret_that_is_not_there_is_said_with_the_command_that_makes_it(code: str) -> None:
    with pytest.raises(
        SigningKeyUnusable, match=rf"^found no secret '{NAME}' .*; expected .*`referralctl pgp make-sign"
    ):
        key(refused(code)).read()


def test_what_fails_in_the_world_is_raised_as_it_is_and_asked_again() -> None:
    signing = key(refused("ThrottlingException"))
    for _ in range(2):
        with pytest.raises(ClientError, match="ThrottlingException"):
            signing.read()


@pytest.mark.parametrize("held", ["", "a password", str(secret_key().extract_certificate())])
def test_a_secret_that_holds_no_secret_key_is_refused_and_not_shown(held: str) -> None:
    with pytest.raises(SigningKeyUnusable, match=rf"^found no PGP secret key in the secret '{NAME}' .*") as error:
        key(held).read()
    assert not held or held not in str(error.value)
