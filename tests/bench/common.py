"""What the benchmarks share: servers to measure, timing, a table."""
import contextlib
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests" / "lib"))

from gatehouse import PROGRAM, Gatehouse, free_port, wait_for_port  # noqa: E402

# So that a client on loopback is judged like any other.
STRANGERS = "networks { trusted = {192.0.2.0/32}  internal = {192.0.2.0/32} }\n"
TICK = os.sysconf("SC_CLK_TCK")


def build_program(name, *libraries):
    """A C program of this folder alone, as a path."""
    program = TOP / "build" / "bench" / name
    program.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["gcc", "-O2", "-D_GNU_SOURCE", "-o", str(program), str(TOP / f"tests/bench/{name}.c"), *libraries],
                   check=True)
    return str(program)


@contextlib.contextmanager
def sink_server():
    port = free_port()
    p = subprocess.Popen([build_program("sink"), str(port)])
    assert wait_for_port(port)
    try:
        yield port
    finally:
        p.kill()
        p.wait()


@contextlib.contextmanager
def haproxy(target):
    """HAProxy in TCP mode before target; None if it isn't installed."""
    if not shutil.which("haproxy"):
        print("skipped: haproxy is not installed")
        yield None
        return
    port = free_port()
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as conf:
        conf.write(f"global\n nbthread {os.cpu_count()}\n maxconn 4000\ndefaults\n mode tcp\n timeout connect 5s\n"
                   f" timeout client 60s\n timeout server 60s\nlisten smtp\n bind 127.0.0.1:{port}\n"
                   f" server s 127.0.0.1:{target}\n")
        conf.flush()
        p = subprocess.Popen(["haproxy", "-q", "-f", conf.name])
        assert wait_for_port(port)
        try:
            yield port
        finally:
            p.kill()
            p.wait()


def cpu_seconds(pids):
    """CPU that these processes took so far, threads and children that have ended included; in ticks."""
    total = 0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += sum(map(int, fields[11:15]))
    return total / TICK


def with_children(pid):
    out = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout
    return [int(pid), *map(int, out.split())]


def source(port, sessions, messages, size, reuse):
    """Seconds smtp-source takes for that many mails."""
    cmd = ["smtp-source", "-s", str(sessions), "-m", str(messages), "-l", str(size), "-f", "a@example.net", "-t",
           "b@example.org"]
    if reuse:
        cmd.append("-d")
    start = time.monotonic()
    subprocess.run([*cmd, f"127.0.0.1:{port}"], check=True, capture_output=True)
    return time.monotonic() - start


def source_file(port, sessions, messages, path, more=()):
    """Seconds smtp-source takes for that many copies of the mail in a file, all over one connection a session."""
    start = time.monotonic()
    subprocess.run(["smtp-source", "-s", str(sessions), "-m", str(messages), "-d", "-F", str(path), "-M", "client.example.net",
                    "-f", "ann@example.net", "-t", "bob@example.org", *more, f"127.0.0.1:{port}"], check=True,
                   capture_output=True)
    return time.monotonic() - start


def raise_limits():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def cpu_us(pids):
    """µs of CPU that these processes took so far, to the ns (not in ticks)."""
    return sum(int(p.read_text().split()[0]) for pid in pids for p in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1000


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


def test_data():
    """The folder of test data, or None."""
    data = Path(os.environ.get("GATEHOUSE_SHARED", TOP.parent / "shared")) / "data"
    return data if data.is_dir() else None


def real_mails(count):
    """Paths of mails out of all corpora, in an order that mixes them and is always the same."""
    sys.path.insert(0, str(TOP / "tests" / "corpus"))
    from hit_rates import labelled, sample
    mails = [p for paths in sample(labelled(test_data()), count).values() for p in paths]
    random.Random(1).shuffle(mails)
    return mails[:count]


def over_smtp(mail):
    """A saved mail's content as a client sends it: CRLF, dots stuffed."""
    mail = mail.replace(b"\0", b"").replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    mail = re.sub(rb"(?m)^\.", b"..", mail)
    return mail if mail.endswith(b"\r\n") else mail + b"\r\n"
