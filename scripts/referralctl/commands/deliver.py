"""`referralctl deliver`: what a schedule does, now."""

import json
from typing import Annotated, Any

import typer

from infra.schedules import schedule_name
from referral_delivery.delivery.event import ExportEvent
from referral_delivery.errors import DeliveryError
from referral_delivery.ledger.occasion import Occasion
from referral_delivery.window import to_text
from referralctl import stacks
from referralctl.output import AsJson, DryRun, print_json, print_table, talk, would
from referralctl.stacks import OutputsFile, Stack, StackName

SAID = {
    "nothing_to_deliver": "nothing to deliver: the cursor stands at now already",
    "in_progress": "another run is at work for this client, and was asked to deliver up to now as well; look again",
    "more_to_do": "time is up, and there is more to deliver: the next run goes on, or deliver again",
    "resent_encrypted": "encrypted anew, so its bytes are not those of the first file; its rows are: the hash of what "
    "is inside, before it was packed and encrypted, is the one that was recorded",
    "resent_before": "published before, by the same request; nothing was done",
    "backfilled_before": "backfilled before; nothing was done",
    "backfilled_otherwise": "some of these files were made under another contract, and a file never changes: each "
    "stays until it expires, and can be made again then; for one under today's contract now, choose another range: "
    "begun a minute earlier, it has another name",
    "lake_changed": "the lake no longer gives the bytes that were delivered; nothing published, the record is marked",
    "overtaken": "overtaken: another run went on in this one's place; look again",
}


class DeliveryFailed(DeliveryError):
    """The function answered with an error; the message is the function's."""


def deliver(
    client: Annotated[str, typer.Argument(help="Name of the client")],
    outputs: OutputsFile = None,
    stack_name: StackName = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Deliver to CLIENT now what has arrived since its last file; moves the cursor, like a scheduled run."""
    with stacks.opened(outputs, stack_name) as stack:
        event = schedule_input(stack, client).model_copy(update={"occasion": Occasion.MANUAL})
        if dry_run:
            cursor = stack.ledger.position(client).cursor
            start = to_text(cursor) if cursor else f"{event.contract.deliver_from}T00:00:00Z"
            would(f"deliver to {client} what arrived from {start} until now", as_json)
            return
        report = invoke(stack, event)
    print_report(report, as_json)


def print_report(report: dict[str, Any], as_json: bool) -> None:
    """Print what a run of the function did."""
    if as_json:
        print_json(report)
        return
    if report["deliveries"]:
        print_table(
            ["sequence", "file", "rows", "bytes", "sha256", "window"],
            [
                [
                    delivery["sequence"],
                    delivery["file"] or "(no file)",
                    delivery["rows"],
                    delivery["bytes"],
                    delivery["sha256"],
                    f"{delivery['window_start']} to {delivery['window_end']}",
                ]
                for delivery in report["deliveries"]
            ],
            right={"sequence", "rows", "bytes"},
        )
    if said := SAID.get(report["status"]):
        talk.print(f"{report['client']}: {said}", markup=False)


def invoke(stack: Stack, event: ExportEvent) -> dict[str, Any]:
    """Run the function, and answer its report; DeliveryFailed has the function's own message."""
    answer = stack.functions.invoke(FunctionName=stack["function_name"], Payload=event.model_dump_json().encode())
    body: dict[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise DeliveryFailed(body.get("errorMessage") or json.dumps(body))
    return body


def schedule_input(stack: Stack, client: str) -> ExportEvent:
    """The Input of the client's first schedule; all of its schedules have the same."""
    stack.check_client(client)
    schedule = stack.scheduler.get_schedule(GroupName=stack["schedule_group"], Name=schedule_name(client, 1))
    return ExportEvent.model_validate_json(schedule["Target"]["Input"])
