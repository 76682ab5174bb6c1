"""`referralctl cost`: the lines, and that they follow what they should follow."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from referral_delivery.errors import ContractError
from referralctl.cost import PRICES, Measured, Stack, lines_of, read_measured
from referralctl.main import app
from tests.support import write_client

STACK = Stack(clients=100, deliveries_a_day=24, rows=1_000, memory_mb=1_769, gzip=False, retention_days=14)
MEASURED = Measured(
    date="2026-11-24",
    vcpus=2,
    start_seconds=0.5,
    delivery_seconds=0.5,
    row_seconds=1e-6,
    row_bytes=100,
    calls={"ListObjectsV2": 3, "CreateMultipartUpload": 1, "UploadPart": 1, "CompleteMultipartUpload": 1, "Query": 1},
)
PRICE = {name: entry["usd"] for name, entry in yaml.safe_load(PRICES.read_text())["prices"].items()}


def bill(stack: Stack = STACK, measured: Measured = MEASURED, *, prices: dict[str, float] = PRICE) -> dict[str, float]:
    """Dollars by line."""
    return {line["line"]: line["usd"] for line in lines_of(stack, measured, prices)}


def test_the_endpoint_costs_its_hours_whatever_is_delivered() -> None:
    assert (
        bill()["Transfer Family: endpoint"]
        == bill(replace(STACK, clients=1, rows=0))["Transfer Family: endpoint"]
        == pytest.approx(730 * 0.30)
    )


def test_every_price_is_used_and_names_its_source() -> None:
    table = yaml.safe_load(PRICES.read_text())
    used = {price for price in PRICE if bill() != bill(prices=PRICE | {price: 2 * PRICE[price]})}
    assert used == set(table["prices"])
    assert {entry["source"].split("/")[2] for entry in table["prices"].values()} == {"aws.amazon.com"}
    assert (table["region"], str(table["date"])) == ("us-east-1", "2026-11-24")


def test_compute_is_seconds_times_memory_and_rows_cost_the_same_at_any_memory() -> None:
    made = 100 * 24 * 365 / 12
    seconds = 1.0 + 1_000 * 1e-6 * 2
    assert bill()["Lambda: compute, each start a cold one"] == pytest.approx(
        made * seconds * 1_769 / 1_024 * 0.0000133334
    )
    no_start = replace(MEASURED, start_seconds=0, delivery_seconds=0)
    more = replace(STACK, memory_mb=3_538)
    assert bill(more, no_start)["Lambda: compute, each start a cold one"] == pytest.approx(
        bill(STACK, no_start)["Lambda: compute, each start a cold one"]
    )


def test_s3_writes_are_the_measured_calls_and_one_for_each_part() -> None:
    made = 100 * 24 * 365 / 12
    assert bill()["S3: writes and listings"] == pytest.approx(made * (3 + 1 + 1 + 1) * 0.000005)
    large = replace(STACK, rows=1_000_000)  # 100 MB in parts of 8 MiB
    assert bill(large)["S3: writes and listings"] == pytest.approx(made * (3 + 1 + 1 + 12) * 0.000005)


def test_metrics_are_billed_for_the_hours_in_which_they_are_sent() -> None:
    assert bill()["CloudWatch: metrics of each client"] == pytest.approx(100 * 6 * 0.30)
    assert bill(replace(STACK, deliveries_a_day=1))["CloudWatch: metrics of each client"] == pytest.approx(
        100 * 6 * 0.30 / 24
    )


def test_clients_and_deliveries_are_counted_from_client_files(tmp_path: Path) -> None:
    write_client(tmp_path, "acme", schedule={"at": ["06:00", "18:30"], "days": ["mon"]})
    write_client(tmp_path, "globex", schedule={"every": "1h"})
    done = CliRunner().invoke(app, ["cost", "--client-files", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["clients"], said["deliveries_a_day"]) == (2, pytest.approx((2 / 7 + 24) / 2))
    assert said["usd_a_month"] == pytest.approx(sum(line["usd"] for line in said["lines"]))


def test_the_table_ends_with_the_total_and_says_where_its_figures_come_from() -> None:
    done = CliRunner().invoke(app, ["cost", "--clients", "10"])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1].startswith("total")
    assert "list prices of us-east-1" in done.stderr


def test_without_measured_figures_the_error_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"export\.json: no measured figures; run \./scripts/bench"):
        read_measured(tmp_path, gzip=False)
