"""The demo: the whole path once, from sample referrals to files that clients fetch with OpenSSH's `sftp`."""

import hashlib
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import typer
import yaml
from rich.progress import BarColumn, Progress, TextColumn

from demonstration.reading import PgpKey, expected, lines, make_pgp_key
from demonstration.samples import write_referrals
from local_aws.sftp import SftpSession, require_openssh, write_known_hosts
from referral_delivery.agreement.client import Client
from referral_delivery.agreement.client_files import load_folder
from referral_delivery.file.upload import DOWNLOADS
from referral_delivery.ledger.records import Delivery
from referral_delivery.ledger.table import Ledger
from referralctl.commands.local import EXAMPLE_CLIENTS
from referralctl.loading.load import prepared
from referralctl.local_system import DEFAULT_FOLDER, LocalSystem, generate_key, session
from referralctl.output import errors_reported, print_table, talk
from referralctl.stacks import Stack

REFERRALS = 50_000
# What the clients were told.
AGREED_DAYS = 14
# The emulator looks once in ten seconds; a minute, two looks and the export itself.
_DELIVERY_SECONDS = 150
_RECEIPT_SECONDS = 30


@dataclass
class Checks:
    """What was compared, and whether everything held."""

    failed: int = 0

    def expect(self, held: bool, claim: str) -> None:
        """Print one comparison's outcome."""
        self.failed += not held
        talk.print(f"  {'[green]ok[/green]    ' if held else '[red]FAILED[/red]'}  ", end="")
        talk.print(claim, markup=False)


@dataclass(frozen=True)
class Demo:
    """A local system of its own, which leaves one that is up alone."""

    folder: Path
    local: LocalSystem
    checks: Checks
    pgp_keys: dict[str, PgpKey] = field(default_factory=dict)

    def run(self) -> int:
        """Exit code: 0 only if every comparison held."""
        require_openssh()
        clients = self._clients()
        talk.print("[bold]1[/bold] start the local system: the Pulumi program, applied to an AWS emulator")
        stack = Stack((up := self.local.up(self.folder / "clients"))["outputs"], local=up)
        talk.print(f"  {len(clients)} clients, SFTP on {up['sftp']['host']}:{up['sftp']['port']}", markup=False)
        talk.print(f"[bold]2[/bold] load {REFERRALS:,} referrals into the lake")
        share = REFERRALS // len(clients)
        for position, client in enumerate(clients):
            self._load(stack, client.client, share, first=position * share)
        talk.print("[bold]3[/bold] wait for EventBridge Scheduler, every minute")
        delivered = {client.client: self._delivered(stack, client.client, share) for client in clients}
        talk.print("[bold]4[/bold] download as each client, with OpenSSH's sftp")
        rows = [
            row
            for position, client in enumerate(clients)
            for row in self._fetch(up, stack, client, delivered[client.client], first=position * share, count=share)
        ]
        days = _retention_days(stack)
        self.checks.expect(days == AGREED_DAYS, f"the bucket's own rule expires {DOWNLOADS}/ after {days} days")
        talk.print("[bold]5[/bold] try what must not work")
        self._intrude(up, stack, [client.client for client in clients])
        print_table(["client", "file", "rows", "bytes", "sha256", "deleted after"], rows, right={"rows", "bytes"})
        return 1 if self.checks.failed else 0

    def _clients(self) -> list[Client]:
        """The example clients, due every minute instead of at their own times, and with PGP keys of their own."""
        folder = self.folder / "clients"
        (folder / "keys").mkdir(parents=True)
        for path in EXAMPLE_CLIENTS.glob("*.yaml"):
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
            content["schedule"] = {"every": "1m"}
            for name in content.get("file", {}).get("pgp", {}).get("recipients", ()):
                self.pgp_keys[path.stem] = key = make_pgp_key(content["contact"])
                (folder / "keys" / name).write_text(key.public, encoding="ascii")
            (folder / path.name).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return load_folder(folder, today=datetime.now(UTC).date())

    def _load(self, stack: Stack, client: str, count: int, *, first: int) -> None:
        file = write_referrals(self.folder / f"{client}.csv", count, first=first)
        with prepared(file, stack.s3, stack.lake, client, now=datetime.now(UTC)) as loading:
            loading.plan()
            loading.write()

    def _delivered(self, stack: Stack, client: str, count: int) -> list[Delivery]:
        """The client's deliveries, once they hold all of its referrals."""
        ledger, deadline = Ledger(stack.dynamodb, stack["ledger_table"]), time.monotonic() + _DELIVERY_SECONDS
        shown = (TextColumn("  {task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
        with Progress(*shown, console=talk, transient=True, disable=not talk.is_terminal) as progress:
            task = progress.add_task(client, total=60, left="")
            while time.monotonic() < deadline:
                found = [delivery for delivery in ledger.deliveries(client) if delivery.key]
                if sum(delivery.rows for delivery in found) >= count:
                    break
                seconds = 60 - time.time() % 60
                progress.update(task, completed=60 - seconds, left=f"next minute in {seconds:.0f} s")
                time.sleep(0.5)
        self.checks.expect(
            sum(delivery.rows for delivery in found) == count,
            f"{client}: the schedule delivered {count:,} referrals",
        )
        return found

    def _fetch(
        self,
        up: dict[str, Any],
        stack: Stack,
        client: Client,
        deliveries: list[Delivery],
        *,
        first: int,
        count: int,
    ) -> list[list[object]]:
        """Download everything and compare it; a row of the table for each file."""
        into = self.folder / f"{client.client}-downloads"
        into.mkdir()
        sftp = self._sftp(up, client.client)
        fetched = sftp.run("get /downloads/*", folder=into)
        self.checks.expect(fetched.returncode == 0, f"{client.client}: `get /downloads/*` succeeded")
        days, rows, found = _retention_days(stack), [], []
        for delivery in deliveries:
            name = str(delivery.key).rsplit("/", 1)[1]
            content = (into / name).read_bytes() if (into / name).exists() else b""
            digest = hashlib.sha256(content).hexdigest()
            self.checks.expect(digest == delivery.sha256, f"{client.client}: SHA-256 of {name} is the ledger's")
            found += lines(content, client, self.pgp_keys.get(client.client))
            rows.append([client.client, name, delivery.rows, len(content), digest, _deleted_after(delivery, days)])
        self._collected(stack, client.client, len(deliveries))
        if key := self.pgp_keys.get(client.client):
            self.checks.expect(bool(found), f"{client.client}: its own PGP key opens each file, with {key.program}")
        held = sorted(found) == sorted(expected(client, first=first, count=count))
        self.checks.expect(held, f"{client.client}: every value of every row is as it was agreed")
        return rows

    def _collected(self, stack: Stack, client: str, count: int) -> None:
        """The receipts of what was fetched, which arrive after the fetch by themselves."""
        ledger, deadline = Ledger(stack.dynamodb, stack["ledger_table"]), time.monotonic() + _RECEIPT_SECONDS
        while time.monotonic() < deadline:
            found = [each.receipts for each in ledger.deliveries(client) if each.receipts.complete]
            if len(found) >= count:
                break
            time.sleep(0.5)
        told = f", the last one at {found[-1].last:%H:%M:%S} UTC from {found[-1].last_address}" if found else ""
        self.checks.expect(len(found) >= count, f"{client}: the ledger has a receipt of each file{told}")

    def _intrude(self, up: dict[str, Any], stack: Stack, clients: list[str]) -> None:
        wrong_key = self.folder / "wrong-key"
        generate_key(wrong_key)
        iam = session(up).client("iam", endpoint_url=up["endpoint_url"])
        for client, other in zip(clients, [*clients[1:], clients[0]], strict=True):
            refused = self._sftp(up, client, key=wrong_key).run("ls")
            self.checks.expect(
                refused.returncode != 0 and "Permission denied" in refused.stderr,
                f"{client}: a wrong key is refused",
            )
            swapped = self._sftp(up, client, key=self._key(up, other)).run("ls")
            self.checks.expect(swapped.returncode != 0, f"{client}: the key of {other} is refused")
            listed = self._sftp(up, client).run("ls -1 /", "ls -1 /downloads")
            self.checks.expect(other not in listed.stdout, f"{client}: no trace of {other} in its listing")
            for path in (f"/downloads/../{other}", f"/downloads/{other}", f"/{DOWNLOADS}/../../{other}"):
                looked = self._sftp(up, client).run(f"get {path}/* {self.folder}")
                self.checks.expect(looked.returncode != 0, f"{client}: `get {path}/*` fetches nothing")
            decision = iam.simulate_principal_policy(
                PolicySourceArn=iam.get_role(RoleName=_role_name(stack, client))["Role"]["Arn"],
                ActionNames=["s3:GetObject"],
                ResourceArns=[f"arn:aws:s3:::{stack['delivery_bucket']}/{DOWNLOADS}/{other}/any.csv"],
            )["EvaluationResults"][0]["EvalDecision"]
            self.checks.expect(decision == "implicitDeny", f"{client}: its role may not read {other}'s folder")

    def _sftp(self, up: dict[str, Any], client: str, key: Path | None = None) -> SftpSession:
        where = up["sftp"]
        known_hosts = self.folder / "known_hosts"
        if not known_hosts.exists():
            write_known_hosts(where["host"], where["port"], known_hosts)
        return SftpSession(where["host"], where["port"], client, key or self._key(up, client), known_hosts)

    def _key(self, up: dict[str, Any], client: str) -> Path:
        return Path(up["clients"][client]["private_key"])


def main() -> None:
    """Run the demo; whatever happens, nothing is left running."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    DEFAULT_FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="demo-", dir=DEFAULT_FOLDER) as scratch, errors_reported():
        local = LocalSystem(Path(scratch) / "system")
        try:
            code = Demo(Path(scratch), local, Checks()).run()
        finally:
            local.down()
    talk.print(
        "[red]a comparison failed[/red]" if code else "[green]every comparison held; nothing left running[/green]"
    )
    raise typer.Exit(code)


def _retention_days(stack: Stack) -> int:
    """The days of the bucket's expiry rule, as S3 itself tells them."""
    rules = stack.s3.get_bucket_lifecycle_configuration(Bucket=stack["delivery_bucket"])["Rules"]
    return next(
        rule["Expiration"]["Days"]
        for rule in rules
        if rule["Status"] == "Enabled" and rule.get("Filter", {}).get("Prefix") == f"{DOWNLOADS}/"
        if "Expiration" in rule
    )


def _deleted_after(delivery: Delivery, days: int) -> str:
    """S3 expires at the first midnight UTC after so many times 24 hours."""
    return f"{(delivery.published_at + timedelta(days=days)).date() + timedelta(days=1)} 00:00 UTC"


def _role_name(stack: Stack, client: str) -> str:
    return f"{stack['schedule_group']}.{client}.sftp"


if __name__ == "__main__":
    typer.run(main)
