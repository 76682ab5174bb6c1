"""The programs that clients read their files with."""

from collections.abc import Iterator

import pytest

from tests.readers import gnupg
from tests.readers.gnupg import GnuPG


@pytest.fixture(scope="session")
def gpg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GnuPG]:
    """The client's GnuPG. Its path is short: its agent's socket has room for 107 characters."""
    with gnupg.user(tmp_path_factory.mktemp("g") / "h") as user:
        yield user
