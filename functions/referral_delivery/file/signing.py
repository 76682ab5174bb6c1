"""The platform's PGP signing key, from its secret in Secrets Manager."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from referral_delivery.errors import SigningKeyUnusable

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient

# What the armour of a secret key begins with, in two parts: a scanner for leaked keys looks for the whole.
_SECRET_KEY = "-----BEGIN PGP " + "PRIVATE KEY BLOCK-----"
# Who may read one secret is told of no other whether it exists: while it is not made, its name is no ARN.
_NOT_THERE = ("ResourceNotFoundException", "AccessDeniedException")
_MAKE = "make it with `referralctl pgp make-signing-key`"


@dataclass(frozen=True)
class SigningKey:
    """The key in the secret of a name; `connect` gives the client that reads it, once, and only where a file is signed.

    An empty name is no secret.
    """

    name: str
    connect: Callable[[], "SecretsManagerClient"]

    def read(self) -> bytes:
        """The armoured secret key; SigningKeyUnusable, without a word of the secret, where there is none."""
        return self._armoured.encode()

    @cached_property
    def _armoured(self) -> str:
        if not self.name:
            raise SigningKeyUnusable(
                "found no pgp_signing_secret in this stack's settings, and a client whose files are signed; expected "
                "the name of the secret with the platform's PGP signing key; set it with `pulumi config set "
                f"pgp_signing_secret referrals/pgp-signing-key`, deploy, and {_MAKE}"
            )
        try:
            text = str(self.connect().get_secret_value(SecretId=self.name).get("SecretString", ""))
        except ClientError as error:
            if error.response["Error"]["Code"] not in _NOT_THERE:
                raise
            raise SigningKeyUnusable(
                f"found no secret {self.name!r} in Secrets Manager that may be read here; expected the platform's PGP "
                f"signing key there; {_MAKE}; where there is one, its own policy or its KMS key's does not allow it"
            ) from error
        if _SECRET_KEY not in text:
            raise SigningKeyUnusable(
                f"found no PGP secret key in the secret {self.name!r} of Secrets Manager; expected one in ASCII "
                f"armour; delete the secret and {_MAKE}"
            )
        return text


def _no_secrets() -> "SecretsManagerClient":
    raise AssertionError("nothing is read without a name")


# What a stack without the setting signs with.
NO_SIGNING_KEY = SigningKey("", _no_secrets)
