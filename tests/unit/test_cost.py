"""`referralctl cost`: the lines, and that they follow what they should follow."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from referral_delivery.errors import ContractError
from referralctl.commands.cost import PRICES, RESULTS, Measured, Stack, lines_of, read_measured
from referralctl.main import app
from tests.support import write_client

STACK = Stack(
    clients=100,
    deliveries_a_day=24,
    rows=1_000,
    memory_mb=1_769,
    gzip=False,
    retention_days=14,
    access_log_retention_days=90,
)
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


def test_access_logs_are_a_line_for_each_request_that_lies_as_long_as_it_is_kept() -> None:
    line = "S3: access logs until they expire (estimated)"
    assert bill()[line] == pytest.approx(100 * 24 * 90 * (6 + 5) * 600 / 10**9 * 0.023)
    assert bill(replace(STACK, access_log_retention_days=180))[line] == pytest.approx(2 * bill()[line])


def test_alarms_and_metrics_are_the_stacks_and_do_not_grow_with_its_clients() -> None:
    few, many = bill(replace(STACK, clients=1)), bill(replace(STACK, clients=1_000))
    for line in ("CloudWatch: alarms", "CloudWatch: metrics"):
        assert few[line] == many[line] == bill()[line] > 0
    assert bill()["CloudWatch: metrics"] == pytest.approx(9 * 0.30)


def test_a_hundred_hourly_clients_cost_at_most_230_dollars_a_month_by_the_committed_figures() -> None:
    measured = read_measured(RESULTS, gzip=False)
    assert sum(bill(STACK, measured).values()) <= 230


def test_the_watch_costs_its_rounds_and_reads_each_client_in_each() -> None:
    rounds = 730 * 12
    assert bill()["The watch: reads of the ledger (estimated)"] == pytest.approx(rounds * 100 * 0.000000125)
    assert bill()["The watch: compute (estimated)"] == pytest.approx(rounds * (1.5 + 0.2) * 0.25 * 0.0000133334)


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
