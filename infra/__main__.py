"""The stack: from a folder of client files to users, schedules and the function that serves them."""

import gc
from datetime import UTC, datetime

import pulumi
import pulumi_aws as aws

from infra import artifact
from infra.settings import StackSettings, name_prefix
from infra.stack import deploy
from referral_delivery.client_files import load_folder

# What a program makes, it keeps: looking through it for garbage, again and again, took half of the time that 3,000
# clients need, and more than its share as they grow (benchmarks/).
gc.disable()

settings = StackSettings.load()
outputs = deploy(
    settings,
    load_folder(settings.clients),
    artifact.build(artifact.TARGETS[settings.function_target]()),
    prefix=name_prefix(),
    host_key=pulumi.Config().get_secret("sftp_host_key"),
    account_id=aws.get_caller_identity().account_id,
    region=pulumi.Config("aws").require("region"),
    today=datetime.now(UTC).date(),
)
for name, value in outputs.items():
    pulumi.export(name, value)
