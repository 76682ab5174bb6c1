"""What may differ between stacks: each setting's type and bounds.

Pulumi.yaml has their defaults and descriptions. It names no types: the engine's own check stops at the first wrong
value and does not say what it found.
"""

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Json, SecretStr, StringConstraints

from infra import PROJECT_FOLDER

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)

# https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
MAX_TAGS, MAX_TAG_KEY, MAX_TAG_VALUE = 50, 128, 256
_TAG = re.compile(r"[\w .:/=+@-]*")
OUR_TAGS = {"project", "stack", "client", "Name"}
MAX_OWN_TAGS = MAX_TAGS - len(OUR_TAGS)

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_NO_BUCKETS_BEGINNING = ("xn--", "sthree-", "amzn-s3-demo-")
_NO_BUCKETS_END = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")

# In the place of a folder, so that a mistyped or empty folder is never "no clients".
NO_CLIENTS = "none"
# All others are a platform's, and have no effect in a stack of clients that refers to one.
SETTINGS_OF_CLIENTS = {"clients", "platform_stack", "spread_minutes", "tags", "role_path", "permissions_boundary"}
# Whoever sets them in the open has told them to everybody who reads the repository.
SECRET_SETTINGS = ("sftp_host_key", "sftp_further_host_keys")


def _setting(expected: str, example: str = "", **bounds: Any) -> Any:
    """A field whose refusal names what is expected, and sets the example; without one it unsets."""
    return Field(description=expected, examples=[example] if example else [], **bounds)


def _taken_as_bucket(name: str) -> str:
    begins = next((each for each in _NO_BUCKETS_BEGINNING if name.startswith(each)), None)
    ends = next((each for each in _NO_BUCKETS_END if name.endswith(each)), None)
    if ".." in name:
        raise ValueError("which has two dots in a row")
    if re.fullmatch(r"\d+(\.\d+){3}", name):
        raise ValueError("which is an IP address")
    if begins or ends:
        raise ValueError(f"which {f'begins with {begins}' if begins else f'ends in {ends}'}, as no bucket does")
    return name


def _taken_as_secret(name: str) -> str:
    # Secrets Manager ends every secret's ARN so, and takes a name that ends so for a part of one.
    # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
    if re.search(r"-[A-Za-z0-9]{6}$", name):
        raise ValueError("which ends in a hyphen and six characters, as an ARN does")
    return name


def _kept_by_cloudwatch(days: int) -> int:
    if days not in LOG_RETENTION_DAYS:
        raise ValueError("which CloudWatch does not take")
    return days


class NoText(ValueError):
    """A tag's value is a boolean, a number or more tags: the engine makes such of what is set with --path alone."""

    def __init__(self, key: str, value: object) -> None:
        kind = {bool: "a boolean", int: "a number", float: "a number"}.get(type(value), "no value of one tag")
        super().__init__(f"of which {key!r} is {json.dumps(value)}, {kind}, and not text")
        shown = json.dumps(value) if isinstance(value, bool | int | float) else "…"
        self.command = f"set --path --type string 'tags[\"{key}\"]' {shown}"


def _texts(tags: object) -> object:
    for key, value in tags.items() if isinstance(tags, dict) else ():
        if not isinstance(value, str):
            raise NoText(key, value)
    return tags


def _taken_as_tags(tags: dict[str, str]) -> dict[str, str]:
    if len(tags) > MAX_OWN_TAGS:
        raise ValueError(f"which are {len(tags)}")
    for key, value in tags.items():
        if key in OUR_TAGS or key.lower().startswith("aws:"):
            raise ValueError(f"of which {key!r} is not yours to set")
        if not (_TAG.fullmatch(key) and 1 <= len(key) <= MAX_TAG_KEY and len(value) <= MAX_TAG_VALUE):
            raise ValueError(
                f"of which {key!r} is not taken: keys have 1 to {MAX_TAG_KEY} characters, values up to "
                f"{MAX_TAG_VALUE}, letters, digits, spaces and _.:/=+-@"
            )
        if not _TAG.fullmatch(value):
            raise ValueError(f"of which the value of {key!r} has more than letters, digits, spaces and _.:/=+-@")
    return tags


def _boolean(text: str) -> object:
    return {"true": True, "false": False}.get(text, text)


_EmptyIsNone = BeforeValidator(lambda value: None if value == "" else value)
# Pydantic's own takes `yes`, `on` and `1`, which the engine does not.
_TrueOrFalse = Annotated[bool, BeforeValidator(_boolean), Field(strict=True)]
_BucketName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"), AfterValidator(_taken_as_bucket)
]
# No glob characters, which DuckDB would expand, and nothing that a URL would have to escape.
_FOLDER = "[A-Za-z0-9][A-Za-z0-9_.=-]*"
_Prefix = Annotated[str, StringConstraints(pattern=rf"^{_FOLDER}(/{_FOLDER})*$", max_length=200)]
_A_KEY = "a KMS key's ARN, arn:aws:kms:<region>:<account>:key/<id>; no alias"
_KmsKeyArn = Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[\w-]+$")]
_PolicyArn = Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\w+=,.@/-]+$")]
_TopicArn = Annotated[
    str, StringConstraints(pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]+$", max_length=400)
]
_SecretName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9/_+=.@-]{1,512}$"), AfterValidator(_taken_as_secret)
]
_Positive = Annotated[int, Field(ge=1)]
_Email = Annotated[str, StringConstraints(pattern=r"^[^@\s,]+@[^@\s,]+\.[^@\s,.]+$")]


class StackSettings(BaseModel):
    """A stack's settings, from text as the engine hands it over; an empty text is no value."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clients: str = _setting(
        "a folder that holds <client>.yaml, relative to Pulumi.yaml's folder, or absolute (or none, for a platform "
        "whose clients are in stacks of their own)",
        "clients/prod",
        min_length=1,
    )
    # The clients of a platform may be too many for one stack, or another team's.
    platform_stack: Annotated[str, StringConstraints(pattern=r"^([\w.-]+/[\w.-]+/[\w.-]+)?$")] = _setting(
        "the stack that has the server, as organization/project/stack"
    )
    # Agreed with clients as "at least 14 days": S3 expires at the first midnight UTC after.
    retention_days: int = _setting("a whole number of days, 1 to 3,650", "14", ge=1, le=3_650)
    lake_bucket: Annotated[_BucketName | None, _EmptyIsNone] = _setting("an existing bucket's name")
    lake_prefix: _Prefix = _setting("folders without a slash at either end, of letters, digits and _.=-", "referrals")
    lake_kms_key_arn: Annotated[_KmsKeyArn | None, _EmptyIsNone] = _setting(f"{_A_KEY}, of the existing lake")
    # Of the stack's own lake. A delivery may be made again, byte for byte, for as long; more than a year, so that the
    # same season of last year can still be asked for.
    lake_retention_days: int = _setting("a whole number of days, 7 to 3,650", "400", ge=7, le=3_650)
    # Who asked for what: long enough to look into an incident that was noticed late.
    access_log_retention_days: int = _setting("a whole number of days, 1 to 3,650", "90", ge=1, le=3_650)
    encryption: Literal["aws", "stack"] | _KmsKeyArn = _setting(
        f"aws (keys of AWS's own), stack (a key that the stack makes) or {_A_KEY}", "stack"
    )
    # 1,769 MB is one vCPU, enough for some million rows a minute; more memory is more CPU.
    function_memory_mb: int = _setting("a whole number of MB, 1,024 to 10,240", "1769", ge=1_024, le=10_240)
    # Nothing of a delivery lies in /tmp but a pipe.
    function_ephemeral_mb: int = _setting("a whole number of MB, 512 to 10,240", "512", ge=512, le=10_240)
    # Reserved for this function: the most that run at once, whatever else the account runs.
    # https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
    function_concurrency: Annotated[_Positive | None, _EmptyIsNone] = _setting(
        "a whole number from 1; an account must keep 100 unreserved", "50"
    )
    # https://docs.aws.amazon.com/scheduler/latest/APIReference/API_FlexibleTimeWindow.html
    spread_minutes: int = _setting("a whole number of minutes, 0 to 1,440", "15", ge=0, le=1_440)
    log_retention_days: Annotated[int, AfterValidator(_kept_by_cloudwatch)] = _setting(
        f"days that CloudWatch takes: {', '.join(map(str, LOG_RETENTION_DAYS))}", "30"
    )
    alarm_email: Annotated[_Email | None, _EmptyIsNone] = _setting("one mail address", "oncall@example.com")
    # A topic that others publish to as well: whoever receives this team's alarms is subscribed there already.
    alarm_topic_arn: Annotated[_TopicArn | None, _EmptyIsNone] = _setting(
        "an existing SNS topic's ARN, arn:aws:sns:<region>:<account>:<name>, in the place of alarm_email"
    )
    # An identity of SES, itself or its domain. https://docs.aws.amazon.com/ses/latest/dg/creating-identities.html
    notice_sender: Annotated[_Email | None, _EmptyIsNone] = _setting(
        "one mail address, which SES may send from", "files@example.com"
    )
    # The secret that `referralctl pgp make-signing-key` makes: this program never sees the key.
    pgp_signing_secret: Annotated[_SecretName | None, _EmptyIsNone] = _setting(
        "a name for a secret in Secrets Manager, of letters, digits and /_+=.@-; no ARN", "referrals/pgp-signing-key"
    )
    tags: Json[Annotated[dict[str, str], BeforeValidator(_texts), AfterValidator(_taken_as_tags)]] = _setting(
        f"at most {MAX_OWN_TAGS} tags of your own, none of them {', '.join(sorted(OUR_TAGS))} or aws:…, each set with "
        "`pulumi config set --path --type string tags.<key> <value>`"
    )
    role_path: Annotated[str, StringConstraints(pattern=r"^/([\w+=,.@-]+/)*$", max_length=512)] = _setting(
        "a path for IAM roles that begins and ends with a slash", "/delivery/"
    )
    permissions_boundary: Annotated[_PolicyArn | None, _EmptyIsNone] = _setting(
        "an IAM policy's ARN, arn:aws:iam::<account>:policy/<name>"
    )
    # Off by default, so that a trial stack can be destroyed. With it somebody must receive the alarms.
    production: _TrueOrFalse = _setting("true or false", "true")
    # host_key.py reads the two, and says what of them is refused.
    sftp_host_key: Annotated[SecretStr | None, _EmptyIsNone] = _setting("a private key in PEM")
    sftp_further_host_keys: Json[list[SecretStr]] = _setting(
        "a list of private keys in PEM, each set with `pulumi config set --secret --path 'sftp_further_host_keys[0]'`"
    )

    @property
    def clients_folder(self) -> Path | None:
        """Where the client files are, if any: a relative path starts at Pulumi.yaml's folder, never at infra/."""
        return None if self.clients == NO_CLIENTS else PROJECT_FOLDER / self.clients


def project_file() -> dict[str, Any]:
    """Pulumi.yaml's content."""
    content: dict[str, Any] = yaml.safe_load((PROJECT_FOLDER / "Pulumi.yaml").read_text(encoding="utf-8"))
    return content


def defaults() -> dict[str, str]:
    """Each setting's default as the engine hands it over: text."""
    declared = {name: each["default"] for name, each in project_file()["config"].items()}
    return {name: text if isinstance(text, str) else json.dumps(text) for name, text in declared.items()}
