"""Debian packages unpacked into a folder under build/: for programs that must not be installed, or can't be beside others."""
import os
import shutil
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent


def unpacked(name, packages):
    """The folder they lie in, or None if they can't be had."""
    root = TOP / "build" / name
    if (root / ".complete").exists():
        return root
    if os.geteuid() != 0 or not shutil.which("dpkg"):
        return None
    shutil.rmtree(root, ignore_errors=True)
    (root / "deb").mkdir(parents=True)
    got = subprocess.run(["apt-get", "download", *packages], cwd=root / "deb", capture_output=True)
    files = list((root / "deb").glob("*.deb"))
    if got.returncode != 0 or len(files) < len(packages):
        return None
    for f in files:
        subprocess.run(["dpkg", "-x", f, root], check=True)
    (root / ".complete").touch()
    return root
