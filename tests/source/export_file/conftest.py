from collections.abc import Iterator

import pytest
from tests.source.export_file.agent import READERS


@pytest.fixture(autouse=True)
def released() -> Iterator[None]:
    """No reader of a test is left with open files."""
    yield
    while READERS:
        READERS.pop().source.release()
