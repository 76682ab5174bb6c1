"""`./scripts/test --mutants`: what is measured with what."""

import pytest

from tests.mutants import __main__ as mutants


@pytest.mark.parametrize("name", mutants.TESTS)
def test_the_tests_that_are_to_notice_a_modules_faults_are_there_and_so_is_the_module(name: str) -> None:
    assert mutants.modules(name)
    assert mutants.tests_of(name)
