"""µs a mail of each part of sender authentication, answers at hand."""
import subprocess

from common import TOP


def run():
    """µs a mail of DKIM and ARC (1, 2, 4 signatures), of From and DMARC; answers at hand"""
    for program in ("bench_auth", "bench_from"):
        if not (TOP / "tests" / "bench" / f"{program}.c").exists():
            continue
        subprocess.run(["make", "-s", f"build/tests/bench/{program}"], cwd=TOP, check=True)
        subprocess.run([str(TOP / "build" / "tests" / "bench" / program)], cwd=TOP, check=True)
