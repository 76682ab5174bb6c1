"""`referralctl preview`: a client's next file, before it is made."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import duckdb
import typer

from referral_delivery.errors import ClientFileError
from referral_delivery.file.encrypt import check_recipients
from referral_delivery.lake import connection
from referralctl import stacks
from referralctl.commands.clients import report_findings
from referralctl.errors import AwsRefused
from referralctl.output import AsJson, facts, print_json, talk
from referralctl.preview import drawing, subject
from referralctl.preview.drawing import Preview
from referralctl.preview.masking import personal
from referralctl.preview.sample import Sample, sample
from referralctl.preview.subject import Deployed
from referralctl.preview.upcoming import Upcoming, look
from referralctl.stacks import OutputsFile, Stack, StackName

if TYPE_CHECKING:
    from referral_delivery.agreement.contract import Contract


def preview(
    client: Annotated[str, typer.Argument(help="Name of the client, or the path of its client file")],
    *,
    rows: Annotated[int, typer.Option(min=1, max=1_000, help="How many rows to show")] = 20,
    deployed: Annotated[
        bool, typer.Option("--deployed", help="As it is deployed, whatever its client file here says")
    ] = False,
    show_personal_data: Annotated[
        bool, typer.Option("--show-personal-data", help="Show values of personal attributes as they are")
    ] = False,
    outputs: OutputsFile = None,
    stack_name: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Show what CLIENT's next file would look like: its name, window and first rows, from the lake; nothing is changed.

    The client file need not be deployed yet. Values of personal attributes are masked.
    """
    now = datetime.now(UTC)
    with stacks.opened(outputs, stack_name) as stack:
        try:
            whose = subject.find(stack, client, deployed=deployed, today=now.date())
        except ClientFileError as error:
            report_findings(error.findings, as_json=as_json)
            raise typer.Exit(1) from error
        upcoming = look(stack, whose, now=now)
        first = _sample(stack, whose.contract, upcoming, rows=rows, mask=not show_personal_data)
    made = Preview(whose, upcoming, first, masked=not show_personal_data)
    if as_json:
        print_json(made.to_json())
    else:
        _print(made, whole=len(first.rows) < rows)


def _sample(stack: Stack, contract: "Contract", upcoming: Upcoming, *, rows: int, mask: bool) -> Sample:
    """The first rows, read with the operator's own access."""
    if contract.file.pgp:
        check_recipients(contract.recipients, upcoming.due)
    con = connection.connect(
        endpoint_url=stack.s3.meta.endpoint_url,
        region=stack.s3.meta.region_name,
        bucket=stack["lake_bucket"],
        credentials=stack.credentials,
        # One thread, which reads no further than it must.
        memory_mb=connection.MEMORY_MB_PER_VCPU,
    )
    with con:
        try:
            return sample(con, contract, upcoming.plan.selection, stack.lake, rows=rows, mask=mask)
        except duckdb.Error as error:
            # Other messages may quote a value.
            told = isinstance(error, duckdb.IOException)
            said = " ".join(str(error).split()) if told else type(error).__name__
            raise AwsRefused(
                f"the lake could not be read: {said}; expected an S3 that answers, and the right to s3:GetObject on "
                f"s3://{stack.lake.bucket}/{stack.lake.prefix}/; try it again, or ask for the right"
            ) from error


def _print(made: Preview, *, whole: bool) -> None:
    whose, first = made.subject, made.sample
    if whose.file is None:
        talk.print(f"{whose.contract.client} as it is deployed; no client file was read", markup=False)
    elif whose.deployed is Deployed.OTHERWISE:
        talk.print("until `pulumi up`, what goes out is as it is deployed: --deployed shows that", markup=False)
    facts.print(drawing.summary(made))
    if not first.rows:
        talk.print(f"no rows so far{_of_an_empty_file(made)}")
    if made.is_skipped:
        return
    if first.lines:
        facts.print()
        print(drawing.lines(first.lines), end="")
    elif first.types:
        facts.print()
        facts.print(drawing.schema(made))
    if first.rows:
        headers = [column.name for column in whose.contract.attributes]
        facts.print()
        facts.print(drawing.table(headers, first.rows, width=facts.width))
        talk.print(f"\n{'all rows' if whole else 'the first rows'} so far: {len(first.rows):,}")
    if made.masked and first.rows and (hidden := personal(whose.contract.attributes)):
        talk.print(f"masked: {', '.join(hidden)}; --show-personal-data shows them", markup=False)


def _of_an_empty_file(made: Preview) -> str:
    if made.is_skipped:
        return ""
    return "; the file would be this, and nothing more:" if made.sample.lines != b"" else "; the file would be empty"
