"""`lake load` into a real bucket: once, whatever is loaded twice, interrupted, or loaded by two at once."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from referralctl.errors import FileRefused
from referralctl.loading.load import Load, prepared
from tests.stack.conftest import Command, Lab
from tests.support import utc

NOW = utc("2026-11-20 10:59:59")


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """Makes a CSV file of referrals with these ids; stamped at these times, or not at all."""

    def make(*identities: str, at: list[str] | None = None) -> Path:
        path = tmp_path / "referrals.csv"
        stamps = [f",{moment}" for moment in at] if at else [""] * len(identities)
        rows = "".join(f"{each}{stamp}\n" for each, stamp in zip(identities, stamps, strict=True))
        path.write_text(f"referral_id{',received_at' if at else ''}\n{rows}")
        return path

    return make


def load(lab: Lab, file: Path, *, now: datetime = NOW, dry_run: bool = False, allow_too_late: bool = False) -> Load:
    with prepared(file, lab.stack.s3, lab.stack.lake, lab.client, now=now) as loading:
        loading.plan(dry_run=dry_run, allow_too_late=allow_too_late)
        if not dry_run:
            loading.write()
    return loading


def keys(lab: Lab) -> list[str]:
    """The client's part of the lake, claims among it."""
    prefix = f"{lab.stack.lake.client_prefix(lab.client)}/"
    found = lab.stack.s3.list_objects_v2(Bucket=lab.stack["lake_bucket"], Prefix=prefix).get("Contents", [])
    return [each["Key"].removeprefix(prefix) for each in found]


def hours(lab: Lab) -> list[str]:
    return [key.rsplit("/", 1)[0] for key in keys(lab) if key.endswith(".parquet")]


def fail_put(lab: Lab, monkeypatch: pytest.MonkeyPatch, *, number: int, error: BaseException) -> None:
    """Let the put of this number, and each one after it, fail before it is sent."""
    put, calls = lab.stack.s3.put_object, []

    def failing(**arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) >= number:
            raise error
        return put(**arguments)

    monkeypatch.setattr(lab.stack.s3, "put_object", failing)


def test_a_file_is_delivered_as_it_was_loaded(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "r.csv"
    file.write_text(
        "referral_id,received_at,opted_in_at,postcode,bid_price,ad_text\n"
        'a,2026-11-20 20:00:00+11:00,2026-11-20T10:00:00.5+1100,0800,0.10,"say ""hi"""\n'
        "b,2026-11-20 10:30:00Z,,,123456789012.123456,\n"
    )
    assert len(load(lab, file).written) == 2
    lab.deliver(lab.contract(attributes=["referral_id", "opted_in_at", "postcode", "ad_text"]))
    assert lab.delivered() == ['a,2026-11-19T23:00:00.500000Z,0800,"say ""hi"""', "b,,,"]


def test_a_file_with_stamps_is_loaded_once_however_often(lab: Lab, file: Callable[..., Path]) -> None:
    path = file("a", "b", "c", at=["2026-11-20 09:10:00", "2026-11-20 08:10:00", "2026-11-20 09:20:00"])
    first = load(lab, path)
    assert [(planned.hour, planned.rows) for planned in first.objects] == [
        (utc("2026-11-20 08:00"), 1),
        (utc("2026-11-20 09:00"), 2),
    ]
    assert hours(lab) == ["dt=2026-11-20/hr=08", "dt=2026-11-20/hr=09"]
    second = load(lab, path, now=NOW + timedelta(hours=3))
    assert (len(first.written), len(second.written), second.objects[0].new) == (2, 0, False)
    lab.deliver()
    assert lab.delivered() == ["a", "b", "c"]


def test_a_file_without_stamps_is_loaded_once_even_across_an_hour_and_a_week(
    lab: Lab, file: Callable[..., Path]
) -> None:
    path = file("a", "b")
    loads = [load(lab, path, now=NOW + later) for later in (timedelta(0), timedelta(seconds=2), timedelta(days=7))]
    assert [len(each.written) for each in loads] == [1, 0, 0]
    assert {each.stamp for each in loads} == {NOW}
    assert hours(lab) == ["dt=2026-11-20/hr=10"]
    lab.deliver()
    assert lab.delivered() == ["a", "b"]


def test_a_file_of_the_same_rows_in_another_order_is_another_file(lab: Lab, file: Callable[..., Path]) -> None:
    load(lab, file("a", "b"))
    assert len(load(lab, file("b", "a")).written) == 1


def test_two_loads_of_a_file_at_once_write_it_once_with_one_stamp(lab: Lab, file: Callable[..., Path]) -> None:
    path = file("a")
    with ThreadPoolExecutor(4) as pool:
        moments = [NOW + timedelta(hours=number) for number in range(4)]
        loads = list(pool.map(lambda now: load(lab, path, now=now), moments))
    assert sum(len(each.written) for each in loads) == 1
    assert len({each.stamp for each in loads}) == 1
    assert len(hours(lab)) == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ClientError({"Error": {"Code": "SlowDown"}}, "PutObject")])
def test_a_load_that_ends_half_way_is_finished_by_the_next(
    lab: Lab, file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    path = file("a", "b", "c", at=["2026-11-20 07:10:00", "2026-11-20 08:10:00", "2026-11-20 09:20:00"])
    with monkeypatch.context() as patch, prepared(path, lab.stack.s3, lab.stack.lake, lab.client, now=NOW) as first:
        fail_put(lab, patch, number=2, error=error)
        first.plan()
        with pytest.raises(type(error)):
            first.write()
    assert first.so_far == "1 of 3 new objects were written; load the same file again: it adds only the rest"
    assert len(load(lab, path).written) == 2
    lab.deliver()
    assert lab.delivered() == ["a", "b", "c"]


def test_a_load_that_ends_between_its_claim_and_its_object_is_finished_with_the_first_stamp(
    lab: Lab, file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file("a")
    with monkeypatch.context() as patch:
        fail_put(lab, patch, number=2, error=KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            load(lab, path)
    assert hours(lab) == []
    second = load(lab, path, now=NOW + timedelta(hours=5))
    assert (second.stamp, len(second.written), hours(lab)) == (NOW, 1, ["dt=2026-11-20/hr=10"])


def test_a_claim_that_came_to_nothing_is_too_late_after_48_hours_until_it_is_deleted(
    lab: Lab, file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, later = file("a"), NOW + timedelta(hours=48, seconds=1)
    with monkeypatch.context() as patch:
        fail_put(lab, patch, number=2, error=KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            load(lab, path)
    (claim,) = keys(lab)
    with pytest.raises(
        FileRefused, match=rf"load begun at 2026-11-20 10:59 UTC that wrote nothing; .*{claim} and load"
    ):
        load(lab, path, now=later)
    lab.stack.s3.delete_object(
        Bucket=lab.stack["lake_bucket"], Key=f"{lab.stack.lake.client_prefix(lab.client)}/{claim}"
    )
    assert load(lab, path, now=later).stamp == later


def test_referrals_older_than_deliveries_look_back_are_refused_whole(lab: Lab, file: Callable[..., Path]) -> None:
    path = file("a", "b", "c", at=["2026-11-20 10:00:00", "2026-11-18 10:59:59", "2026-11-18 10:59:58.999999"])
    with pytest.raises(FileRefused) as refused:
        load(lab, path)
    assert str(refused.value).endswith(
        "referrals.csv, line 4, column 'received_at': found a referral that is too late ever to be delivered (1 are); "
        "expected arrival in the last 48 hours: deliveries look no further back; give --allow-too-late if a backfill, "
        "or a client's first delivery, is to deliver them"
    )
    assert keys(lab) == []
    assert len(load(lab, path, allow_too_late=True).written) == 2
    assert len(load(lab, path).written) == 0  # nothing of it is new


def test_a_dry_run_says_what_a_load_would_write_and_writes_nothing(lab: Lab, file: Callable[..., Path]) -> None:
    path = file("a")
    would = load(lab, path, dry_run=True)
    assert keys(lab) == []
    assert would.objects == load(lab, path).objects
    again = load(lab, path, now=NOW + timedelta(hours=2), dry_run=True)
    assert (again.objects[0].new, again.stamp) == (False, NOW)


def test_a_refused_file_leaves_no_claim(lab: Lab, file: Callable[..., Path]) -> None:
    with pytest.raises(FileRefused):
        load(lab, file("a", "a"))
    assert keys(lab) == []


def test_a_file_with_no_rows_writes_nothing(lab: Lab, file: Callable[..., Path]) -> None:
    assert (load(lab, file()).objects, keys(lab)) == ([], [])


def test_a_claim_is_nothing_to_a_reader_of_the_lake(lab: Lab, file: Callable[..., Path]) -> None:
    load(lab, file("a"))
    assert [key.split("/")[0] for key in keys(lab)] == ["_loads", "dt=2026-11-20"]
    lab.deliver()
    assert lab.delivered() == ["a"]


def test_a_put_that_meets_another_of_the_same_key_is_tried_again(
    lab: Lab, file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    put, refused = lab.stack.s3.put_object, []

    def busy_once(**arguments: Any) -> Any:
        if arguments["Key"] not in refused:
            refused.append(arguments["Key"])
            raise ClientError({"Error": {"Code": "ConditionalRequestConflict"}}, "PutObject")
        return put(**arguments)

    monkeypatch.setattr(lab.stack.s3, "put_object", busy_once)
    assert len(load(lab, file("a")).written) == 1


def test_the_command_prints_its_objects_and_a_dry_run_as_data(
    quiet: Lab, file: Callable[..., Path], command: Command
) -> None:
    stamp = f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%d %H:%M:%S}"
    arguments = ("lake", "load", str(file("a", at=[stamp])), "--client", quiet.client)
    would = command(*arguments, "--dry-run")
    (only,) = would["objects"]
    assert (would["dry_run"], would["rows"], would["added"], only["rows"], only["new"]) == (True, 1, 0, 1, True)
    assert keys(quiet) == []
    done = command(*arguments)
    assert (done["dry_run"], done["added"], done["objects"], done["received_at"]) == (False, 1, [only], None)
    assert command(*arguments, "--dry-run")["objects"] == [only | {"new": False}]


def test_the_command_refuses_in_one_line_and_never_with_a_value(quiet: Lab, tmp_path: Path, command: Command) -> None:
    path = tmp_path / "r.csv"
    path.write_text("referral_id,age\na,secret-value\n")
    said = command("lake", "load", str(path), "--client", quiet.client, code=1)
    assert f"error: {path}, line 2, column 'age': found a value that cannot be kept exactly; expected" in said
    assert "secret" not in said
    assert keys(quiet) == []


def test_ctrl_c_ends_a_load_with_130_and_what_was_written(
    system: dict[str, Any], quiet: Lab, tmp_path: Path, eventually: Any
) -> None:
    path, outputs = tmp_path / "r.csv", tmp_path / "stack.json"
    waiting, released = tmp_path / "waiting", tmp_path / "released"
    stamps = [datetime.now(UTC) - timedelta(hours=number) for number in range(20)]
    path.write_text("referral_id,received_at\n" + "".join(f"r-{n},{at:%FT%TZ}\n" for n, at in enumerate(stamps)))
    outputs.write_text(json.dumps(system))
    # The first objects get through; the others wait until the interrupt has come.
    program = (
        "import sys, time; from pathlib import Path; from referralctl.loading import load\n"
        "put, begun = load.Load._put, []\n"
        "def slow(self, key, content):\n"
        "    begun.append(key)\n"
        "    if len(begun) > 3:\n"
        f"        Path({str(waiting)!r}).touch()\n"
        f"        while not Path({str(released)!r}).exists(): time.sleep(0.05)\n"
        "    return put(self, key, content)\n"
        "load.Load._put = slow\n"
        "from referralctl.main import app; app(sys.argv[1:])"
    )
    arguments = ["lake", "load", str(path), "--client", quiet.client, "--outputs", str(outputs)]
    process = subprocess.Popen([sys.executable, "-c", program, *arguments], stderr=subprocess.PIPE, text=True)
    eventually(waiting.exists, seconds=60, what="an upload that waits")
    os.kill(process.pid, signal.SIGINT)
    released.touch()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    written = len(hours(quiet))
    assert 3 <= written < 20
    assert said.splitlines()[-1] == (
        f"interrupted: {written} of 20 new objects were written; load the same file again: it adds only the rest"
    )
    again = load(quiet, path, now=datetime.now(UTC))
    assert (len(again.written), len(hours(quiet))) == (20 - written, 20)


def test_ctrl_c_while_duckdb_works_is_no_traceback_and_writes_nothing(
    system: dict[str, Any], quiet: Lab, tmp_path: Path, eventually: Any
) -> None:
    path, outputs, working = tmp_path / "r.csv", tmp_path / "stack.json", tmp_path / "working"
    path.write_text("referral_id\nr-1\n")
    outputs.write_text(json.dumps(system))
    program = (
        "import sys; from pathlib import Path; from referralctl.loading import staging\n"
        "def forever(con, source, readings):\n"
        f"    Path({str(working)!r}).touch()\n"
        "    con.execute('SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE (a.range * b.range) % 7 = 3')\n"
        "staging._stage = forever\n"
        "from referralctl.main import app; app(sys.argv[1:])"
    )
    arguments = ["lake", "load", str(path), "--client", quiet.client, "--outputs", str(outputs)]
    process = subprocess.Popen([sys.executable, "-c", program, *arguments], stderr=subprocess.PIPE, text=True)
    eventually(working.exists, seconds=60, what="DuckDB at work")
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said.splitlines()[-1]) == (130, "interrupted: nothing was written")
    assert "Traceback" not in said
    assert keys(quiet) == []
