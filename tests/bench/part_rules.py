"""µs of CPU of the rules on real mail, beside plain PCRE2, SpamAssassin and Rspamd."""
import os
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from common import TOP, Gatehouse, cpu_us, over_smtp, percentile, real_mails, sink_server, test_data
from dnsserver import Server
from gatehouse import Client
from generated_rules import generate
from rspamd import Rspamd
from spamd import Spamd

MAILS = 1000
ROUNDS = 2
SERVER_SECONDS = 30  # for each server: as many of the mails as it manages
STOCK = Path("/usr/share/spamassassin")
SHIPPED = TOP / "rules" / "shipped"
STAGES = ("parse", "decode", "match", "conclude")
ZONE = "example.net. 60 IN A 192.0.2.1\n"
LIMITS = "messages = 1000000\n  commands = 1000000\n  errors = 100000"


def table(mails, folder):
    """{set: median µs}; prints a line for each set."""
    sets = {"own": [SHIPPED]}
    if STOCK.is_dir():
        generated = folder / "generated.cf"
        generated.write_text(generate(sorted(STOCK.glob("*.cf")), [m.read_bytes() for m in mails], 9))
        sets.update({"stock": [STOCK], "stock-times-ten": [STOCK, generated], "stock-plain": [STOCK]})
    else:
        print("skipped: SpamAssassin's stock rules aren't installed")
    (folder / "list").write_text("\n".join(map(str, mails)) + "\n")
    cache = TOP / "build" / "bench" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    subprocess.run(["make", "-s", "build/tests/bench/bench_rules"], cwd=TOP, check=True)
    out = subprocess.run([TOP / "build/tests/bench/bench_rules", folder / "list", str(ROUNDS),
                          *[f"{name}={','.join(map(str, paths))}" for name, paths in sets.items()]],
                         env={**os.environ, "BENCH_CACHE": str(cache)}, capture_output=True, text=True, check=True).stdout
    rounds, notes = defaultdict(lambda: defaultdict(list)), {}
    for line in out.splitlines():
        word = line.split()
        if word[0] == "set":
            notes[word[1]] = word[2:]
        elif word[0] == "mail":
            rounds[word[1]][word[2]].append([float(x) for x in word[4:]])
    print(f"{'rule set':16} {'rules':>6} {'µs: median':>10} {'p90':>7} {'p99':>7} {'mean':>7}   median of "
          f"{', '.join(STAGES)}; patterns by string, vectorscan, PCRE2 alone; load")
    medians = {}
    for name, by_mail in rounds.items():
        middle = [sorted(runs, key=sum)[len(runs) // 2] for runs in by_mail.values()]
        totals = [sum(m) for m in middle]
        medians[name] = statistics.median(totals)
        stages = ", ".join(f"{statistics.median(m[i] for m in middle):.0f}" for i in range(len(STAGES)))
        rules, strings, vectorscan, direct, load = notes[name]
        print(f"{name:16} {rules:>6} {medians[name]:>10.0f} {percentile(totals, .9):>7.0f} {percentile(totals, .99):>7.0f} "
              f"{statistics.mean(totals):>7.0f}   {stages}; {strings}, {vectorscan}, {direct}; {load} s")
    return medians


def serve(mails, pids, one):
    """µs of CPU of a server for each mail, one after the other, for as many as time allows."""
    end = time.monotonic() + SERVER_SECONDS
    spent = []
    for mail in mails[:20]:
        one(mail)
    for mail in mails:
        before = cpu_us(pids)
        one(mail)
        spent.append(cpu_us(pids) - before)
        if time.monotonic() > end:
            break
    return spent


def by_gatehouse(mails, folder):
    """The proxy's worker, SMTP in and out, all filters, stock rules."""
    rules = f'rules {{ paths = {{"{STOCK if STOCK.is_dir() else SHIPPED}"}}\n cache = "{TOP}/build/bench/cache" }}'
    with sink_server() as sink, Gatehouse(folder, backend=sink, workers=1, rules=rules, limits=LIMITS, log_to_file=True,
                                          extra="policy default { tag = 5.0  reject = 1000 }",
                                          listen_settings="proxy-from = {127.0.0.0/8}") as g:
        with Client(g.port, timeout=60, greet=False) as c:
            c.send("PROXY TCP4 192.0.2.7 192.0.2.8 4000 25\r\n")
            c.reply()
            c.hello()

            def one(mail):
                code, text = c.mail(body=over_smtp(mail))
                assert code in (250, 550, 552, 554), (code, text)
                if code != 250:
                    c.cmd("RSET")

            time.sleep(5)
            return serve(mails, g.worker_pids(), one)


def by_rspamd(mails, folder):
    with Rspamd(folder, dns=Server(ZONE).port) as r:
        if r.why:
            print(f"skipped: {r.why}")
            return []
        r.wait_compiled()
        return serve(mails, r.pids("normal"), r.check)


def by_spamd(mails, folder):
    with Spamd(folder) as s:
        if s.why:
            print(f"skipped: {s.why}")
            return []
        s.check(mails[0])
        return serve(mails, s.pids(), s.check)


def servers(mails, folder):
    ways = {"Gatehouse, proxy": by_gatehouse, "Rspamd": by_rspamd, "SpamAssassin, spamd": by_spamd}
    content = [m.read_bytes() for m in mails]
    print("\nservers, one mail after the other, their own rules (Gatehouse: SpamAssassin's), DNS that knows nothing:\n"
          f"{'server':20} {'mails':>5} {'µs: median':>10} {'p90':>7} {'p99':>7} {'median / Gatehouse on the same mails':>37}",
          flush=True)
    ours = None
    for way, fn in ways.items():
        spent = fn(content, folder / fn.__name__)
        ours = ours or spent
        if spent:
            n = min(len(spent), len(ours))
            ratio = statistics.median(spent[:n]) / statistics.median(ours[:n])
            print(f"{way:20} {len(spent):>5} {statistics.median(spent):>10.0f} {percentile(spent, .9):>7.0f} "
                  f"{percentile(spent, .99):>7.0f} {ratio:>37.1f}", flush=True)


def run():
    """µs of CPU a mail of the rules, by stage and rule set; and of whole servers with theirs"""
    if test_data() is None:
        print("skipped: no test data (GATEHOUSE_SHARED)")
        return
    mails = real_mails(MAILS)
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        medians = table(mails, folder)
        if "stock" in medians:
            print(f"ten times the rules take {medians['stock-times-ten'] / medians['stock']:.2f} of the time (aim: 1.5); "
                  f"plain PCRE2 {medians['stock-plain'] / medians['stock']:.1f}; stock rules at the median: aim 500 µs",
                  flush=True)
        servers(mails, folder)
