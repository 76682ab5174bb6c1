"""The stack: from a folder of client files to users, schedules and the function that serves them."""

import gc
import sys
from datetime import UTC, datetime
from pathlib import Path

# `pulumi install` gives .venv what requirements.lock pins, by hash; pip installs no project beside hashes, so its
# packages are found here. https://pip.pypa.io/en/stable/topics/secure-installs/#hash-checking-mode
sys.path.extend(str(Path(__file__).resolve().parents[1] / folder) for folder in (".", "functions"))

import pulumi
import pulumi_aws as aws

from infra import artifact, configuration, host_key
from infra.clients import deploy_clients
from infra.errors import Refused
from infra.platform_stack import refer_to
from infra.stack import deploy_platform
from referral_delivery.agreement.client_files import load_folder
from referral_delivery.errors import ClientFileError

# What a program makes, it keeps: looking through it for garbage, again and again, took half of the time that 3,000
# clients need, and more than its share as they grow (benchmarks/).
gc.disable()

try:
    settings = configuration.load()
    today = datetime.now(UTC).date()
    clients = load_folder(settings.clients_folder, today=today) if settings.clients_folder else []
    package = None if settings.platform_stack else artifact.build(artifact.deployed_target())
except (Refused, ClientFileError) as refusal:
    # The engine prints the message of a RunError alone, and a traceback of all others.
    raise pulumi.RunError(str(refusal)) from refusal
deployment = configuration.deployment(settings, account_id=aws.get_caller_identity().account_id)
if package is None:
    platform = refer_to(settings.platform_stack, deployment)
else:
    host_keys = host_key.from_config(pulumi.Config())
    platform = deploy_platform(settings, package, deployment=deployment, host_keys=host_keys)
outputs = platform.outputs | deploy_clients(
    clients,
    platform,
    deployment=deployment,
    spread_minutes=settings.spread_minutes,
    today=today,
)
for name, value in outputs.items():
    pulumi.export(name, value)
