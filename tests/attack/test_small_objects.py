"""Twenty thousand small objects, each request of which takes as long as S3's do, in one invocation's time."""

import dataclasses
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from referral_delivery.delivery.report import Status
from referral_delivery.lake import connection
from tests.slow_s3 import LATENCY_SECONDS, slow_s3
from tests.stack.conftest import MEMORY_MB, Lab
from tests.support import parquet, utc

pytestmark = pytest.mark.attack

OBJECTS, ROWS = 20_000, 20
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html
INVOCATION_SECONDS = 900


@pytest.mark.timeout(1_500)
def test_twenty_thousand_small_objects_are_delivered_within_one_invocation(
    lab: Lab, record_property: Callable[[str, object], None]
) -> None:
    identities = [f"r{number:02d}" for number in range(ROWS)]
    body = parquet([{"referral_id": each, "received_at": "2026-11-20 09:00:00"} for each in identities])
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: lab.put("2026-11-20 09", body), range(OBJECTS)))
    credentials = lab.session.get_credentials()
    assert credentials is not None
    with slow_s3(lab.stack.s3.meta.endpoint_url, latency_seconds=LATENCY_SECONDS) as slow:
        writer = dataclasses.replace(
            lab.exporter.writer,
            connect=lambda: connection.connect(
                endpoint_url=slow.url,
                region="ap-southeast-2",
                bucket=lab.stack["lake_bucket"],
                credentials=credentials.get_frozen_credentials(),
                memory_mb=MEMORY_MB,
            ),
        )
        lab.__dict__["exporter"] = dataclasses.replace(lab.exporter, writer=writer)
        ends = time.monotonic() + INVOCATION_SECONDS
        report = lab.deliver(due=utc("2026-11-20 10:00"), seconds_left=lambda: ends - time.monotonic())
        took = INVOCATION_SECONDS - (ends - time.monotonic())
    assert (report.status, sum(each.rows for each in report.deliveries)) == (Status.DELIVERED, OBJECTS * ROWS)
    assert len(lab.delivered()) == OBJECTS * ROWS
    record_property("small objects", OBJECTS)
    print(
        f"{OBJECTS:,} objects: {took:.0f} s, {sum(slow.requests.values()):,} requests in {len(report.deliveries)} files"
    )
