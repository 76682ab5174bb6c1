"""`referralctl notices`: what clients are told beside their files."""

import json
from typing import Annotated, Any

import typer

from referral_delivery.watch.notices import Channel
from referralctl import stacks
from referralctl.commands.deliver import DeliveryFailed
from referralctl.output import AsJson, print_json, print_table, talk
from referralctl.stacks import OutputsFile, Stack, StackName

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def notices() -> None:
    """Notices: webhooks and mail that tell clients of their files and keys."""


@app.command("test")
def send_test(
    client: Annotated[str, typer.Argument(help="Name of the client")],
    channel: Annotated[list[Channel] | None, typer.Option(help="On this channel only; may be repeated")] = None,
    outputs: OutputsFile = None,
    stack_name: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Send CLIENT a test notice on each of its channels, and print what the other side said; exit 1 if one failed."""
    with stacks.opened(outputs, stack_name) as stack:
        stack.check_client(client)
        said = _tested(stack, client, channel or [])
    if as_json:
        print_json(said)
    elif not said:
        talk.print(f"{client}: no such channel; its file has no `notices`, or the stack no notice_sender", markup=False)
    else:
        columns = ["channel", "arrived", "to", "seconds", "said"]
        rows = [[each["channel"], "yes" if each["arrived"] else "no", *map(each.get, columns[2:])] for each in said]
        print_table(columns, rows, right={"seconds"})
    if not said or not all(each["arrived"] for each in said):
        raise typer.Exit(1)


def _tested(stack: Stack, client: str, channels: list[Channel]) -> list[dict[str, Any]]:
    """What the deployed function heard: from where it runs, with the rights that it has."""
    asked = json.dumps({"test": client, "channels": [channel.value for channel in channels]})
    answer = stack.functions.invoke(FunctionName=stack["notify_function_name"], Payload=asked.encode())
    body: dict[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise DeliveryFailed(body.get("errorMessage") or json.dumps(body))
    found: list[dict[str, Any]] = body["channels"]
    return found
