"""What policy and state cost, by store."""
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from common import TOP
from gatehouse import free_port, wait_for_port

ENTRIES = int(os.environ.get("BENCH_ENTRIES", "1000000"))


def run():
    """µs of verdicts, of lists of 100,000, of each store with a million greylist entries; memory"""
    subprocess.run(["make", "-s", "build/tests/bench/bench_policy"], cwd=TOP, check=True)
    program = str(TOP / "build/tests/bench/bench_policy")
    redis, port = shutil.which("redis-server"), free_port()
    subprocess.run([program], check=True)
    with tempfile.TemporaryDirectory() as d:
        subprocess.run([program, str(ENTRIES), f"lmdb:{d}/store"], check=True)
        used = sum(p.stat().st_blocks * 512 for p in Path(d).rglob("*") if p.is_file())
        print(f"  {'on disk':28} {used / 1e6:8.1f} MB")
        if redis is None:
            print("skipped: no redis-server")
            return
        server = subprocess.Popen([redis, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", d],
                                  stdout=subprocess.DEVNULL)
        try:
            wait_for_port(port)
            subprocess.run([program, str(ENTRIES), f"redis://127.0.0.1:{port}/0"], check=True)
            for line in Path(f"/proc/{server.pid}/status").read_text().splitlines():
                if line.startswith("VmRSS"):
                    print(f"  {'memory of redis-server':28} {int(line.split()[1]) / 1e3:8.1f} MB")
        finally:
            server.kill()
            server.wait()
