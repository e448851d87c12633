"""TLS sessions and mails a second, beside Postfix's smtpd that passes mail on without a queue, as we do."""
import contextlib
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from certificates import make
from common import Gatehouse, build_program, cpu_seconds, free_port, sink_server, with_children
from postfix import Postfix

ROUNDS = 3
SESSIONS = 200   # of a mail each
MAILS = 60       # each over one of 8 sessions


def gatehouse(stack, folder, sink, cert, key, mode):
    limits = "messages = 1000000\n  commands = 1000000\n  sessions-per-client = 1000"
    return stack.enter_context(Gatehouse(
        folder, backend=sink, workers=1, limits=limits, log_to_file=True, listen_settings=f"tls = {mode}",
        top=f'tls default {{ certificate = "{cert}"\n  key = "{key}" }}'))


def postfix(stack, folder, sink, cert, key):
    """Its second port is for implicit TLS."""
    port = free_port()
    extra = (f"smtpd_tls_security_level = may\nsmtpd_tls_cert_file = {cert}\nsmtpd_tls_key_file = {key}\n"
             f"smtpd_tls_session_cache_database =\nsmtpd_proxy_filter = inet:127.0.0.1:{sink}\n")
    p = stack.enter_context(Postfix(folder, extra=extra, services=f"127.0.0.1:{port} inet n - n - - smtpd\n"
                                                                  "  -o smtpd_tls_wrappermode=yes"))
    return p, port


def run():
    """TLS sessions and mails a second (TLS 1.3, P-256), beside Postfix's own smtpd with TLS; without DNS and rules"""
    program = build_program("tls_source", "-lssl", "-lcrypto")
    found = {}
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        sink = stack.enter_context(sink_server())
        cert, key = make(folder)
        g = {mode: gatehouse(stack, folder / mode, sink, cert, key, mode) for mode in ("starttls", "implicit")}
        p, wrapped = postfix(stack, folder / "postfix", sink, cert, key)
        master = (p.folder / "queue/pid/master.pid").read_text().strip()
        servers = {
            "Gatehouse": lambda mode: (g["implicit" if mode == "implicit" else "starttls"].port,
                                       g["implicit" if mode == "implicit" else "starttls"].worker_pids()),
            "Postfix smtpd": lambda mode: (wrapped if mode == "implicit" else p.port, with_children(master)),
        }
        cases = [(mode, what) for mode in ("none", "starttls", "implicit") for what in ("sessions", "mails")]
        for server in servers.values():
            for mode in ("starttls", "implicit"):
                subprocess.run([program, str(server(mode)[0]), mode, "8", "8", "1", "1000"], check=True)
        for _ in range(ROUNDS):
            for mode, what in cases:
                for server, fn in servers.items():
                    port, pids = fn(mode)
                    spent = -cpu_seconds(pids)
                    sessions, mails = (SESSIONS, 1) if what == "sessions" else (8, MAILS)
                    start = time.monotonic()
                    subprocess.run([program, str(port), mode, "8", str(sessions), str(mails), "10240"], check=True)
                    took, n = time.monotonic() - start, sessions if what == "sessions" else sessions * mails
                    spent += cpu_seconds(fn(mode)[1])  # what has ended since is its master's
                    rates, costs = found.setdefault((mode, what, server), ([], []))
                    rates.append(n / took)
                    costs.append(spent / n * 1e6)
    print(f"10 KB mails, 8 sessions at a time; sessions: of a mail each; mails: over sessions that stay\n"
          f"{'TLS':9} {'':9} {'Gatehouse/s':>11} {'Postfix/s':>10} {'ratio':>6} {'CPU µs each: Gatehouse':>23} {'Postfix':>8} "
          f"{'ratio':>6}")
    for mode, what in cases:
        ours, theirs = (tuple(map(statistics.median, found[mode, what, server])) for server in servers)
        print(f"{mode:9} {what:9} {ours[0]:>11.0f} {theirs[0]:>10.0f} {ours[0] / theirs[0]:>6.2f} {ours[1]:>23.0f} "
              f"{theirs[1]:>8.0f} {ours[1] / theirs[1] if theirs[1] else float('nan'):>6.2f}")
