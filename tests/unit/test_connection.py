"""The DuckDB of a delivery: its limits, its extension, and how it asks S3."""

import re
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from urllib.parse import urlsplit

import boto3
import duckdb
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from referral_delivery.lake.connection import connect, requests_in_flight

LOCAL = "http://127.0.0.1:4566"


@pytest.mark.parametrize(
    ("memory_mb", "threads", "limit"),
    [
        (512, 1, "106.8 MiB"),
        (1_024, 1, "595.0 MiB"),
        (1_769, 1, "976.5 MiB"),
        (2_653, 1, "976.5 MiB"),
        (2_654, 2, "976.5 MiB"),  # half of the second 1,769 MB is a second vCPU's
        (10_240, 6, "2.8 GiB"),
        (30_073, 17, "8.1 GiB"),  # no function has so much, but where 512 MB a thread can be told from 511
    ],
)
def test_duckdbs_limits_follow_the_functions_memory(memory_mb: int, threads: int, limit: str) -> None:
    credentials = ReadOnlyCredentials("key", "sec'ret", None)
    endpoint = "https://s3.eu-west-1.amazonaws.com"
    with connect(
        endpoint_url=endpoint, region="eu-west-1", bucket="lake", credentials=credentials, memory_mb=memory_mb
    ) as con:
        found = con.execute("SELECT current_setting('threads'), current_setting('memory_limit')").fetchone()
    assert found == (threads, limit)


def test_duckdb_loads_no_unsigned_or_downloaded_extension() -> None:
    credentials = ReadOnlyCredentials("key", "secret", "token")
    with connect(
        endpoint_url="http://127.0.0.1:1", region="x", bucket="lake", credentials=credentials, memory_mb=1_024
    ) as con:
        settings = ("allow_unsigned_extensions", "autoinstall_known_extensions", "autoload_known_extensions")
        assert [con.execute(f"SELECT current_setting('{name}')").fetchone() for name in settings] == [(False,)] * 3
        loaded = con.execute("SELECT loaded FROM duckdb_extensions() WHERE extension_name = 'httpfs'").fetchone()
    assert loaded == (True,)


@pytest.mark.parametrize(
    ("endpoint", "bucket", "style"),
    [
        ("https://s3.eu-west-1.amazonaws.com", "company-lake", "vhost"),
        ("https://s3.eu-west-1.amazonaws.com", "company.lake", "path"),
        (LOCAL, "company-lake", "path"),
    ],
)
def test_a_bucket_whose_name_has_dots_is_read_by_path_as_boto3_does(endpoint: str, bucket: str, style: str) -> None:
    credentials = ReadOnlyCredentials("key", "secret", None)
    with connect(
        endpoint_url=endpoint, region="eu-west-1", bucket=bucket, credentials=credentials, memory_mb=1_024
    ) as con:
        [(secret,)] = con.execute("SELECT secret_string FROM duckdb_secrets()").fetchall()
    assert f"url_style={style}" in secret.split(";")
    session = boto3.Session(aws_access_key_id="key", aws_secret_access_key="secret", region_name="eu-west-1")
    s3 = session.client("s3", endpoint_url=None if "amazonaws" in endpoint else endpoint)
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "x"})
    assert urlsplit(url).path == ("/x" if style == "vhost" else f"/{bucket}/x")


@pytest.mark.parametrize(("endpoint", "encrypted"), [("https://s3.eu-west-1.amazonaws.com", "true"), (LOCAL, "false")])
def test_duckdb_asks_with_the_functions_own_key_and_encrypts_where_the_endpoint_does(
    endpoint: str, encrypted: str
) -> None:
    credentials = ReadOnlyCredentials("key's", "secret", "token")
    with connect(
        endpoint_url=endpoint, region="eu-west-1", bucket="lake", credentials=credentials, memory_mb=1_024
    ) as con:
        [(secret,)] = con.execute("SELECT secret_string FROM duckdb_secrets()").fetchall()
    assert {"key_id=key's", "region=eu-west-1", f"use_ssl={encrypted}"} <= set(secret.split(";"))
    assert f"endpoint={urlsplit(endpoint).netloc}" in secret.split(";")


def test_duckdb_signs_its_requests_with_the_functions_secret() -> None:
    credentials, asked = ReadOnlyCredentials("key", "sec'ret", "token"), []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(AWSRequest("GET", f"http://{self.headers['Host']}{self.path}", headers=dict(self.headers)))
            self.send_error(403)

        def log_message(self, *_: object) -> None:
            """Nothing is said."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with (
            connect(
                endpoint_url=f"http://127.0.0.1:{server.server_port}",
                region="eu-west-1",
                bucket="lake",
                credentials=credentials,
                memory_mb=1_024,
            ) as con,
            pytest.raises(duckdb.HTTPException, match="403"),
        ):
            con.execute("SELECT * FROM read_parquet('s3://lake/x.parquet')")
        server.shutdown()
    said, request = asked[0].headers["Authorization"], asked[0]
    signed = re.search("SignedHeaders=([^,]+)", said)
    assert signed is not None
    for name in set(request.headers) - {each for each in request.headers if each.lower() in signed[1].split(";")}:
        del request.headers[name]
    request.context["timestamp"] = request.headers["x-amz-date"]
    signer = S3SigV4Auth(credentials, "s3", "eu-west-1")
    wanted = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    assert said.endswith(f"Signature={wanted}")


@pytest.mark.parametrize(("objects", "threads"), [(4, 2), (5, 5), (10, 10), (20_000, 64)])
def test_many_requests_are_under_way_only_for_many_objects_and_while_they_are_wanted(
    objects: int, threads: int
) -> None:
    with duckdb.connect(config={"threads": 2}) as con:
        asked = "SELECT current_setting('threads')"
        with pytest.raises(ZeroDivisionError), requests_in_flight(con, objects):  # noqa: PT012 - it must fail within
            assert con.execute(asked).fetchone() == (threads,)
            _ = 1 / 0
        assert con.execute(asked).fetchone() == (2,)
