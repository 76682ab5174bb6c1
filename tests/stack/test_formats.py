"""Files of every format, delivered by the function's code over the real S3, and made again."""

import io
import json
import zipfile
from typing import Any

import pyarrow.parquet as pq
import pytest

from referral_delivery.delivery.report import Status
from referral_delivery.delivery.resend import resend
from tests.stack.conftest import Lab
from tests.support import utc

ENDINGS = {
    "csv": ".csv", "tsv": ".tsv", "psv": ".psv", "jsonl": ".jsonl", "parquet": ".parquet",
}  # fmt: skip
CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8", "tsv": "text/tab-separated-values; charset=utf-8",
    "psv": "text/plain; charset=utf-8", "jsonl": "application/jsonl", "parquet": "application/vnd.apache.parquet",
}  # fmt: skip


def deliver(lab: Lab, **file: Any) -> tuple[str, bytes]:
    """The name and content of the client's one file."""
    assert lab.deliver(lab.contract(file=file)).status is Status.DELIVERED
    ((name, content),) = lab.files().items()
    return name, content


def media_type(lab: Lab, name: str) -> str:
    key = f"downloads/{lab.client}/{name}"
    return lab.stack.s3.head_object(Bucket=lab.stack["delivery_bucket"], Key=key)["ContentType"]


@pytest.mark.parametrize("format_", ENDINGS)
def test_a_file_of_each_format_has_its_ending_and_its_media_type(lab: Lab, format_: str) -> None:
    lab.put_referrals("2026-11-20 05", "a", "b")
    name, content = deliver(lab, format=format_)
    assert name.endswith(f"_000001{ENDINGS[format_]}")
    assert media_type(lab, name) == CONTENT_TYPES[format_]
    if format_ == "parquet":
        assert pq.read_table(io.BytesIO(content)).to_pylist() == [{"referral_id": "a"}, {"referral_id": "b"}]
    elif format_ == "jsonl":
        assert [json.loads(line) for line in content.splitlines()] == [{"referral_id": "a"}, {"referral_id": "b"}]
    else:
        assert content == b"referral_id\na\nb\n"


@pytest.mark.parametrize("format_", ENDINGS)
def test_a_file_of_each_format_without_rows_is_left_out_where_the_client_says_so(lab: Lab, format_: str) -> None:
    report = lab.deliver(lab.contract(file={"format": format_, "when_empty": "skip"}))
    assert ([each.key for each in report.deliveries], lab.files()) == ([None], {})


@pytest.mark.parametrize("format_", ENDINGS)
def test_a_file_of_each_format_without_rows_is_a_file(lab: Lab, format_: str) -> None:
    _, content = deliver(lab, format=format_)
    if format_ == "parquet":
        assert pq.read_table(io.BytesIO(content)).schema.names == ["referral_id"]
    else:
        assert content == (b"" if format_ == "jsonl" else b"referral_id\n")


def test_a_file_of_no_bytes_at_all_is_delivered(lab: Lab) -> None:
    assert deliver(lab, header=False)[1] == b""


def test_parquet_of_many_small_objects_in_several_layouts_holds_every_row_in_order(lab: Lab) -> None:
    wanted = []
    for number in range(60):
        hour, state = f"2026-11-20 {number % 10:02d}", {"state": "NSW"} if number % 3 else {}
        lab.put(hour, [{"referral_id": f"r{number:03d}", "received_at": f"{hour}:00:00", **state}])
        wanted.append((f"r{number:03d}", "NSW" if number % 3 else None))
    contract = lab.contract(attributes=["referral_id", "state"], file={"format": "parquet"})
    assert lab.deliver(contract).deliveries[0].rows == 60
    (content,) = lab.files().values()
    read = pq.read_table(io.BytesIO(content)).to_pylist()
    assert sorted((row["referral_id"], row["state"]) for row in read) == wanted


@pytest.mark.parametrize("file", [{"compression": "zip"}, {"format": "parquet"}, {"format": "jsonl"}, {"bom": True}])
def test_a_file_of_each_format_is_made_again_byte_for_byte_under_another_name(lab: Lab, file: dict[str, Any]) -> None:
    lab.put_referrals("2026-11-20 05", "a", "b")
    _, content = deliver(lab, **file)
    lab.put_referrals("2026-11-20 06", "landed later")
    report = resend(lab.ledger, lab.exporter.writer, lab.client, 1, request="r", now=lambda: lab.now)
    assert report.status is Status.RESENT
    again = lab.files()
    assert len(again) == 2
    assert set(again.values()) == {content}


def test_a_zip_holds_a_file_of_the_format_under_the_delivery_s_name(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 05", "a")
    name, content = deliver(lab, compression="zip", format="tsv")
    assert media_type(lab, name) == "application/zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == [name.removesuffix(".zip")]


def test_a_name_may_be_what_a_mainframe_takes(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 05", "a")
    name, _ = deliver(lab, name="REFS.D{end:%y%m%d}.N{day_sequence:02d}", extension="")
    assert name == "REFS.D261120.N01"


def test_files_are_counted_anew_each_day(lab: Lab) -> None:
    contract = lab.contract(file={"name": "r_{end:%Y%m%d}_{day_sequence:02d}"})
    for moment in ("2026-11-20 12:00", "2026-11-20 23:59", "2026-11-21 00:00", "2026-11-21 06:00"):
        lab.now = utc(moment)
        lab.deliver(contract)
    assert sorted(lab.files()) == [f"r_{day}_{number}.csv" for day in (20261120, 20261121) for number in ("01", "02")]
