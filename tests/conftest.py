"""Fixtures of all Python tests: a Gatehouse, servers behind it, data."""
import os
import shutil
import sys
import tempfile
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
def place():
    """A folder any user may go through (servers give up root): not pytest's own, which it closes to others."""
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def module_place():
    """The same for all tests of a module."""
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
