"""µs a mail of each part of sender authentication, answers at hand; and the proxy with all of it and without."""
import statistics
import subprocess
import tempfile
from pathlib import Path

from common import STRANGERS, TOP, Gatehouse, cpu_us, sink_server, source_file
from dnsserver import Server

ROUNDS = 5
MAILS = 400
FILTERS = ("iprev", "spf", "dkim", "arc", "dmarc", "forged_from", "sender_login")
ZONE = """example.net. 3600 IN A 127.0.0.1
example.net. 3600 IN MX 10 client.example.net.
client.example.net. 3600 IN A 127.0.0.1
1.0.0.127.in-addr.arpa. 3600 IN PTR client.example.net.
example.net. 3600 IN TXT "v=spf1 a mx -all"
client.example.net. 3600 IN TXT "v=spf1 a -all"
_dmarc.example.net. 3600 IN TXT "v=DMARC1; p=reject"
"""


def signed(folder):
    """(file of a mail of 10 KB with a signature, zone with its key)"""
    import dkim
    key = folder / "key.pem"
    subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
    public = subprocess.run(["openssl", "rsa", "-in", str(key), "-pubout"], check=True, capture_output=True, text=True).stdout
    p = "".join(public.splitlines()[1:-1])
    mail = (b"From: ann@example.net\r\nTo: bob@example.org\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
            b"Message-Id: <1@example.net>\r\nSubject: measured\r\n\r\n" + b"A line of text that says nothing at all.\r\n" * 243)
    field = dkim.sign(mail, b"sel", b"example.net", key.read_bytes(), include_headers=[b"from", b"to", b"subject"])
    path = folder / "mail"
    path.write_bytes((field + mail).replace(b"\r\n", b"\n"))
    strings = " ".join(f'"{s}"' for s in ("v=DKIM1; p=" + p[:200], p[200:]))
    return path, ZONE + f"sel._domainkey.example.net. 3600 IN TXT {strings}\n"


def proxies():
    """Mails a second and CPU of the proxy, with and without."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as name, sink_server() as sink:
        folder = Path(name)
        mail, zone = signed(folder)
        dns = f"forward = {{127.0.0.1@{Server(zone).port}}}\n  dnssec = no"
        off = STRANGERS + "\n".join(f"filter {f} {{ enabled = no }}" for f in FILTERS)
        limits = "messages = 1000000\n  commands = 1000000\n  sessions-per-client = 1000"
        with Gatehouse(folder / "all", backend=sink, dns=dns, limits=limits, log_to_file=True, extra=STRANGERS) as all_, \
                Gatehouse(folder / "none", backend=sink, dns=dns, limits=limits, log_to_file=True, extra=off) as none:
            found = {}
            for way, g in (("without", none), ("with all", all_)):
                source_file(g.port, 4, 20, mail)
                log = (g.folder / "log").read_text()
                assert all((symbol in log) == (g is all_) for symbol in ("DKIM_PASS", "SPF_PASS", "DMARC_PASS")), log[-2000:]
            for _ in range(ROUNDS):
                for way, g in (("without", none), ("with all", all_)):
                    before = cpu_us(g.worker_pids())
                    took = source_file(g.port, 10, MAILS, mail)
                    rates, costs = found.setdefault(way, ([], []))
                    rates.append(MAILS / took)
                    costs.append((cpu_us(g.worker_pids()) - before) / MAILS)
    print("\nproxy, mails of 10 KB with a signature (RSA-2048), 10 sessions, one worker, names known:\n"
          f"{'authentication':16} {'mails/s':>8} {'ratio':>6} {'CPU µs a mail':>14}")
    for way, (rates, costs) in found.items():
        ratio = statistics.median(rates) / statistics.median(found["without"][0])
        print(f"{way:16} {statistics.median(rates):>8.0f} {ratio:>6.2f} {statistics.median(costs):>14.0f}")


def run():
    """µs a mail of SPF, DKIM and ARC (1, 2, 4 signatures), of From and DMARC; and the proxy with all of them"""
    for program in ("bench_auth", "bench_from"):
        subprocess.run(["make", "-s", f"build/tests/bench/{program}"], cwd=TOP, check=True)
        subprocess.run([str(TOP / "build" / "tests" / "bench" / program)], cwd=TOP, check=True)
    proxies()
