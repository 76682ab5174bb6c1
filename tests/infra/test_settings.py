"""The stack's configuration: what is refused, in which words, and that all of it is said at once."""

import json
import logging
from pathlib import Path

import pulumi
import pytest

from infra import PROJECT_FOLDER
from infra.settings import LOG_RETENTION_DAYS, StackSettings, project_file
from tests.infra.conftest import Program
from tests.recorder import REGION
from tests.support import host_key_pem

KEY = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
# setting, a wrong value, what the line says of it
WRONG = [
    ("clients", "", "found nothing; expected a folder that holds <client>.yaml"),
    ("clients", "clients/prdo", f"found 'clients/prdo', and {PROJECT_FOLDER / 'clients/prdo'} is no folder"),
    ("clients", "README.md", f"found 'README.md', and {PROJECT_FOLDER / 'README.md'} is no folder"),
    ("clients", "/no/such", "found '/no/such', and /no/such is no folder"),
    ("platform_stack", "prod", "found 'prod'; expected the stack that has the server, as organization/project/stack"),
    ("retention_days", "0", "found '0'; expected a whole number of days, 1 to 3,650"),
    ("retention_days", "-1", "found '-1'"),
    ("retention_days", "3651", "found '3651'"),
    ("retention_days", "14.5", "found '14.5'"),
    ("retention_days", "a fortnight", "found 'a fortnight'"),
    ("retention_days", "", "found nothing"),
    ("lake_bucket", "s3://company-lake", "found 's3://company-lake'; expected an existing bucket's name"),
    ("lake_bucket", "Company_Lake", "found 'Company_Lake'"),
    ("lake_bucket", "company-lake/referrals", "found 'company-lake/referrals'"),
    (
        "lake_bucket",
        "my..bucket",
        "found 'my..bucket', which has two dots in a row; expected an existing bucket's name",
    ),
    ("lake_bucket", "192.168.5.4", "found '192.168.5.4', which is an IP address; expected"),
    ("lake_bucket", "xn--lake", "found 'xn--lake', which begins with xn--, as no bucket does; expected"),
    ("lake_bucket", "lake-s3alias", "found 'lake-s3alias', which ends in -s3alias, as no bucket does; expected"),
    ("lake_bucket", "lake.mrap", "which ends in .mrap, as no bucket does"),
    ("lake_prefix", "", "found nothing; expected folders without a slash at either end"),
    ("lake_prefix", "/referrals", "found '/referrals'; expected folders without a slash at either end"),
    ("lake_prefix", "referrals/", "found 'referrals/'"),
    ("lake_prefix", "a//b", "found 'a//b'"),
    ("lake_prefix", "referrals/*", "found 'referrals/*'"),
    ("lake_prefix", "s3://lake/referrals", "found 's3://lake/referrals'"),
    ("lake_kms_key_arn", "alias/lake", "found 'alias/lake'; expected a KMS key's ARN"),
    ("lake_retention_days", "6", "found '6'; expected a whole number of days, 7 to 3,650"),
    ("lake_retention_days", "for ever", "found 'for ever'"),
    ("access_log_retention_days", "0", "found '0'; expected a whole number of days, 1 to 3,650"),
    ("encryption", "", "found nothing; expected aws (keys of AWS's own), stack (a key that the stack makes) or a KMS"),
    ("encryption", "kms", "found 'kms'; expected aws (keys of AWS's own), stack (a key that the stack makes) or a KMS"),
    ("encryption", "alias/downloads", "found 'alias/downloads'"),
    ("encryption", KEY.replace(":key/", ":alias/"), ":alias/11111111-2222-3333-4444-555555555555'; expected"),
    ("encryption", KEY.replace("123456789012", "1234"), "or a KMS key's ARN"),
    ("encryption", "11111111-2222-3333-4444-555555555555", "or a KMS key's ARN"),
    ("function_memory_mb", "1023", "found '1023'; expected a whole number of MB, 1,024 to 10,240"),
    ("function_memory_mb", "10241", "found '10241'"),
    ("function_memory_mb", "2GB", "found '2GB'"),
    (
        "log_retention_days",
        "31",
        "found '31', which CloudWatch does not take; expected days that CloudWatch takes: 1, 3",
    ),
    ("log_retention_days", "0", "found '0', which CloudWatch does not take"),
    ("log_retention_days", "forever", "found 'forever'; expected days that CloudWatch takes"),
    ("alarm_email", "oncall", "found 'oncall'; expected one mail address"),
    ("alarm_email", "a@example.com, b@example.com", "found 'a@example.com, b@example.com'"),
    ("alarm_email", "oncall@example", "found 'oncall@example'"),
    ("notice_sender", "Acme <files@example.com>", "expected one mail address, which SES may send from"),
    ("pgp_signing_secret", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:pgp-AbCdEf", "a name for a secret"),
    (
        "pgp_signing_secret",
        "pgp-secret",
        "found 'pgp-secret', which ends in a hyphen and six characters, as an ARN does; expected a name for a secret",
    ),
    ("pgp_signing_secret", "our key", "found 'our key'; expected a name for a secret in Secrets Manager, of letters"),
    ("alarm_topic_arn", "oncall", "found 'oncall'; expected an existing SNS topic's ARN"),
    ("alarm_topic_arn", "arn:aws:sqs:eu-west-1:123456789012:oncall", "expected an existing SNS topic's ARN"),
    ("function_ephemeral_mb", "511", "found '511'; expected a whole number of MB, 512 to 10,240"),
    ("function_concurrency", "0", "found '0'; expected a whole number from 1"),
    ("function_concurrency", "many", "found 'many'; expected a whole number from 1"),
    ("spread_minutes", "1441", "found '1441'; expected a whole number of minutes, 0 to 1,440"),
    ("spread_minutes", "", "found nothing; expected a whole number of minutes"),
    ("tags", "team=crm", "found 'team=crm'; expected at most 46 tags of your own"),
    ("tags", '{"aws:team": "crm"}', "of which 'aws:team' is not yours to set; expected"),
    ("tags", '{"client": "crm"}', "of which 'client' is not yours to set; expected"),
    ("tags", '{"team": "crm; drop"}', "of which the value of 'team' has more than letters"),
    ("tags", json.dumps({"k" * 129: "crm"}), "is not taken: keys have 1 to 128 characters"),
    ("tags", json.dumps({str(number): "x" for number in range(47)}), ", which are 47; expected at most 46 tags"),
    ("tags", '["live"]', "expected at most 46 tags of your own"),
    ("role_path", "delivery", "found 'delivery'; expected a path for IAM roles that begins and ends with a slash"),
    ("role_path", "", "found nothing"),
    ("permissions_boundary", "boundary", "found 'boundary'; expected an IAM policy's ARN"),
    ("permissions_boundary", "arn:aws:iam::123456789012:role/x", "expected an IAM policy's ARN"),
    ("production", "yes", "found 'yes'; expected true or false; do `pulumi config set production true`"),
    ("production", "True", "found 'True'"),
    ("production", "1", "found '1'"),
    ("production", "", "found nothing"),
    ("sftp_further_host_keys", "a key", "found what is not shown here; expected a list of private keys in PEM"),
]
MISSPELT = [
    ("client", "clients"),
    ("retention-days", "retention_days"),
    ("retentionDays", "retention_days"),
    ("lake_buckets", "lake_bucket"),
    ("lake_folder_prefix", "lake_prefix"),
    ("lake_kms_key", "lake_kms_key_arn"),
    ("lake_retention", "lake_retention_days"),
    ("access_log_retention", "access_log_retention_days"),
    ("encrypt", "encryption"),
    ("function_memory", "function_memory_mb"),
    ("log_retention", "log_retention_days"),
    ("alarm_mail", "alarm_email"),
    ("notices_sender", "notice_sender"),
    ("signing_secret", "pgp_signing_secret"),
    ("alarm_topic", "alarm_topic_arn"),
    ("ephemeral_mb", "function_ephemeral_mb"),
    ("concurrency", "function_concurrency"),
    ("spread_minuts", "spread_minutes"),
    ("tag", "tags"),
    ("rolepath", "role_path"),
    ("permission_boundary", "permissions_boundary"),
    ("productoin", "production"),
    ("sftp_hostkey", "sftp_host_key"),
    ("platform_stak", "platform_stack"),
    ("sftp_other_host_keys", "sftp_further_host_keys"),
]


# What the engine makes of `pulumi config set --path tags.live true` and the like.
NO_TEXT = [
    ("true", "'live' is true, a boolean, and not text; ", "true"),
    ("2026", "'live' is 2026, a number, and not text; ", "2026"),
    ('{"since": "May"}', """'live' is {"since": "May"}, no value of one tag, and not text; """, "…"),
]


def refusal(program: Program, folder: Path, /, *, stack: str = "test", region: str = REGION, **config: str) -> str:
    """What the engine would print."""
    with pytest.raises(pulumi.RunError) as refused:
        program(folder, stack=stack, region=region, **config)
    return str(refused.value)


def lines(text: str) -> list[str]:
    """The findings of a refusal, one a line."""
    first, *rest = text.splitlines()
    assert first == f"the configuration of stack 'test' is refused, {len(rest)} finding{'s' * (len(rest) > 1)}:"
    return [line.strip() for line in rest]


@pytest.mark.parametrize(("setting", "value", "said"), WRONG)
def test_a_wrong_value_is_one_line_that_says_what_to_do(
    program: Program, clients: Path, setting: str, value: str, said: str
) -> None:
    (line,) = lines(refusal(program, clients, **{setting: value}))
    assert line.startswith(f"{setting}: found ")
    assert said in line
    assert "; do `pulumi config set " in line


@pytest.mark.parametrize(("name", "meant"), MISSPELT)
def test_a_misspelt_setting_is_refused_with_the_one_that_was_meant(
    program: Program, clients: Path, name: str, meant: str
) -> None:
    (line,) = lines(refusal(program, clients, **{name: "14"}))
    assert line == (
        f"{name}: no such setting; did you mean {meant}? do `pulumi config rm {name}`, "
        f"and `pulumi config set {meant} …`"
    )


@pytest.mark.parametrize(("value", "said", "to_set"), NO_TEXT)
def test_a_tag_that_is_no_text_is_named_with_what_it_is_and_the_command_that_makes_it_text(
    program: Program, clients: Path, value: str, said: str, to_set: str
) -> None:
    (line,) = lines(refusal(program, clients, tags=f'{{"team": "crm", "live": {value}}}'))
    assert f"', of which {said}expected at most 46 tags of your own, none of them " in line
    assert line.endswith(f"""; do `pulumi config set --path --type string 'tags["live"]' {to_set}`""")


@pytest.mark.parametrize(
    ("name", "setting"), [("Region", "region"), ("awsRegion", "region"), ("aws_profile", "profile")]
)
def test_a_setting_of_the_provider_without_its_namespace_is_told_its_name(
    program: Program, clients: Path, name: str, setting: str
) -> None:
    (line,) = lines(refusal(program, clients, **{name: "AP-Southeast-2"}))
    assert line == (
        f"{name}: no setting of this project but of its provider, aws:{setting}; do `pulumi config rm {name}`, and "
        f"`pulumi config set aws:{setting} {'ap-southeast-2' if setting == 'region' else '…'}`"
    )


@pytest.mark.parametrize("production", ["true", "false"])
def test_a_production_stack_whose_alarms_reach_nobody_is_refused(
    program: Program, clients: Path, production: str
) -> None:
    if production == "false":
        assert program(clients, production=production).of("TopicSubscription") == []
        return
    (line,) = lines(refusal(program, clients, production=production))
    assert line == (
        "alarm_email: found nothing in a production stack, whose alarms would reach nobody; expected one mail address; "
        "do `pulumi config set alarm_email oncall@example.com`"
    )


def test_a_stack_that_refers_to_itself_as_its_platform_is_refused_for_that_alone(
    program: Program, clients: Path
) -> None:
    own = "organization/referrals/test"
    (line,) = lines(refusal(program, clients, platform_stack=own, retention_days="7"))
    assert line == (
        "platform_stack: found this stack itself; expected the one that has the server, or nothing where it is this "
        "one; do `pulumi config rm platform_stack`"
    )


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        ({"lake_bucket": "company-lake", "lake_prefix": "events/referrals"}, True),
        ({"lake_bucket": "company-lake", "production": "true", "alarm_email": "oncall@example.com"}, False),
        ({}, False),
    ],
)
def test_a_trial_stack_with_an_existing_lake_is_warned_that_its_own_one_goes_and_how_to_keep_it(
    program: Program, clients: Path, caplog: pytest.LogCaptureFixture, settings: dict[str, str], warned: bool
) -> None:
    with caplog.at_level(logging.WARNING):
        program(clients, **settings)
    said = [record.getMessage() for record in caplog.records if record.getMessage().startswith("lake_bucket: ")]
    assert len(said) == warned
    for line in said:
        assert "`pulumi up` deletes it now, with all of its referrals. To keep them, copy them first" in line
        assert line.endswith(
            "$(pulumi stack output lake_bucket)/events/referrals/ s3://company-lake/events/referrals/`"
        )


def test_a_key_of_another_region_is_refused_since_s3_would_not_take_it(program: Program, clients: Path) -> None:
    abroad = KEY.replace("eu-west-1", "us-east-1")
    (line,) = lines(refusal(program, clients, encryption=abroad))
    assert line == "encryption: found a key of us-east-1; expected one of the stack's region, eu-west-1"
    (line,) = lines(refusal(program, clients, lake_bucket="company-lake", lake_kms_key_arn=abroad))
    assert line.startswith("lake_kms_key_arn: found a key of us-east-1; ")


def test_a_lakes_key_without_an_existing_lake_is_refused_since_it_would_have_no_effect(
    program: Program, clients: Path
) -> None:
    (line,) = lines(refusal(program, clients, lake_kms_key_arn=KEY))
    assert line.startswith("lake_kms_key_arn: found a key, and no existing lake that it would be for")


def test_what_is_wrong_with_a_host_key_is_a_line_of_the_refusal(program: Program, clients: Path) -> None:
    (line,) = lines(refusal(program, clients, sftp_host_key="ssh-ed25519 AAAA"))
    assert line.startswith("sftp_host_key: it is a public key, expected a private key in PEM; make one with ")


def test_a_host_key_that_is_not_encrypted_is_refused(
    program: Program, clients: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local_aws.program.SECRET_SETTINGS", ())
    (line,) = lines(refusal(program, clients, sftp_host_key=host_key_pem("ed25519")))
    assert line.startswith("sftp_host_key: found text that is not encrypted; do `pulumi config set --secret ")


def test_a_setting_that_is_like_none_is_refused_with_all_that_there_are(program: Program, clients: Path) -> None:
    (line,) = lines(refusal(program, clients, quux="1"))
    assert line == (
        f"quux: no such setting; there are {', '.join(StackSettings.model_fields)}; do `pulumi config rm quux`"
    )


def test_the_tables_have_every_setting() -> None:
    assert {setting for setting, *_ in WRONG} | {"sftp_host_key"} == set(StackSettings.model_fields)
    assert {meant for _, meant in MISSPELT} == set(StackSettings.model_fields)


def test_everything_that_is_wrong_is_said_at_once(program: Program, clients: Path) -> None:
    said = lines(
        refusal(program, clients, clients="nowhere", retention_days="0", production="yes", alarm_mail="x", region="eu")
    )
    assert [line.partition(":")[0] for line in said] == [
        *("alarm_mail", "aws", "retention_days", "production", "clients")
    ]


@pytest.mark.parametrize("found", ["", "eu-wset-1", "Ireland", "eu-west-1a", "EU-WEST-1", "eu_west_1"])
def test_a_wrong_region_is_refused_with_the_nearest(
    program: Program, clients: Path, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    (line,) = lines(refusal(program, clients, region=found))
    assert line.startswith(f"aws:region: found {found!r}; expected a region of AWS; do `pulumi config set aws:region ")
    if found.casefold().startswith("eu"):
        assert line.endswith(" eu-west-1`")


@pytest.mark.parametrize("found", ["ap-southeast-2,eu-west-1", "AP-SOUTHEAST-2 eu-west-1"])
def test_two_regions_are_refused_as_two_with_the_first(program: Program, clients: Path, found: str) -> None:
    (line,) = lines(refusal(program, clients, region=found))
    assert line == (
        f"aws:region: found {found!r}; expected one region of AWS, and a stack of its own for each other; do `pulumi "
        "config set aws:region ap-southeast-2`"
    )


@pytest.mark.parametrize(
    ("stack", "said"),
    [
        ("my.prod", "expected letters, digits and hyphens, because it leads the names of AWS resources; do "),
        ("my_prod", "do `pulumi stack rename my-prod`"),
        ("s" * 15, f"expected at most 14 characters, because 'referrals-{'s' * 15}' leads the names of AWS resources"),
    ],
)
def test_a_stack_name_that_cannot_lead_aws_names_is_refused(
    program: Program, clients: Path, stack: str, said: str
) -> None:
    text = refusal(program, clients, stack=stack)
    assert said in text
    assert "1 finding:" in text


def test_a_clients_folder_starts_at_pulumi_yaml_and_not_at_the_program(program: Program, clients: Path) -> None:
    assert "acme" in program(clients, clients="clients/example").outputs["client_folders"]
    assert "is no folder" in refusal(program, clients, clients="../clients/example/../../../nowhere")


def test_a_folder_without_client_files_removes_nobody(program: Program, tmp_path: Path) -> None:
    assert "no client file in it" in refusal(program, tmp_path)


def test_all_findings_of_all_client_files_are_said_at_once(program: Program, tmp_path: Path) -> None:
    for name in ("acme", "globex"):
        (tmp_path / f"{name}.yaml").write_text(f"client: {name}\n")
    text = refusal(program, tmp_path)
    assert "acme.yaml" in text
    assert "globex.yaml" in text


def test_every_log_retention_that_cloudwatch_takes_is_taken(program: Program, clients: Path) -> None:
    for days in (LOG_RETENTION_DAYS[0], LOG_RETENTION_DAYS[-1]):
        groups = program(clients, log_retention_days=str(days)).of("LogGroup")
        assert {group.inputs["retentionInDays"] for group in groups} == {days}


def test_pulumi_yaml_declares_exactly_the_settings_each_with_a_default_and_no_type() -> None:
    declared = project_file()["config"]
    assert set(declared) == set(StackSettings.model_fields)
    for each in declared.values():
        assert set(each) == {"default", "description"}
