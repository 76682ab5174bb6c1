"""The function's zip."""

import subprocess
import sys
import zipfile
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from infra import PROJECT_FOLDER, artifact
from infra.artifact import BUILD_FOLDER, MAX_UNZIPPED_BYTES, Artifact, Target, aws_lambda, build, running_interpreter
from infra.errors import PackingFailed


@pytest.fixture(scope="module")
def for_lambda() -> Artifact:
    return build(aws_lambda())


def test_two_builds_are_the_same_bytes(tmp_path: Path) -> None:
    assert (
        build(running_interpreter(), tmp_path / "one").sha256 == build(running_interpreter(), tmp_path / "two").sha256
    )


def test_an_unchanged_build_is_reused(for_lambda: Artifact) -> None:
    again = build(aws_lambda(), BUILD_FOLDER)
    assert (again.path, again.sha256, again.reused) == (for_lambda.path, for_lambda.sha256, True)


def test_a_changed_source_is_built_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "functions" / "referral_delivery"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(artifact, "PROJECT_FOLDER", tmp_path)
    monkeypatch.setattr(artifact, "PACKAGE_FOLDER", package)
    monkeypatch.setattr(artifact, "LOCK", lock := tmp_path / "requirements.lock")
    lock.write_text("")
    first = build(running_interpreter(), tmp_path / "build")
    (package / "__init__.py").write_text("x = 1")
    second = build(running_interpreter(), tmp_path / "build")
    assert (first.path != second.path, second.reused, first.path.exists()) == (True, False, False)


def test_the_zip_for_lambda_holds_arm64_machine_code_of_python_313(for_lambda: Artifact) -> None:
    with zipfile.ZipFile(for_lambda.path) as archive:
        libraries = [name for name in archive.namelist() if name.endswith(".so")]
        machines = {archive.read(name)[18:20] for name in libraries}
    assert any("cpython-313-aarch64" in name for name in libraries)
    assert machines == {b"\xb7\x00"}, "EM_AARCH64 is 183: https://man7.org/linux/man-pages/man5/elf.5.html"


def test_the_zip_for_lambda_fits_its_limits(for_lambda: Artifact) -> None:
    assert for_lambda.unzipped_bytes < MAX_UNZIPPED_BYTES
    assert for_lambda.path.stat().st_size < 50 * 1024 * 1024, "direct upload"


def test_the_zip_describes_only_the_aws_services_that_the_function_calls(for_lambda: Artifact) -> None:
    with zipfile.ZipFile(for_lambda.path) as archive:
        described = [name.split("/") for name in archive.namelist() if name.startswith("botocore/data/")]
    assert {parts[2] for parts in described if len(parts) > 3} == {
        *("dynamodb", "events", "lambda", "s3", "secretsmanager", "sesv2", "sqs", "ssm", "sts", "transfer")
    }


def test_the_zip_for_another_python_holds_no_bytecode_of_this_one() -> None:
    other = Target(name="other", python="3.99")
    assert (running_interpreter().bytecode, other.bytecode) == (True, False)


def test_every_module_in_the_zip_is_compiled_and_names_no_path_of_this_machine() -> None:
    with zipfile.ZipFile(build(running_interpreter()).path) as archive:
        names = set(archive.namelist())
        modules = {cache_from_source(name) for name in names if name.endswith(".py")}
        assert modules == {name for name in names if name.endswith(".pyc")}
        told = [name for name in modules if str(PROJECT_FOLDER).encode() in archive.read(name)]
    assert told == []


def test_what_is_compiled_in_the_zip_is_not_compiled_again(tmp_path: Path) -> None:
    with zipfile.ZipFile(build(running_interpreter()).path) as archive:
        archive.extractall(tmp_path)
    (tmp_path / "referral_delivery" / "errors.py").write_text("this is no Python")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from referral_delivery import errors; print(errors)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], check=False, capture_output=True, text=True)
    assert str(tmp_path) in done.stdout, done.stderr


def test_the_function_imports_from_the_zip_alone(tmp_path: Path) -> None:
    with zipfile.ZipFile(build(running_interpreter()).path) as archive:
        archive.extractall(tmp_path)
    program = (
        f"import sys; sys.path = [p for p in sys.path if 'site-packages' not in p] + [{str(tmp_path)!r}]\n"
        "import referral_delivery.handlers.export as e; from referral_delivery.lake.connection import _httpfs\n"
        "print(e.__file__); print(_httpfs().is_file())\n"
        "import gc; print(gc.isenabled(), gc.get_freeze_count() > 10_000)\n"
        "heavy = {'pulumi', 'cryptography', 'yaml', 'typer', 'ministack'} & set(sys.modules); print(sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program],
        check=False,
        env={"AWS_DEFAULT_REGION": "eu-west-1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == [
        str(tmp_path / "referral_delivery/handlers/export.py"),
        "True",
        "True True",  # the collector, which rested during the import, goes on, and what was imported is set aside
        "[]",
    ], done.stderr


def test_the_zip_names_no_path_of_the_machine_that_made_it(for_lambda: Artifact) -> None:
    with zipfile.ZipFile(for_lambda.path) as archive:
        names = archive.namelist()
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert not [name for name in names if name.endswith(("RECORD", "INSTALLER", "direct_url.json"))]
    assert not [name for name in names if name.startswith("bin/")]


def test_a_lock_that_cannot_be_installed_is_an_error_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("no-hash-given==1.0\n")
    monkeypatch.setattr(artifact, "LOCK", lock)
    monkeypatch.setattr(artifact, "PROJECT_FOLDER", tmp_path)
    monkeypatch.setattr(artifact, "PACKAGE_FOLDER", tmp_path / "none")
    with pytest.raises(PackingFailed, match=r"installing requirements.lock for .* failed:\n.*hash"):
        build(running_interpreter(), tmp_path / "build")


def test_both_locks_agree() -> None:
    def pins(path: Path) -> dict[str, str]:
        lines = [line.split(" ")[0].split("==") for line in path.read_text().splitlines() if "==" in line]
        return dict(lines)

    project = pins(PROJECT_FOLDER / "requirements.lock")
    function = pins(artifact.LOCK)
    assert function
    assert {name: project.get(name) for name in function} == function
