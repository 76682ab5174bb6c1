"""The usual other ways to export, from libraries that the project does not use: benchmarks/requirements.lock."""

from collections.abc import Callable

from benchmarks.contender import Job, main

# As much as a Lambda of common size holds at once.
_ROWS_AT_ONCE = 1_000_000


def awswrangler(job: Job) -> Callable[[], object]:
    """Chunks of rows through pandas, each written as a file of its own: a file of all of them would not fit."""
    import boto3
    import pandas  # noqa: F401 - imported before the clock starts
    from awswrangler import config, s3

    config.s3_endpoint_url = job.endpoint_url
    session = boto3.Session(job.access_key, job.secret_key, region_name=job.region)
    packed = {"compression": "gzip"} if job.gzip else {}

    def run() -> None:
        chunks = s3.read_parquet(job.sources, columns=job.columns, chunked=_ROWS_AT_ONCE, boto3_session=session)
        for number, chunk in enumerate(chunks):
            path = f"{job.target}/{number:05d}.csv{'.gz' if job.gzip else ''}"
            s3.to_csv(chunk, path, index=False, boto3_session=session, **packed)

    return run


def polars(job: Job) -> Callable[[], object]:
    """A lazy scan into a streaming sink."""
    import polars as pl

    options = {
        "aws_endpoint_url": job.endpoint_url,
        "aws_access_key_id": job.access_key,
        "aws_secret_access_key": job.secret_key,
        "aws_region": job.region,
        "aws_allow_http": "true",
        # Its uploads to an emulator are slow: by its defaults it gives up after 30 seconds.
        "timeout": "900s",
        "max_retries": 20,
        "retry_timeout_ms": 900_000,
    }
    target = f"{job.target}/file.csv{'.gz' if job.gzip else ''}"

    def run() -> None:
        scanned = pl.scan_parquet(job.sources, storage_options=options).select(job.columns)
        scanned.sink_csv(target, compression="gzip" if job.gzip else "uncompressed", storage_options=options)

    return run


if __name__ == "__main__":
    main({"awswrangler": awswrangler, "polars": polars})
