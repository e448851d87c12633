#!/usr/bin/python3
"""make bench: ratios of this machine, in one run. Nothing here is a gate.

bench/run.py [proxy|idle|rules|auth|milter|tls|state]…   parts by name; all by default
"""
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import common
import pytest
from common import Gatehouse

Skipped = pytest.skip.Exception

LIMITS = """sessions-per-client = 30000
  sessions = 30000
  messages = 1000000
  commands = 1000000
  command-timeout = 600s"""


def part_proxy():
    """Mails a second through the proxy, to a minimal sink, as a ratio to sending there directly."""
    common.raise_limits()
    cases = [(size, sessions, reuse) for size in (1024, 10240, 102400) for sessions in (1, 20, 100)
             for reuse in (False, True)]
    with tempfile.TemporaryDirectory() as d, common.sink_server() as sink, common.haproxy(sink) as hap, \
            Gatehouse(Path(d) / "g", backend=sink, workers=0, limits=LIMITS, log_to_file=True) as g:
        print(f"{'size':>7} {'sessions':>8} {'connections':>11} {'direct/s':>9} {'gatehouse/s':>11} {'ratio':>6} "
              f"{'haproxy':>7} {'cpu µs':>7}")
        for size, sessions, reuse in cases:
            count = {1024: 4000, 10240: 3000, 102400: 600}[size] // (8 if sessions == 1 else 1)
            best = {}
            for _ in range(2):
                for name, port in (("direct", sink), ("gatehouse", g.port), ("haproxy", hap)):
                    if port is None:
                        continue
                    before = common.cpu_seconds(g.worker_pids())
                    took = common.source(port, sessions, count, size, reuse)
                    if name not in best or took < best[name][0]:
                        best[name] = (took, common.cpu_seconds(g.worker_pids()) - before)
            rate = {k: count / v[0] for k, v in best.items()}
            print(f"{size:>7} {sessions:>8} {'reused' if reuse else 'new':>11} {rate['direct']:>9.0f} "
                  f"{rate['gatehouse']:>11.0f} {rate['gatehouse'] / rate['direct']:>6.2f} "
                  f"{rate['haproxy'] / rate['direct'] if 'haproxy' in rate else float('nan'):>7.2f} "
                  f"{best['gatehouse'][1] / count * 1e6:>7.0f}", flush=True)


def memory(pids):
    """Private bytes."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(("Private_Dirty:", "Private_Clean:")):
                total += int(line.split()[1]) * 1024
    return total


def part_idle():
    """Memory of idle sessions, after EHLO."""
    most = min(10000, common.raise_limits() - 1000)
    with tempfile.TemporaryDirectory() as d, common.sink_server() as sink, \
            Gatehouse(Path(d) / "g", backend=sink, workers=0, limits=LIMITS) as g:
        warm = [socket.create_connection(("127.0.0.1", g.port)) for _ in range(200)]
        for s in warm:
            s.sendall(b"EHLO warm.example.net\r\n")
        time.sleep(0.5)
        before = memory(g.worker_pids())
        socks = []
        for i in range(most):
            s = socket.socket()
            s.bind((f"127.0.{1 + i // 20000}.1", 0))
            s.connect(("127.0.0.1", g.port))
            s.sendall(b"EHLO idle.example.net\r\n")
            socks.append(s)
        for s in socks:
            s.settimeout(30)
            got = b""
            while b"250 " not in got:
                got += s.recv(4096)
        time.sleep(1)
        used = memory(g.worker_pids()) - before
        print(f"{most} idle sessions: {used / most / 1024:.2f} KiB each (private memory of the workers)")
        for s in socks + warm:
            s.close()


ORDER = ("proxy", "idle", "rules", "auth", "milter", "tls", "state")
PART_SECONDS = 300  # a part that takes longer is cut off: all of them in 15 minutes, on a quiet machine


def parts():
    found = {name[5:]: fn for name, fn in globals().items() if name.startswith("part_")}
    for path in Path(__file__).parent.glob("part_*.py"):
        module = __import__(path.stem)
        found[path.stem[5:]] = module.run
    return {name: found[name] for name in sorted(found, key=lambda n: ORDER.index(n) if n in ORDER else len(ORDER))}


def machine():
    """What was measured, and on what."""
    def out(*command):
        try:
            return subprocess.run(command, capture_output=True, text=True, cwd=common.TOP).stdout.strip()
        except FileNotFoundError:
            return ""
    cpu = next((x.split(":", 1)[1].strip() for x in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in x), "?")
    memory_kb = int(Path("/proc/meminfo").read_text().split()[1])
    packages = out("dpkg-query", "-W", "-f", "${Package} ${Version}, ", "postfix", "haproxy", "redis-server", "spamassassin",
                   "libvectorscan5", "libpcre2-8-0")
    print(f"{time.strftime('%Y-%m-%d')}, Gatehouse {out('git', 'rev-parse', '--short', 'HEAD')}\n"
          f"{os.cpu_count()} cores of {cpu}, {memory_kb / 2**20:.0f} GiB, Linux {os.uname().release}\n{packages.rstrip(', ')}")


def too_long(signum, frame):
    raise TimeoutError(f"cut off after {PART_SECONDS} s")


def run_part(name, fn):
    """Whether it came to its end."""
    load, start = os.getloadavg()[0], time.monotonic()
    print(f"\n== {name}: {(fn.__doc__ or '').strip()}", flush=True)
    if load > os.cpu_count() / 2:
        print(f"   the machine is busy (load average {load:.1f}): only ratios and times of CPU say something", flush=True)
    signal.alarm(PART_SECONDS)
    try:
        fn()
    except Skipped as why:
        print(why)
    except Exception:  # one part must not keep the others from being measured
        traceback.print_exc(file=sys.stdout)
        print(f"failed: {name}")
        return False
    finally:
        signal.alarm(0)
        print(f"   {time.monotonic() - start:.0f} s", flush=True)
    return True


def main():
    all_parts = parts()
    wanted = sys.argv[1:] or list(all_parts)
    unknown = [name for name in wanted if name not in all_parts]
    if unknown:
        sys.exit(f"no such part: {' '.join(unknown)}; there are {' '.join(all_parts)}")
    signal.signal(signal.SIGALRM, too_long)
    machine()
    results = [run_part(name, all_parts[name]) for name in wanted]
    sys.exit(0 if all(results) else 1)


main()
