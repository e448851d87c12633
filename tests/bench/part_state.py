"""Policy, the stores, a greylist of a million entries, lists of 100,000."""
import contextlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from common import TOP, free_port, wait_for_port

GREYLIST = 1000000
LIST = 100000


@contextlib.contextmanager
def redis():
    """Its URL and process, or nothing of either."""
    if not shutil.which("redis-server"):
        print("skipped: redis-server is not installed")
        yield None, None
        return
    port = free_port()
    p = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
                         stdout=subprocess.DEVNULL)
    assert wait_for_port(port)
    try:
        yield f"redis://127.0.0.1:{port}/0", p
    finally:
        p.terminate()
        p.wait()


def resident(pid):
    line = next(x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def run():
    """What policy and state cost, and how large they may grow"""
    subprocess.run(["make", "-s", "build/tests/bench/bench_state"], cwd=TOP, check=True)

    def bench(*args):
        subprocess.run([str(TOP / "build/tests/bench/bench_state"), *map(str, args)], check=True)

    bench("policy")
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-", dir=TOP / "build") as name, redis() as (url, server):
        folder = Path(name)
        for sub in ("few", "many"):
            (folder / sub).mkdir()
        stores = ["memory:", f"lmdb:{folder}/few", *([url] if url else [])]
        print(f"\n{'store':8} {'request':18} {'one by one: CPU µs':>20} {'clock':>8} {'32 at once: CPU µs':>18} {'clock':>8}",
              flush=True)
        for store in stores:
            bench("store", store)
        print(flush=True)
        bench("greylist", f"lmdb:{folder}/many", GREYLIST)
        size = sum(f.stat().st_blocks * 512 for f in (folder / "many").iterdir()) / 2**20
        print(f"      {size:.0f} MiB of file", flush=True)
        if url:
            before = resident(server.pid)
            bench("greylist", url, GREYLIST // 5)
            print(f"      {resident(server.pid) - before:.0f} MiB more in Redis", flush=True)
        bench("list", folder, LIST)
