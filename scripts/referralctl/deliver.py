"""`referralctl deliver`: what a schedule does, now."""

import json
from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError

from infra.schedules import schedule_name
from referral_delivery.errors import DeliveryError
from referral_delivery.event import ExportEvent, Kind
from referralctl import stacks
from referralctl.output import AsJson, errors_reported, print_json, print_table, talk
from referralctl.stacks import OutputsFile, Stack, StackNotFound

_SAID = {
    "nothing_to_deliver": "nothing to deliver: the cursor stands at now already",
    "in_progress": "in progress: another run holds this client's lease; look again in a few minutes",
    "overtaken": "overtaken: another run went on in this one's place; look again",
}


class DeliveryFailed(DeliveryError):
    """The function answered with an error; the message is the function's."""


def deliver(
    client: Annotated[str, typer.Argument(help="Name of the client")],
    outputs: OutputsFile = None,
    as_json: AsJson = False,
) -> None:
    """Deliver to CLIENT now what has arrived since its last file; moves the cursor, like a scheduled run."""
    with errors_reported():
        report = invoke(stacks.find(outputs), client)
    if as_json:
        print_json(report)
        return
    if report["deliveries"]:
        columns = ["sequence", "file", "rows", "bytes", "sha256", "window"]
        print_table(
            columns,
            [
                [
                    delivery["sequence"],
                    delivery["file"] or "(empty window, recorded only)",
                    delivery["rows"],
                    delivery["bytes"],
                    delivery["sha256"],
                    f"{delivery['window_start']} to {delivery['window_end']}",
                ]
                for delivery in report["deliveries"]
            ],
            right={"sequence", "rows", "bytes"},
        )
    if said := _SAID.get(report["status"]):
        talk.print(f"{client}: {said}", markup=False)


def invoke(stack: Stack, client: str) -> dict[str, Any]:
    """Run the function with the Input of the client's own schedule, and answer its report."""
    event = schedule_input(stack, client).model_copy(update={"kind": Kind.MANUAL})
    answer = stack.functions.invoke(FunctionName=stack["function_name"], Payload=event.model_dump_json().encode())
    body: dict[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise DeliveryFailed(body.get("errorMessage") or json.dumps(body))
    return body


def schedule_input(stack: Stack, client: str) -> ExportEvent:
    """The Input of the client's first schedule; all of its schedules have the same."""
    try:
        schedule = stack.scheduler.get_schedule(GroupName=stack["schedule_group"], Name=schedule_name(client, 1))
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            known = ", ".join(sorted(stack.outputs.get("client_folders", {})))
            raise StackNotFound(f"the stack has no client {client!r}; it has {known}") from error
        raise
    return ExportEvent.model_validate_json(schedule["Target"]["Input"])
