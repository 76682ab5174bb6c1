"""`referralctl pgp`: the platform's key that signs encrypted files."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from botocore.exceptions import ClientError
from pysequoia import Tsk

from referral_delivery.file.signing import SigningKey
from referralctl import stacks
from referralctl.errors import SigningKeyRefused, StackNotFound
from referralctl.output import AsJson, DryRun, print_json, talk, would
from referralctl.stacks import OutputsFile, Stack, StackName

if TYPE_CHECKING:
    from types_boto3_secretsmanager.type_defs import CreateSecretRequestTypeDef

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def pgp() -> None:
    """PGP: the key that signs the files of clients who ask for it."""


@app.command("make-signing-key")
def make_signing_key(
    user_id: Annotated[
        str | None, typer.Option(help="Whose key clients see it to be; default: the stack, and its notice_sender")
    ] = None,
    outputs: OutputsFile = None,
    stack_name: StackName = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make the signing key in the stack's secret, and print its public key, which clients verify with.

    A secret that exists stays as it is. The key does not expire: to replace it, set another name and make a new one.
    """
    with stacks.opened(outputs, stack_name) as stack:
        name, user_id = _secret(stack), user_id or _default_user_id(stack)
        if dry_run:
            would(f"make a PGP key of {user_id} in the secret {name}", as_json)
            return
        key = Tsk.generate(user_id)
        asked: CreateSecretRequestTypeDef = {
            "Name": name,
            "Description": f"PGP key that signs the files of {stack.name}",
            "SecretString": str(key),
        }
        # The stack's own key of encryption, where it has one.
        if key_arn := stack.outputs.get("key_arn"):
            asked["KmsKeyId"] = str(key_arn)
        try:
            stack.secrets.create_secret(**asked)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceExistsException":
                raise
            raise SigningKeyRefused(
                f"found a secret {name!r} in Secrets Manager already; expected none, because clients verify with the "
                "key in it; print that with `referralctl pgp public-key`, or set another name as pgp_signing_secret, "
                "deploy, and make a new key"
            ) from error
    talk.print(f"the secret {name} holds the key of {user_id}; send its public key to the clients", markup=False)
    _print(key, name, as_json)


@app.command("public-key")
def public_key(outputs: OutputsFile = None, stack_name: StackName = None, as_json: AsJson = False) -> None:
    """Print the signing key's public key, which clients verify their files with."""
    with stacks.opened(outputs, stack_name) as stack:
        name = _secret(stack)
        key = _key(SigningKey(name, lambda: stack.secrets).read(), name)
    _print(key, name, as_json)


def _secret(stack: Stack) -> str:
    name = stack["pgp_signing_secret"]
    if not name:
        raise StackNotFound(
            "the stack has no pgp_signing_secret; do `pulumi config set pgp_signing_secret referrals/pgp-signing-key` "
            "and `pulumi up`"
        )
    return name


def _default_user_id(stack: Stack) -> str:
    sender = stack.outputs.get("notice_sender")
    return f"{stack.name} <{sender}>" if sender else stack.name


def _key(armoured: bytes, name: str) -> Tsk:
    try:
        return Tsk.from_bytes(armoured)
    except RuntimeError as error:
        raise SigningKeyRefused(
            f"found a damaged PGP key in the secret {name!r} of Secrets Manager; expected what `referralctl pgp "
            "make-signing-key` made; restore the secret's version before"
        ) from error


def _print(key: Tsk, name: str, as_json: bool) -> None:
    certificate = key.extract_certificate()
    facts: dict[str, Any] = {
        "secret": name,
        "fingerprint": certificate.fingerprint.upper(),
        "user_ids": list(map(str, certificate.user_ids)),
        "public_key": str(certificate),
    }
    if as_json:
        print_json(facts)
    else:
        print(facts["public_key"], end="")
