"""The attack drives the same laboratory as the stack tests."""

from tests.stack.conftest import _quiet_names, host_key, lab, quiet, stack, system

__all__ = ["_quiet_names", "host_key", "lab", "quiet", "stack", "system"]
