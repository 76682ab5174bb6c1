"""Reads a stack's configuration, or refuses it with everything that is wrong with it."""

import difflib
import os
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import botocore.session
import pulumi
from pulumi.runtime.config import CONFIG, is_config_secret
from pydantic import ValidationError

from infra import PROJECT_FOLDER, host_key
from infra.deployment import Deployment
from infra.errors import SettingsRefused
from infra.settings import NO_CLIENTS, SECRET_SETTINGS, SETTINGS_OF_CLIENTS, NoText, StackSettings, defaults
from referral_delivery.errors import ContractError

# "<project>-<stack>" leads every name; the longest, a client's role, must stay within IAM's 64 characters.
MAX_PREFIX_CHARACTERS = 24
_STACK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_FOUND_CHARACTERS = 80
# Set without `aws:`, by people who mean the provider.
_PROVIDERS_SETTINGS = ("region", "profile")
_SEVERAL = re.compile(r"[\s,;]+")


def load() -> StackSettings:
    """The stack's settings.

    SettingsRefused has a line for each finding: setting, found, expected, and the command that puts it right.
    """
    given = _given()
    findings = [*_unknown(given), *_about_the_stack(), *_about_the_region()]
    known = {name: text for name, text in given.items() if name in StackSettings.model_fields}
    try:
        settings = StackSettings.model_validate(known)
    except ValidationError as error:
        findings += _wrong(error, given)
    else:
        findings += [*_about_host_keys(settings), *_about_kms_keys(settings), *_about_alarms(settings)]
        findings += _about_the_platform(settings, given)
        _warn_of_an_own_lake(settings)
    findings += _about_the_folder(given.get("clients", ""))
    if findings:
        count = f"{len(findings)} findings" if len(findings) > 1 else "1 finding"
        lines = "\n".join(f"  {finding}" for finding in findings)
        raise SettingsRefused(f"the configuration of stack {pulumi.get_stack()!r} is refused, {count}:\n{lines}")
    return settings


def name_prefix() -> str:
    """`<project>-<stack>`, which leads the names of all resources."""
    return f"{pulumi.get_project()}-{pulumi.get_stack()}"


def region() -> str:
    """The region that the stack is deployed to; where the provider finds it, so does this."""
    return (
        pulumi.Config("aws").get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION", "")
    )


def deployment(settings: StackSettings, *, account_id: str) -> Deployment:
    """What all resources of the stack share."""
    return Deployment(
        prefix=name_prefix(),
        partition=str(botocore.session.Session().get_partition_for_region(region())),
        region=region(),
        account_id=account_id,
        tags=settings.tags | {"project": pulumi.get_project(), "stack": pulumi.get_stack()},
        role_path=settings.role_path,
        permissions_boundary=settings.permissions_boundary,
    )


def _given() -> dict[str, Any]:
    """What is configured in the project's namespace, by setting."""
    namespace = f"{pulumi.get_project()}:"
    # No public call lists a namespace; `pulumi.Config` asks for one key at a time.
    return {key.removeprefix(namespace): text for key, text in CONFIG.get().items() if key.startswith(namespace)}


def _unknown(given: dict[str, Any]) -> Iterator[str]:
    fields = StackSettings.model_fields
    for name in sorted(given.keys() - fields.keys()):
        of_provider = re.sub("[^a-z]", "", name.casefold()).removeprefix("aws")
        if of_provider in _PROVIDERS_SETTINGS:
            value = _region_meant(str(given[name])) if of_provider == "region" else "…"
            yield (
                f"{name}: no setting of this project but of its provider, aws:{of_provider}; do `pulumi config rm "
                f"{name}`, and `pulumi config set aws:{of_provider} {value}`"
            )
            continue
        near = difflib.get_close_matches(name, fields, n=1, cutoff=0.5)
        meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(fields)};"
        yield f"{name}: no such setting; {meant} do `pulumi config rm {name}`" + (
            f", and `pulumi config set {near[0]} …`" if near else ""
        )


def _wrong(error: ValidationError, given: dict[str, Any]) -> Iterator[str]:
    told = set()
    for detail in error.errors(include_url=False):
        name = str(detail["loc"][0])
        if name in told:  # a union's members each find something
            continue
        told.add(name)
        if not given.get(name) or detail["type"] == "missing":
            yield _finding(name, "nothing")
            continue
        found = "what is not shown here" if name in SECRET_SETTINGS else repr(str(given[name])[:_FOUND_CHARACTERS])
        refused = detail["ctx"]["error"] if detail["type"] == "value_error" else None
        command = refused.command if isinstance(refused, NoText) else None
        yield _finding(name, f"{found}, {refused}" if refused else found, command=command)


def _about_host_keys(settings: StackSettings) -> Iterator[str]:
    config = pulumi.Config()
    for name in SECRET_SETTINGS:
        if getattr(settings, name) and not is_config_secret(config.full_key(name)):
            yield f"{name}: found text that is not encrypted; do `pulumi config set --secret {name} …` with a new key"
    try:
        host_key.from_config(config)
    except ContractError as error:
        yield str(error)


def _about_kms_keys(settings: StackSettings) -> Iterator[str]:
    if settings.lake_kms_key_arn and not settings.lake_bucket:
        yield (
            "lake_kms_key_arn: found a key, and no existing lake that it would be for: the stack's own lake is under "
            "`encryption`; do `pulumi config rm lake_kms_key_arn`, or set lake_bucket"
        )
    for name in ("encryption", "lake_kms_key_arn"):
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-encryption.html
        yield from _of_another_region(settings, name, "a key")


def _of_another_region(settings: StackSettings, name: str, thing: str) -> Iterator[str]:
    _, _, _, found, *_ = f"{getattr(settings, name)}:::".split(":")
    if found and found != region():
        yield f"{name}: found {thing} of {found}; expected one of the stack's region, {region()}"


def _about_alarms(settings: StackSettings) -> Iterator[str]:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
    yield from _of_another_region(settings, "alarm_topic_arn", "a topic")
    if settings.production and not (settings.alarm_email or settings.alarm_topic_arn or settings.platform_stack):
        yield _finding("alarm_email", "nothing in a production stack, whose alarms would reach nobody")
    if settings.alarm_email and settings.alarm_topic_arn:
        yield (
            "alarm_email: found it beside alarm_topic_arn; expected one of the two, and whoever is told subscribed "
            "to that topic; do `pulumi config rm alarm_email`"
        )


def _warn_of_an_own_lake(settings: StackSettings) -> None:
    """The program does not see what the stack had before; a production stack's lake is protected."""
    if settings.lake_bucket and not settings.production:
        pulumi.log.warn(
            "lake_bucket: if this stack has made a lake of its own before, `pulumi up` deletes it now, with all of its "
            "referrals. To keep them, copy them first, under the same keys: `aws s3 sync s3://$(pulumi stack output "
            f"lake_bucket)/{settings.lake_prefix}/ s3://{settings.lake_bucket}/{settings.lake_prefix}/`"
        )


def _about_the_platform(settings: StackSettings, given: dict[str, Any]) -> Iterator[str]:
    if not settings.platform_stack:
        return
    # A file backend's organization is `organization`; without an engine there is none.
    own = f"{pulumi.get_organization() or 'organization'}/{pulumi.get_project()}/{pulumi.get_stack()}"
    if settings.platform_stack == own:
        yield (
            "platform_stack: found this stack itself; expected the one that has the server, or nothing where it is "
            "this one; do `pulumi config rm platform_stack`"
        )
        return
    if settings.clients_folder is None:
        yield _finding("clients", f"{NO_CLIENTS!r} in a stack that refers to a platform")
    for name, default in defaults().items():
        if name not in SETTINGS_OF_CLIENTS and given.get(name) != default:
            yield (
                f"{name}: found in a stack that refers to {settings.platform_stack}, and has no effect here; do "
                f"`pulumi config rm {name}`, and set it there"
            )


def _about_the_folder(text: str) -> Iterator[str]:
    folder = PROJECT_FOLDER / text
    if text and text != NO_CLIENTS and not folder.is_dir():
        yield _finding("clients", f"{text!r}, and {folder} is no folder")


def _finding(name: str, found: str, *, command: str | None = None) -> str:
    field = StackSettings.model_fields[name]
    if command is None:
        command = f"set {name} {field.examples[0]}" if field.examples else f"set {name} …` or `pulumi config rm {name}"
    return f"{name}: found {found}; expected {field.description}; do `pulumi config {command}`"


def _about_the_stack() -> Iterator[str]:
    project, stack, prefix = pulumi.get_project(), pulumi.get_stack(), name_prefix()
    if not _STACK_NAME.fullmatch(stack):
        yield (
            f"stack name: found {stack!r}; expected letters, digits and hyphens, because it leads the names of AWS "
            f"resources; do `pulumi stack rename {re.sub('[^A-Za-z0-9-]+', '-', stack).strip('-') or 'prod'}`"
        )
    if len(prefix) > MAX_PREFIX_CHARACTERS:
        allowed = MAX_PREFIX_CHARACTERS - len(project) - 1
        yield (
            f"stack name: found {stack!r}; expected at most {allowed} characters, because {prefix!r} leads the names "
            f"of AWS resources; do `pulumi stack rename {stack[: max(allowed, 1)].strip('-')}`"
        )


def _about_the_region() -> Iterator[str]:
    found = region()
    if found not in _regions():
        one = (
            "one region of AWS, and a stack of its own for each other" if _SEVERAL.search(found) else "a region of AWS"
        )
        yield f"aws:region: found {found!r}; expected {one}; do `pulumi config set aws:region {_region_meant(found)}`"


def _region_meant(found: str) -> str:
    """The region that is nearest to the first word of a text."""
    first = _SEVERAL.split(found.strip().casefold().replace("_", "-"))[0]
    return (difflib.get_close_matches(first, _regions(), n=1, cutoff=0) or ["eu-west-1"])[0]


@lru_cache(maxsize=1)
def _regions() -> tuple[str, ...]:
    session = botocore.session.Session()
    return tuple(
        name
        for partition in session.get_available_partitions()
        for name in session.get_available_regions("sts", partition, allow_non_regional=False)
    )
