"""`./scripts/test --mutants [MODULE]`: small faults put into the package one at a time, and whether a test notices.

Nothing is written: each mutant lives in a process of its own, forked from one that has imported what all of them
need, and is given to the import system in the place of the module.
"""

import argparse
import gc
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import pytest
import yaml

from infra import PROJECT_FOLDER
from tests.mutants.calls import Called, Calls, Chosen
from tests.mutants.mutant import PACKAGE, Finder, Mutant

MAKER = PROJECT_FOLDER / ".build" / "mutants" / "bin" / "python"
EQUIVALENT = Path(__file__).with_name("equivalent.yaml")
# The tests that are to notice, of a module or room: the longest name counts, and the quickest tests come first.
# Unit tests, but for those that say `stack/`: these are of what only AWS can answer, and share one local system.
TESTS = {
    "agreement": "client_files client_file_cases contract",
    "agreement.address": "address client_file_cases",
    "agreement.attributes": "attributes contract",
    "agreement.client": "client notices client_files client_file_cases contract",
    "agreement.client_file": "contract client client_file_cases client_files client_file_text",
    "agreement.client_file.causes": "client_file_cases client_files",
    "agreement.client_file.shown": "shown",
    "agreement.client_file.wording": "client_file_cases client_files notices duration",
    "agreement.client_file.fields": "fields contract client_file_cases client_files client_file_text",
    "agreement.contract": "contract records client_files client_file_cases",
    "agreement.cron": "schedule days_of_month",
    "agreement.duration": "duration",
    "agreement.file_name": "file_name client_file_cases",
    "agreement.key_formats": "public_key client_file_cases client_file_text",
    "agreement.notices": "notices contract client_files",
    "agreement.pgp_armour": "pgp_key key_folder",
    "agreement.pgp_key": "pgp_key key_folder contract",
    "agreement.pgp_parts": "pgp_key key_folder contract",
    "agreement.recipient": "key_folder pgp_watch contract encrypt",
    "agreement.client_file.key_folder": "key_folder contract",
    "agreement.public_key": "public_key client_files client_file_cases contract",
    "agreement.refusal": "refusal client_file_cases",
    "agreement.month": "days_of_month",
    "agreement.schedule": "schedule days_of_month client_files client_file_cases contract",
    "agreement.spellings": "spellings client_file_cases client_files",
    "agreement.timezones": "timezones client_file_cases",
    "delivery": "export contract exactly_once",
    "delivery.backfill": "contract stack/backfill stack/backfill_records",
    "delivery.event": "event contract",
    "delivery.export": "export contract exactly_once",
    "delivery.lease": "lease contract",
    "delivery.publish": "publish export exactly_once contract stack/publishing stack/recovery stack/resend",
    "delivery.plan": "plan contract",
    "delivery.resend": "contract stack/resend",
    "delivery.upcoming": "export day_sequence contract exactly_once",
    "errors": "client_files client_file_cases contract exactly_once",
    "file": "rows pack contract exactly_once",
    "file.encrypt": "encrypt",
    "file.encrypt_process": "encrypt",
    "file.signing": "signing contract stack/pgp",
    "file.manifest": "manifest publish contract",
    "file.upload": "parts contract stack/upload stack/model stack/publishing",
    "handlers": "contract artifact",
    "lake": "query values contract",
    "lake.connection": "connection query contract",
    "lake.values": "query values types contract",
    "lake.columns": "query types contract",
    "lake.objects": "lake plan records contract stack/first_day stack/bad_data",
    "ledger": "records contract stack/ledger",
    "ledger.dynamodb": "dynamodb contract stack/ledger",
    "ledger.fields": "item_fields records contract",
    "ledger.receiving": "contract stack/receiving",
    "ledger.table": "stack/ledger contract stack/model",
    "ledger.watching": "dynamodb contract stack/watch",
    "settings": "contract artifact",
    "window": "window lake plan contract",
}
# What tests and package import of others: in memory before the first fork, and so not in each process's time.
_IMPORTED_ONCE = (
    "aws_lambda_powertools.logging",
    "aws_lambda_powertools.metrics",
    "jsonschema",
    "cronsim",
    "xdist",
    "boto3",
    "cryptography.hazmat.primitives.serialization.ssh",
    "duckdb",
    "pulumi",
    "pulumi_aws",
    "typer.testing",
    "rich.progress",
    "hypothesis.stateful",
    "pydantic",
)
# Where in a module a diff belongs.
_LINES = re.compile(r"@@ .* @@")
# Of the processor, so that a busy machine kills nothing; an endless loop ends here.
_CPU_SECONDS = 60


def modules(name: str) -> list[Path]:
    """The modules of the package, of a room of it, or one module."""
    inside = PACKAGE.joinpath(*filter(None, name.split(".")))
    found = sorted(inside.rglob("*.py")) if inside.is_dir() else [inside.with_suffix(".py")]
    if not found or not found[0].exists():
        raise SystemExit(f"--mutants: no module {name!r} in {PACKAGE}; name one such as agreement.file_name, or a room")
    return [path for path in found if path.name != "__init__.py"]


def sample(mutants: Sequence[Mutant], most: int) -> list[Mutant]:
    """At most so many mutants of each module, the same ones each time."""
    chosen = []
    for module in dict.fromkeys(mutant.module for mutant in mutants):
        of_module = [mutant for mutant in mutants if mutant.module == module]
        chosen += random.Random(0).sample(of_module, min(most, len(of_module)))
    return chosen


def tests_of(module: str) -> list[str]:
    """The test files that are to notice a fault of a module."""
    names = TESTS[max((name for name in TESTS if f"{module}.".startswith(f"{name}.")), key=len)].split()
    paths = [name if "/" in name else f"unit/{name}" for name in names]
    files = [PROJECT_FOLDER / "tests" / path.replace("/", "/test_") for path in paths]
    files = [file.with_suffix(".py") for file in files]
    if missing := [str(file) for file in files if not file.exists()]:
        raise SystemExit(f"--mutants: TESTS in {__file__} names what is gone: {', '.join(missing)}")
    return [str(file) for file in files]


def made(paths: Sequence[Path]) -> list[Mutant]:
    """The mutants of the modules, from the environment that has Cosmic Ray."""
    maker = [str(MAKER), str(Path(__file__).with_name("make.py")), *map(str, paths)]
    lines = subprocess.run(maker, check=True, stdout=subprocess.PIPE, text=True, cwd=PROJECT_FOLDER).stdout.splitlines()
    return [Mutant(**json.loads(line)) for line in lines]


def _run_tests(files: Sequence[str], mutant: Mutant | None, plugin: object) -> NoReturn:
    """In a forked process: ends it with 0 where no test noticed."""
    code = 1
    try:
        if mutant:
            resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)
            os.dup2(silence, 2)
            sys.meta_path.insert(0, Finder(mutant))
        hypothesis = import_module("hypothesis")
        # Whether a test fails is all that counts: nobody reads the smallest example.
        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        calm = {"deadline": None, "suppress_health_check": list(hypothesis.HealthCheck)}
        hypothesis.settings.register_profile("mutants", database=None, derandomize=True, phases=phases, **calm)
        hypothesis.settings.load_profile("mutants")
        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "timeout=120", "-m", "not attack"]
        # On a machine that is busy with mutants, one of these runs may take another's place.
        options += ["--deselect=tests/stack/test_recovery.py::test_runs_at_once_make_one_file_between_them"]
        # Hypothesis is in memory already, where pytest would look for assertions to rewrite.
        options += ["-W", "ignore::pytest.PytestAssertRewriteWarning", *(["--tb=no"] if mutant else [])]
        if isinstance(plugin, Calls):
            plugin.start()
        # One after the other, so that what the later ones import costs only those that live so long.
        passed = {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
        code = int(any(pytest.main([*options, file], [plugin]) not in passed for file in files))
        if isinstance(plugin, Calls):
            plugin.write()
    except BaseException:  # noqa: BLE001 - the process ends here
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def _forked(files: Sequence[str], mutant: Mutant | None, plugin: object) -> int:
    pid = os.fork()
    if pid == 0:
        _run_tests(files, mutant, plugin)
    return pid


def survived(mutants: Sequence[Mutant], called: Called, *, at_once: int) -> Iterator[tuple[Mutant, bool]]:
    """Each mutant, in the order in which they end, and whether all tests passed that call the function with its fault.

    What runs when the module is imported is for all of the module's tests to notice.
    """
    running: dict[int, Mutant] = {}
    waiting = list(reversed(mutants))
    while waiting or running:
        while waiting and len(running) < at_once:
            mutant = waiting.pop()
            chosen = called.chosen(mutant.path, mutant.line)
            running[_forked(_holding(tests_of(mutant.module), chosen), mutant, Chosen(chosen))] = mutant
        pid, status = os.wait()
        yield running.pop(pid), status == 0


def _holding(files: Sequence[str], chosen: Collection[str] | None) -> list[str]:
    """The files that hold a chosen test; importing another one only takes time."""
    if chosen is None:
        return list(files)
    held = {str(PROJECT_FOLDER / name.partition("::")[0]) for name in chosen}
    return [file for file in files if file in held]


@contextmanager
def _system(files: Sequence[str]) -> Iterator[None]:
    """A local system for the tests that need one; from a process of its own, so that this one imports no module."""
    if not any(Path(file).parent.name == "stack" for file in files):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        program = [sys.executable, "-m", "tests.mutants.system", folder]
        try:
            subprocess.run([*program, "up"], check=True, stdout=subprocess.DEVNULL)
            os.environ["LOCAL_SYSTEM"] = str(Path(folder) / "local" / "stack.json")
            yield
        finally:
            subprocess.run([*program, "down"], check=True, stdout=subprocess.DEVNULL)


def main() -> int:
    """Print the survivors as diffs, then a line for each module."""
    parser = argparse.ArgumentParser(prog="test --mutants", description=__doc__)
    parser.add_argument("module", nargs="*", default=[""], help="agreement.file_name, or agreement; default: all")
    parser.add_argument("--again", type=Path, metavar="OUTPUT", help="only what survived in an earlier run's output")
    parser.add_argument("--sample", type=int, metavar="N", help="at most so many of each module, always the same ones")
    asked = parser.parse_args()
    mutants = made([path for name in asked.module for path in modules(name)])
    known = yaml.safe_load(EQUIVALENT.read_text(encoding="utf-8")) or []
    equivalent = {(each["module"], each["was"], each.get("becomes", "")) for each in known}
    mutants = [mutant for mutant in mutants if (mutant.module, *mutant.change()) not in equivalent]
    if asked.again:
        survivors = _LINES.sub("@@", asked.again.read_text(encoding="utf-8"))
        mutants = [mutant for mutant in mutants if _LINES.sub("@@", f"{mutant.diff}\n") in survivors]
    if asked.sample:
        mutants = sample(mutants, asked.sample)

    for name in _IMPORTED_ONCE:
        import_module(name)
    # Each process lives for seconds: its collector would only copy the memory that all of them share.
    gc.disable()
    files = sorted({file for mutant in mutants for file in tests_of(mutant.module)})
    with _system(files):
        _measure(mutants, files)
    return 0


def _measure(mutants: Sequence[Mutant], files: Sequence[str]) -> None:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        noted = Path(folder) / "calls.json"
        if os.waitpid(_forked(files, None, Calls(PACKAGE, noted)), 0)[1]:
            raise SystemExit("--mutants: the tests fail without a mutant; mend them first")
        called = Called(noted)
    killed, alive = Counter[str](), Counter[str]()
    workers = int(os.environ.get("PYTEST_WORKERS") or os.cpu_count() or 1)
    for number, (mutant, lives) in enumerate(survived(mutants, called, at_once=workers), 1):
        (alive if lives else killed)[mutant.module] += 1
        if lives:
            print(mutant.diff, end="\n\n", flush=True)
        if sys.stderr.isatty():
            print(f"\r{number} of {len(mutants)}, {alive.total()} survived", end="", file=sys.stderr, flush=True)
    print(f"{'module':34} killed survived  score")
    for module in sorted(killed | alive):
        print(_line(module, killed[module], alive[module]))
    print(_line(f"all, in {time.monotonic() - began:.0f} s", killed.total(), alive.total()))


def _line(name: str, killed: int, alive: int) -> str:
    return f"{name:34} {killed:6} {alive:8} {killed / max(killed + alive, 1):6.1%}"


if __name__ == "__main__":
    sys.exit(main())
