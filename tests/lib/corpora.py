"""The mail corpora of the test data, unpacked once under build/."""
import tarfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent


def unpack(data):
    """The folder with all of them, one subfolder each."""
    folder = TOP / "build" / "corpora"
    for archive in sorted((data / "corpora").glob("*/*.tar.xz")):
        target = folder / archive.parent.name
        mark = target / ".complete"
        if mark.exists():
            continue
        target.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive) as tar:
            tar.extractall(target)
        mark.touch()
    return folder
