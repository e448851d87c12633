"""Postfix alone, with a milter that does nothing, with Gatehouse, and with Rspamd: medians of rounds taken in turn, the same mails."""
import contextlib
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from common import STRANGERS, TOP, build_program, cpu_seconds, over_smtp, real_mails, test_data, with_children
from dnsserver import Server
from gatehouse import Client
from milter import MilterGate, main_cf
from postfix import Postfix
from rspamd import Rspamd

MADE = (b"From: ann@example.net\r\nTo: bob@example.org\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
        b"Message-Id: <1@example.net>\r\nSubject: measured\r\n\r\n" + b"A line of text that says nothing at all.\r\n" * 140)
ZONE = ('example.net. 300 IN A 192.0.2.1\nexample.net. 300 IN MX 10 mx.example.net.\nmx.example.net. 300 IN A 127.0.0.1\n'
        'example.net. 300 IN TXT "v=spf1 ip4:127.0.0.0/8 -all"\n_dmarc.example.net. 300 IN TXT "v=DMARC1; p=none"\n')
ROUNDS = 3
MAILS = 120
SHIPPED = TOP / "rules" / "shipped"


def rate(port, mails, sessions):
    """Mails a second. Whatever the answer to the content is, it counts: filters refuse some."""
    def one_session(mine):
        with Client(port, timeout=60) as c:
            c.hello()
            for mail in mine:
                code, text = c.mail(body=mail)
                assert code in (250, 451, 550, 554), text
                if code != 250:
                    c.cmd("RSET")

    threads = [threading.Thread(daemon=True, target=one_session, args=(mails[i::sessions],)) for i in range(sessions)]
    start = time.time()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return len(mails) / (time.time() - start)


@contextlib.contextmanager
def null_milter(path):
    """What libmilter and the mail server take for themselves."""
    with subprocess.Popen([build_program("null_milter", "-lmilter", "-lpthread"), str(path)]) as p:
        end = time.time() + 10
        while not path.exists() and time.time() < end:
            time.sleep(0.02)
        try:
            yield p
        finally:
            p.kill()


def filters(stack, folder, dns):
    """{way: (what main.cf takes, processes)}"""
    forward = f"forward = {{127.0.0.1@{dns.port}}}\n  dnssec = no"
    gate = stack.enter_context(MilterGate(
        folder / "gate", dns=forward, networks="", rules=f'rules {{ paths = {{"{SHIPPED}"}} }}', log_to_file=True,
        extra=STRANGERS + "policy default { tag = 1000  reject = 1000 }", limits="messages = 1000000\n  end-deadline = 20s"))
    nothing = stack.enter_context(null_milter(folder / "nothing"))
    ways = {"Postfix alone": ("", list),
            "a milter doing nothing": (main_cf(f"unix:{folder}/nothing"), lambda: [nothing.pid]),
            "Gatehouse, unix socket": (main_cf(gate.unix), gate.worker_pids),
            "Gatehouse, TCP": (main_cf(gate.inet), gate.worker_pids)}
    rspamd = stack.enter_context(Rspamd(folder / "rspamd", dns=dns.port))
    if rspamd.why:
        print(f"skipped: {rspamd.why}")
    else:
        rspamd.wait_compiled()
        ways["Rspamd, unix socket"] = (main_cf(f"unix:{rspamd.unix}"), lambda: rspamd.pids("rspamd_proxy"))
    return ways


def cpu_of(postfix, pids):
    """Seconds that Postfix took so far, and the filter."""
    master = (postfix.folder / "queue/pid/master.pid").read_text().strip()
    return cpu_seconds(with_children(master)), cpu_seconds(pids)


def measure(ways, mails, folder):
    """{(way, sessions): ([rates], [µs of Postfix a mail], [µs of the filter])}"""
    found = {}
    with contextlib.ExitStack() as stack:
        ports = {}
        for n, (way, (extra, _)) in enumerate(ways.items()):
            postfix = stack.enter_context(Postfix(folder / f"pf{n}", extra=extra))
            ports[way] = postfix
            rate(postfix.port, mails[:20], 2)
        for _ in range(ROUNDS):
            for sessions, count in ((1, len(mails) // 4), (8, len(mails))):
                for way, postfix in ports.items():
                    pids = ways[way][1]()
                    before = cpu_of(postfix, pids)
                    r = rate(postfix.port, mails[:count], sessions)
                    postfix.wait_idle()
                    spent = [(after - b) / count * 1e6 for after, b in zip(cpu_of(postfix, pids), before)]
                    for list_, value in zip(found.setdefault((way, sessions), ([], [], [])), (r, *spent)):
                        list_.append(value)
    return found


def table(title, found):
    """By the clock, and by the CPU that it takes: the latter holds on a busy machine too."""
    print(f"{title}\n{'':24} {'sessions':>8} {'mails/s':>8} {'of alone':>8} {'CPU µs: Postfix':>15} {'filter':>7} "
          f"{'CPU of alone / of both':>22}")
    for (way, sessions), lists in sorted(found.items(), key=lambda item: item[0][1]):
        alone = [statistics.median(list_) for list_ in found["Postfix alone", sessions]]
        r, postfix, cpu = [statistics.median(list_) for list_ in lists]
        print(f"{way:24} {sessions:>8} {r:>8.0f} {r / alone[0]:>8.0%} {postfix:>15.0f} {cpu:>7.0f} "
              f"{alone[1] / (postfix + cpu):>22.0%}")


def run():
    """Mails a second through Postfix, alone and with a milter; rules and authentication on, names known after the first"""
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        ways = filters(stack, folder, Server(ZONE))
        table("made mail of 6 KB:", measure(ways, [MADE] * MAILS, folder / "made"))
        if test_data() is None:
            print("skipped: real mail, no test data (GATEHOUSE_SHARED)")
            return
        table("real mail:", measure(ways, [over_smtp(m.read_bytes()) for m in real_mails(MAILS)], folder / "real"))
