"""Typed configuration of a stack. `Pulumi.yaml` declares the same fields and defaults for the engine."""

from pathlib import Path
from typing import Annotated, Any, Literal

import pulumi
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from referral_delivery.errors import ContractError

PROJECT_FOLDER = Path(__file__).resolve().parent.parent

# "<project>-<stack>" leads every name; the longest, a client's role, must stay within IAM's 64 characters.
MAX_PREFIX_CHARACTERS = 24

_EmptyIsNone = BeforeValidator(lambda value: value or None)


class StackSettings(BaseModel):
    """What may differ between stacks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clients: Path = Field(description="Folder of client files, relative to Pulumi.yaml")
    # Agreed with clients as "at least 14 days": S3 expires at the first midnight UTC after.
    retention_days: int = Field(default=14, ge=1, le=3_650)
    # Default: a lake of our own, because a stack must work with region and clients only.
    lake_bucket: Annotated[str | None, _EmptyIsNone] = None
    kms_key_arn: Annotated[str | None, _EmptyIsNone, Field(pattern=r"^arn:aws[a-z-]*:kms:[^:]+:\d{12}:key/.+$")] = None
    # MB. 1,769 is one vCPU, enough for some million rows a minute; more memory is more CPU.
    function_memory_mb: int = Field(default=1_769, ge=1_024, le=10_240)
    # `local` packs for the interpreter at hand, for an emulator that runs the function with it.
    function_target: Literal["lambda", "local"] = "lambda"
    # Days. Long enough to look into last month's deliveries.
    log_retention_days: int = Field(default=30)
    alarm_email: Annotated[str | None, _EmptyIsNone] = None
    # Off by default, so that a trial stack can be destroyed.
    production: bool = False

    @classmethod
    def load(cls) -> "StackSettings":
        """Read the stack's configuration; ContractError names the setting that is wrong."""
        config = pulumi.Config()
        values = {name: _typed(config, name, field.annotation) for name, field in cls.model_fields.items()}
        try:
            settings = cls.model_validate({name: value for name, value in values.items() if value is not None})
        except ValidationError as error:
            findings = "; ".join(f"{config.name}:{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise ContractError(f"stack configuration: {findings}; set it with `pulumi config set`") from error
        return settings.model_copy(update={"clients": PROJECT_FOLDER / settings.clients})


def name_prefix() -> str:
    """`<project>-<stack>`, which leads the names of all resources."""
    prefix = f"{pulumi.get_project()}-{pulumi.get_stack()}"
    if len(prefix) > MAX_PREFIX_CHARACTERS:
        raise ContractError(
            f"{prefix!r} is {len(prefix)} characters; names of resources allow {MAX_PREFIX_CHARACTERS} for "
            "project and stack together: choose a shorter stack name"
        )
    return prefix


def _typed(config: pulumi.Config, name: str, annotation: Any) -> Any:
    if annotation is bool:
        return config.get_bool(name)
    return config.get(name)
