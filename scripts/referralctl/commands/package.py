"""`referralctl package`: the function's zip, without deploying it."""

from typing import Annotated

import typer

from infra import artifact
from referralctl.output import AsJson, errors_reported, facts, print_json

MIB = 1024 * 1024


def package(
    target: Annotated[str, typer.Option(help="`lambda` (arm64, Python 3.13) or `local` (this interpreter)")] = "lambda",
    as_json: AsJson = False,
) -> None:
    """Build the function's zip where its sources or lock have changed, and print where it lies."""
    if target not in artifact.TARGETS:
        raise typer.BadParameter(f"{target!r} is no target; use one of {', '.join(artifact.TARGETS)}")
    with errors_reported():
        built = artifact.build(artifact.TARGETS[target]())
    packed = built.path.stat().st_size
    if as_json:
        print_json(
            {
                "path": built.path,
                "sha256": built.sha256,
                "bytes": packed,
                "unzipped_bytes": built.unzipped_bytes,
                "reused": built.reused,
            }
        )
        return
    state = "unchanged" if built.reused else "built"
    facts.print(
        f"{built.path}\n{packed / MIB:.1f} MiB, unzipped {built.unzipped_bytes / MIB:.1f} MiB of "
        f"{artifact.MAX_UNZIPPED_BYTES / MIB:.0f} MiB, sha256 {built.sha256}, {state}"
    )
