"""Fixtures of all Python tests: a Gatehouse, servers behind it, data."""
import os
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests" / "lib"))
SHARED = Path(os.environ.get("GATEHOUSE_SHARED", TOP.parent / "shared"))


@pytest.fixture(scope="session")
def data():
    """The folder of real test data; a test that lacks it is skipped aloud."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip(f"skipped: no test data at {folder}")
    return folder


@pytest.fixture
def place(tmp_path):
    """A folder any user may go through (servers give up root)."""
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if parent == Path("/tmp"):
            break
        try:
            parent.chmod(0o755)
        except PermissionError:
            break
    return tmp_path
