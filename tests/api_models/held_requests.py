"""Holds every AWS request of a process against the API's own models, before it is sent.

Imported at the start of each process, so it imports nothing that costs: botocore is changed when, and from where,
the process imports it. That the deployed function does from its zip.
"""

import json
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

# Names the file that gets a line for each request, from all processes.
LOG = "HELD_REQUESTS"

_VALIDATION = "botocore.validate"


def install() -> None:
    """Have botocore hold its requests, now or once it is imported."""
    if _VALIDATION in sys.modules:
        _change(sys.modules[_VALIDATION])
    elif not any(isinstance(finder, _OnImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _OnImport())


class _OnImport:
    """Finds botocore's validation as all others do, and changes it once it has been executed."""

    def find_spec(self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None) -> ModuleSpec | None:
        if name != _VALIDATION:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_change(module: ModuleType) -> None:
            execute(module)
            _change(module)

        setattr(spec.loader, "exec_module", execute_and_change)  # noqa: B010 - the loader is this module's alone
        return spec


def _change(validate: ModuleType) -> None:
    if validate.ParamValidationDecorator.__module__ != validate.__name__:
        return
    # Where no botocore is to be held, neither is `regex` needed.
    import api_model  # noqa: PLC0415

    model_validator = api_model.validator(validate)
    original = validate.ParamValidationDecorator

    class Held(original):  # type: ignore[misc, valid-type]
        """What botocore serialises each request with."""

        def serialize_to_request(self, parameters: dict[str, Any], operation_model: Any) -> Any:
            operation = f"{operation_model.service_model.service_name}.{operation_model.name}"
            findings = model_validator().findings(parameters, operation_model.input_shape)
            _note(operation, findings)
            if findings:
                raise validate.ParamValidationError(report="\n".join(f"{operation}: {each}" for each in findings))
            return super().serialize_to_request(parameters, operation_model)

    validate.ParamValidationDecorator = Held  # type: ignore[attr-defined]


def _note(operation: str, findings: list[str]) -> None:
    if LOG not in os.environ:
        return
    line = json.dumps({"process": _process(), "operation": operation, "findings": findings}) + "\n"
    file = os.open(os.environ[LOG], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def _process() -> str:
    """Which program this is: a deployed function by its name, any other by its file."""
    function = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
    return f"function {function}" if function else Path(sys.argv[0]).name
