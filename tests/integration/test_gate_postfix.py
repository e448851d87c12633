"""Gatehouse before a real Postfix: what was sent arrives byte for byte, what
must not get through never does, and nothing that was acknowledged is lost."""
import concurrent.futures
import json
import os
import random
import re
import shutil
import signal
import smtplib
import subprocess
import threading
import time

import pytest
from corpora import unpack
from gatehouse import Client, Gatehouse
from postfix import Postfix


@pytest.fixture(scope="module")
def pair(module_place):
    """A Postfix and a Gatehouse before it."""
    folder = module_place
    # What is judged spam is delivered all the same: this is about bytes.
    shadows = "\n".join(f"filter {f} {{ shadow = on }}" for f in ("iprev", "spf", "dkim", "arc", "dmarc", "forged_from", "bots"))
    policy = f"policy default {{ tag = off reject = off }}\n{shadows}"
    limits = """sessions-per-client = 500
  messages = 10000
  errors = 10000
  commands = 1000000
  received-headers = 100"""
    with Postfix(folder / "pf") as postfix, Gatehouse(folder / "gate", backend=postfix.port, workers=2,
                                                      extra=policy, limits=limits) as gate:
        time.sleep(0.5)
        yield gate, postfix


def to_wire(raw):
    """A saved mail as a client sends it: CRLF, dots stuffed."""
    raw = re.sub(rb"\r\n|\r|\n", b"\r\n", raw.replace(b"\0", b""))
    if not raw.endswith(b"\r\n"):
        raw += b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", raw)


def unwire(wire):
    return re.sub(rb"(?m)^\.\.", b".", wire).replace(b"\r\n", b"\n")


def strip_added(mail):
    """What stands above the field with which the test's mail began."""
    at = mail.index(b"X-Test-Number:")
    return mail[at:]


# What Postfix itself takes off or mends in a head, and what we take off by design: not sent at all.
NOT_SENT = re.compile(rb"(?i)(bcc|content-length|resent-bcc|delivered-to|x-original-to|return-path|x-spam-[a-z-]*|"
                      rb"authentication-results)[ \t]*:")


def as_sent(raw):
    """The saved mail without these fields; None where its head isn't one."""
    if raw.startswith(b"From "):
        raw = raw.split(b"\n", 1)[1]
    head, blank, body = raw.partition(b"\n\n")
    fields = re.split(rb"\n(?![ \t])", head)
    if not all(re.match(rb"[!-9;-~]+:", f) for f in fields) or any(len(x) > 900 for x in raw.split(b"\n")):
        return None
    return b"\n".join(f for f in fields if not NOT_SENT.match(f)) + blank + body


def corpus(data, count):
    files = sorted(p for p in unpack(data).rglob("*") if p.is_file() and 300 < p.stat().st_size < 300_000)
    random.Random(1).shuffle(files)
    mails = []
    for f in files:
        raw = as_sent(f.read_bytes().replace(b"\r\n", b"\n"))
        if raw is not None:
            mails.append(raw)
        if len(mails) == count:
            break
    return mails


def test_corpora_arrive_byte_for_byte(pair, data):
    gate, postfix = pair
    mails = corpus(data, 2000)
    assert len(mails) >= 1900
    sent = {}

    def session(part):
        """Some mails in a session, some sessions at once, in several manners."""
        rng = random.Random(part[0])
        with Client(gate.port, timeout=60) as c:
            c.hello()
            for i in part:
                rcpts = rng.randint(1, 3)
                lines = [f"MAIL FROM:<s{i}@example.net>"]
                lines += [f"RCPT TO:<r{r}@example.org>" for r in range(rcpts)] + ["DATA"]
                if rng.random() < 0.5:
                    c.send("".join(x + "\r\n" for x in lines))
                    codes = [c.reply()[0] for _ in lines]
                else:
                    codes = [c.code(x) for x in lines]
                assert codes == [250] * (rcpts + 1) + [354], codes
                wire = b"X-Test-Number: %d\r\n" % i + to_wire(mails[i]) + b".\r\n"
                step = rng.choice([1 << 20, 4096, 1000])
                for at in range(0, len(wire), step):
                    c.send(wire[at:at + step])
                code, text = c.reply()
                assert code == 250, (i, code, text)
                sent[i] = rcpts
            assert c.code("QUIT") == 221

    parts = [list(range(i, len(mails), 40)) for i in range(40)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(session, parts))
    total = sum(sent.values())
    got = postfix.wait_mails(total, 240)
    assert len(got) == total
    counted, wrong = {}, []
    for mail in got:
        number = int(re.search(rb"(?m)^X-Test-Number: (\d+)$", mail).group(1))
        counted[number] = counted.get(number, 0) + 1
        if strip_added(mail) != b"X-Test-Number: %d\n" % number + unwire(to_wire(mails[number])):
            wrong.append(number)
    assert counted == sent
    assert not wrong, f"{len(wrong)} differ, e.g. {wrong[:5]}"


SEQUENCES = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n.\r", b"\r.\n", b"\n\n.\r\n",
             b"\r\n\x00.\r\n", b"\r\n.\x00\r\n", b"\r\n\x00.\n", b"\r\r\n.\r\r\n", b"\n\r.\n\r"]


def test_nothing_is_smuggled_to_postfix(pair, data):
    gate, postfix = pair
    listed = json.loads((data / "smtp" / "derived" / "bad_end_of_data.json").read_text())["sequences"]
    sequences = SEQUENCES + [bytes.fromhex(s["hex"]) for s in listed if not s["contains_valid_crlf_dot_crlf"]]
    assert postfix.wait_idle(180)
    before = set(postfix.files())
    accepted = 0
    for n, seq in enumerate(sequences):
        with Client(gate.port) as c:
            c.hello()
            for line in (f"MAIL FROM:<outer{n}@example.net>", "RCPT TO:<smuggle@example.org>", "DATA"):
                c.cmd(line)
            c.send(b"From: a@example.net\r\nSubject: outer\r\n\r\ntext" + seq + b"MAIL FROM:<smuggled@example.net>\r\n"
                   b"RCPT TO:<smuggle@example.org>\r\nDATA\r\nSubject: smuggled\r\n\r\nhello\r\n.\r\n")
            code, text = c.reply()
            assert code in (250, 550, 554), (seq, code, text)
            accepted += code == 250
            assert c.code("NOOP") == 250  # one reply, not more
    postfix.wait_mails(len(before) + accepted)
    assert postfix.wait_idle(180)
    new = [f.read_bytes() for f in set(postfix.files()) - before]
    assert len(new) == accepted
    assert not [m for m in new if m.startswith(b"Return-Path: <smuggled@")]


def test_tools_people_use(pair):
    gate, postfix = pair
    for tool in ("swaks", "smtp-source"):
        if not shutil.which(tool):
            pytest.skip(f"skipped: {tool} is not installed")
    assert postfix.wait_idle(180)
    before = len(postfix.files())
    p = subprocess.run(["swaks", "--server", f"127.0.0.1:{gate.port}", "--to", "s@example.org", "--from",
                        "a@example.net", "--pipeline"], capture_output=True, text=True)
    assert p.returncode == 0, p.stdout
    p = subprocess.run(["smtp-source", "-c", "-s", "5", "-m", "50", "-l", "3000", "-f", "a@example.net", "-t",
                        "b@example.org", f"127.0.0.1:{gate.port}"], capture_output=True, text=True)
    assert p.returncode == 0, p.stderr
    with smtplib.SMTP("127.0.0.1", gate.port) as s:
        s.sendmail("a@example.net", ["x@example.org", "y@example.org"], "From: a@example.net\r\nSubject: smtplib\r\n\r\nhello\r\n")
    assert len(postfix.wait_mails(before + 53)) == before + 53


def test_the_backend_must_not_relay_for_us(pair):
    """With our address out of mynetworks, as the recipe says, Postfix refuses what we would."""
    _, postfix = pair
    with Client(postfix.port) as c:
        c.hello()
        c.cmd("MAIL FROM:<a@example.net>")
        assert c.code("RCPT TO:<victim@elsewhere.example>") in (454, 554, 550)


class Load:
    """Sends numbered mails until told to stop, and keeps what was said."""

    def __init__(self, port, threads=6):
        self.port, self.stop = port, False
        self.acknowledged, self.refused, self.dropped, self.bounced = set(), set(), set(), set()
        self.counter = iter(range(1 << 30))
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(threads)]
        for t in self.threads:
            t.start()

    def run(self):
        while not self.stop:
            try:
                with Client(self.port, timeout=20) as c:
                    if c.banner[0] != 220:
                        continue
                    c.cmd("EHLO load.example.net")
                    for _ in range(20):
                        if self.stop or not self.one(c):
                            break
            except (OSError, ValueError):
                time.sleep(0.005)

    def one(self, c):
        """False: the session is of no more use."""
        with self.lock:
            n = next(self.counter)
        try:
            body = b"From: load@example.net\r\nSubject: load\r\nX-Load: %d.\r\n\r\n" % n + b"line of text\r\n" * (n % 200)
            code, _ = c.mail(body=body, sender="load@example.net")
        except (OSError, ValueError):
            code = 0
        kind = (self.acknowledged if code == 250 else self.refused if 400 <= code < 500 else
                self.bounced if code >= 500 else self.dropped)
        kind.add(n)
        return code == 250 or (400 <= code < 500 and code != 421 and c.code("RSET") == 250)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.end()

    def end(self):
        self.stop = True
        for t in self.threads:
            t.join(60)


def numbers(mails):
    return {int(n) for m in mails for n in re.findall(rb"(?m)^X-Load: (\d+)\.\r?$", m)}


def assert_nothing_lost(load, postfix):
    assert not load.bounced, "a 5xx would make the sender bounce"
    postfix.wait_idle(20)
    there = numbers(postfix.wait_mails(len(load.acknowledged), 60))
    lost = load.acknowledged - there
    print(f"acknowledged {len(load.acknowledged)}, 4xx {len(load.refused)}, dropped {len(load.dropped)}, "
          f"at the backend {len(there)}")
    assert not lost, f"{len(lost)} of {len(load.acknowledged)} acknowledged mails are not at the backend"


KILLS = int(os.environ.get("GATEHOUSE_KILLS", "200"))


def test_workers_killed_under_load(place):
    with Postfix(place / "pf") as postfix, Gatehouse(place / "g", backend=postfix.port, workers=2,
                                                     limits="sessions-per-client = 500") as gate:
        with Load(gate.port) as load:
            rng = random.Random(7)
            done = 0
            waited = 0
            while done < KILLS:
                pids = gate.worker_pids()
                waited = 0 if pids else waited + 1
                if pids:
                    try:
                        os.kill(rng.choice(pids), signal.SIGKILL)
                        done += 1
                    except ProcessLookupError:
                        pass
                # The back-off would make the test long: a reload starts afresh, and is tried under load with it.
                if (pids and done % 4 == 0) or waited % 5 == 4:
                    gate.process.send_signal(signal.SIGHUP)
                time.sleep(rng.uniform(0.02, 0.15))
            time.sleep(1)
        assert gate.process.poll() is None
        assert len(load.acknowledged) > 200
        assert_nothing_lost(load, postfix)


def test_backend_stopped_and_started_under_load(place):
    with Postfix(place / "pf") as postfix, Gatehouse(place / "g", backend=postfix.port, workers=2,
                                                     limits="sessions-per-client = 500") as gate:
        with Load(gate.port, threads=4) as load:
            for _ in range(4):
                time.sleep(1)
                postfix.stop()
                time.sleep(0.7)
                postfix.start()
            time.sleep(1)
        assert load.acknowledged and load.refused
        assert_nothing_lost(load, postfix)
