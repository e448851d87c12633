"""Gatehouse as a milter inside a real Sendmail."""
import os
import re
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from corpora import Signer, check_delivered, numbered_and_signed, sample, send_all

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import authdata  # noqa: E402
from fake_backend import FakeBackend  # noqa: E402
from gatehouse import TOP, Client  # noqa: E402
from milter import MilterGate  # noqa: E402
from sendmail import Sendmail  # noqa: E402

ZONE = """\
example.net. 60 IN A 192.0.2.1
pass.example. 60 IN TXT "v=spf1 ip4:127.0.0.1 -all"
pass.example. 60 IN A 192.0.2.7
fail.example. 60 IN TXT "v=spf1 -all"
;! broken.example SERVFAIL
"""
FILTERS = """
networks { trusted = {10.0.0.1}  internal = {10.0.0.1} }
filter spf { fail = reject  on-error = defer }
filter iprev { enabled = off }
policy default { tag = 4  quarantine = 6  discard = 8  reject = 10  scores = {"DKIM_NONE=0", "ARC_NONE=0"} }
policy tagged { recipients = {tagged@example.org}  tag = 1  scores = {"DKIM_NONE=2"}  subject-tag = "[SPAM {score}]" }
policy held { recipients = {held@example.org}  quarantine = 1  scores = {"DKIM_NONE=2"} }
policy away { recipients = {away@example.org, "Two Words@example.org", third+x@example.org}  redirect = 1
  redirect-to = spam@example.org  scores = {"DKIM_NONE=2"} }
policy lost { recipients = {lost@example.org}  discard = 1  scores = {"DKIM_NONE=2"} }
policy refused { recipients = {refused@example.org}  actions = {"DKIM_NONE=reject"}
  replies = {"DKIM_NONE=554 5.7.1 100% spam, not 99%s"} }
policy lines { recipients = {lines@example.org}  actions = {"DKIM_NONE=reject"}
  replies = {"DKIM_NONE=554 5.7.1 First line, 1%\\nsecond %d line\\nand the last"} }
"""
SIMPLE = b"From: ann@pass.example\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-Id: <1@pass.example>\r\nSubject: hello\r\n\r\nhi\r\n"


class Place:
    """A Sendmail with our milter, and what it passes on."""

    def __init__(self, folder, **gate):
        self.gate = MilterGate(folder / "gate", dns=f'zone-file = "{folder / "zone"}"', **gate)
        (folder / "zone").write_text(ZONE)
        self.folder = folder
        self.backend = FakeBackend()

    def __enter__(self):
        self.sendmail = Sendmail(self.folder / "sm", self.backend.port, self.gate.unix)
        self.gate.start()
        self.sendmail.__enter__()
        return self

    def __exit__(self, *exc):
        self.sendmail.__exit__()
        self.gate.stop()
        self.backend.stop()

    def send(self, body=SIMPLE, rcpt="bob@example.org", sender="ann@pass.example"):
        with Client(self.sendmail.port) as c:
            c.hello()
            return c.mail(rcpt, sender, body)

    def deliver(self, body=SIMPLE, **how):
        before = len(self.backend.messages)
        code, text = self.send(body, **how)
        assert code == 250, text
        end = time.time() + 20
        while time.time() < end and len(self.backend.messages) == before:
            time.sleep(0.02)
        assert len(self.backend.messages) > before, "not passed on"
        return self.backend.messages[-1]["data"]


@pytest.fixture(name="place", scope="module")
def running(tmp_path_factory):
    with Place(tmp_path_factory.mktemp("sendmail"), extra=FILTERS) as p:
        yield p


def test_accepted_mail_gets_our_fields_on_top(place):
    at = len(place.gate.lines)
    mail = place.deliver()
    names = re.findall(rb"(?m)^([A-Za-z-]+):", mail[:mail.index(b"\r\n\r\n")])
    assert names == [b"Received-SPF", b"Authentication-Results", b"X-Spam-Score", b"X-Spam-Status", b"Received",
                     b"From", b"Date", b"Message-Id", b"Subject"]
    line = place.gate.wait_log("event=transaction", since=at)
    assert "client=127.0.0.1" in line and re.search(r"queue_id=\w{14}", line)


def test_forged_fields_are_removed_by_their_place(place):
    forged = (b"Authentication-Results: gate.example.org; spf=pass 1\r\n"
              b"Authentication-Results: other.example; spf=pass\r\n"
              b"X-Spam-Flag: NO\r\n"
              b"authentication-results: GATE.example.org;\r\n\tdkim=pass 2\r\n"
              b"Authentication-Results: third.example; dkim=pass\r\n"
              b"X-Spam-Status: No, score=-100\r\n"
              b"X-Spam-Status: No, score=-200\r\n"
              b"Authentication-Results: gate.example.org; dmarc=pass 3\r\n")
    mail = place.deliver(forged + SIMPLE)
    assert mail.lower().count(b"authentication-results: gate.example.org") == 1
    assert b"other.example; spf=pass\r\n" in mail and b"third.example; dkim=pass\r\n" in mail
    assert b"-100" not in mail and b"-200" not in mail and b"X-Spam-Flag" not in mail
    assert not re.search(rb"=pass [123]", mail)


def test_tagged(place):
    mail = place.deliver(rcpt="tagged@example.org")
    assert b"\r\nX-Spam-Flag: YES\r\n" in mail and b"\r\nSubject: [SPAM 2.0] hello\r\n" in mail


def test_refused_at_the_end_with_percent(place):
    code, text = place.send(rcpt="refused@example.org")
    assert code == 554 and re.fullmatch(r"5\.7\.1 100% spam, not 99%s \([0-9a-zBC]{12}\)", text), text


def test_refused_in_several_lines(place):
    code, text = place.send(rcpt="lines@example.org")
    assert code == 554
    assert re.fullmatch(r"5\.7\.1 First line, 1%\n5\.7\.1 second %d line\n5\.7\.1 and the last \([0-9a-zBC]{12}\)", text), text


def test_refused_and_deferred_at_rcpt(place):
    with Client(place.sendmail.port) as c:
        c.hello()
        assert c.code("MAIL FROM:<eve@fail.example>") == 250
        code, text = c.cmd("RCPT TO:<bob@example.org>")
        assert code == 550 and text.startswith("5.7.23 <bob@example.org>... fail.example does not let 127.0.0.1 send its mail"), text
        assert c.code("RCPT TO:<postmaster@example.org>") == 250
        assert c.code("RSET") == 250
        assert c.code("MAIL FROM:<eve@broken.example>") == 250
        code, text = c.cmd("RCPT TO:<bob@example.org>")
        assert code == 451 and text.startswith("4.7.24 Temporary failure"), text


def test_quarantined_is_held_by_sendmail(place):
    before = len(place.backend.messages)
    assert place.send(rcpt="held@example.org")[0] == 250
    end = time.time() + 5
    while time.time() < end and not any(n.startswith("hf") for n in place.sendmail.queue()):
        time.sleep(0.05)
    assert any(n.startswith("hf") for n in place.sendmail.queue())
    assert len(place.backend.messages) == before


def test_redirected(place):
    before = len(place.backend.messages)
    with Client(place.sendmail.port) as c:
        c.hello()
        assert c.code("MAIL FROM:<ann@pass.example>") == 250
        for path in ("<Away@Example.org>", '<"Two Words"@example.org>', "<third+x@example.org>"):
            assert c.code(f"RCPT TO:{path}") == 250
        assert c.code("DATA") == 354
        c.send(SIMPLE + b".\r\n")
        assert c.reply()[0] == 250
    place.deliver()
    end = time.time() + 20
    while time.time() < end and len(place.backend.messages) < before + 2:
        time.sleep(0.02)
    mine = [m for m in place.backend.messages[before:] if b"X-Gatehouse-Original-To" in m["data"]]
    assert len(mine) == 1 and len(place.backend.messages) == before + 2, place.backend.messages[before:]
    assert [r.split()[1].upper() for r in mine[0]["rcpt"]] == [b"TO:<SPAM@EXAMPLE.ORG>"], mine[0]["rcpt"]
    assert mine[0]["data"].count(b"X-Gatehouse-Original-To: <") == 3


def test_discarded_only_where_asked(place):
    before = len(place.backend.messages)
    assert place.send(rcpt="lost@example.org")[0] == 250
    place.deliver()
    assert len(place.backend.messages) == before + 1


def test_8bit(place):
    raw = SIMPLE.replace(b"hello", "grüße".encode()).replace(b"hi\r\n", "schön\r\n".encode())
    raw = raw.replace(b"Subject", b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                      b"Content-Transfer-Encoding: 8bit\r\nSubject")
    mail = place.deliver(raw)
    assert "Subject: grüße\r\n".encode() in mail and mail.endswith("\r\n\r\nschön\r\n".encode())


@pytest.mark.parametrize("canon", [(b"simple", b"simple"), (b"relaxed", b"relaxed")])
def test_dkim_holds_for_us_and_downstream(tmp_path, canon):
    dkim = pytest.importorskip("dkim")
    import base64
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL,
                            serialization.NoEncryption())
    public = base64.b64encode(key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)).decode()
    record = f"v=DKIM1; k=rsa; p={public}"
    mail = (b"From: Ann <ann@pass.example>\r\nSubject:   three  spaces\r\n\tand a fold\r\n  and another\r\n"
            b"X-Tight:value\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-Id: <1@pass.example>\r\n"
            b"\r\nDots:\r\n..x\r\n  leading  and trailing \t \r\n\r\n\r\n")
    signature = dkim.sign(mail, b"s1", b"pass.example", pem, canonicalize=canon,
                          include_headers=[b"from", b"subject", b"x-tight", b"date"])
    with Place(tmp_path) as place:
        place.gate.stop()
        (tmp_path / "zone").write_text(ZONE + authdata.txt("s1._domainkey.pass.example", record))
        place.gate.start()
        seen = place.deliver(re.sub(rb"(?m)^\.", b"..", signature + mail))
        assert b"dkim=pass" in seen, seen.decode()
        assert dkim.verify(seen, dnsfunc=lambda name, timeout=5: record.encode())


def left_alone(raw):
    """Sendmail writes From anew unless it is one plain address; it adds what is missing above and below."""
    return re.search(rb"(?m)^From: (?:[\w ]+ <[\w.-]+@[\w.-]+>|[\w.-]+@[\w.-]+)\r$", raw) and raw.count(b"\nFrom:") <= 1


def test_corpora(tmp_path, data):
    """As in Postfix: nothing hangs or is lost, and what was signed still is."""
    count, signer = 1000, Signer()
    mails, signed = numbered_and_signed(sample(data, count), signer, left_alone)
    place = Place(tmp_path, limits="received-headers = 100", extra=f'rules {{ paths = {{"{TOP / "rules" / "shipped"}"}} }}')
    (tmp_path / "zone").write_text(ZONE + authdata.txt("s1._domainkey.pass.example", signer.record))
    with place:
        start = time.time()
        replies = send_all(place.sendmail.port, mails)
        taken = sum(code == 250 for code, _ in replies)
        print(f"{count} mails in {time.time() - start:.1f} s")
        end = time.time() + 120
        while time.time() < end and len(place.backend.messages) < taken:
            time.sleep(0.1)
        verified = check_delivered(mails, replies, [m["data"] for m in place.backend.messages], signer, signed)
        print(f"{verified} signatures hold")
        assert verified > count // 8 and taken > count // 2


def test_reload_under_load_and_stop(tmp_path):
    with Place(tmp_path) as place:
        codes, stop = [], threading.Event()

        def load():
            while not stop.is_set():
                try:
                    with Client(place.sendmail.port) as c:
                        c.hello()
                        for _ in range(4):
                            codes.append(c.mail(body=SIMPLE, sender="ann@pass.example"))
                except (OSError, AssertionError) as e:
                    codes.append((0, str(e)))

        threads = [threading.Thread(daemon=True, target=load) for _ in range(3)]
        for t in threads:
            t.start()
        for _ in range(4):
            time.sleep(1)
            place.gate.process.send_signal(signal.SIGHUP)
        time.sleep(1.5)
        stop.set()
        for t in threads:
            t.join()
        print(len(codes), "mails over", place.gate.status()["generation"], "generations")
        assert len(codes) > 30 and {code for code, _ in codes} == {250}, [c for c in codes if c[0] != 250][:3]
        # F=T: without us, a temporary failure; with us again, all is well again.
        place.gate.stop()
        with Client(place.sendmail.port, greet=False) as c:
            code, _ = c.reply()
            assert code in (220, 421, 451)
            if code == 220:
                c.cmd("EHLO x.example.net")
                assert c.code("MAIL FROM:<ann@pass.example>") in (421, 451)
        place.gate.start()
        place.deliver()


def test_restarted_under_load_nothing_lost_or_unscanned(tmp_path):
    with Place(tmp_path, milter="processes = 2") as place:
        taken, codes, stop = [], [], threading.Event()

        def load(number):
            n = 0
            while not stop.is_set():
                try:
                    with Client(place.sendmail.port) as c:
                        if c.cmd("EHLO load.example.net")[0] != 250:
                            codes.append(421)
                            continue
                        for _ in range(4):
                            n += 1
                            code, _ = c.mail(body=SIMPLE.replace(b"hello", b"%d-%d" % (number, n)), sender="ann@pass.example")
                            codes.append(code)
                            if code == 250:
                                taken.append(b"%d-%d" % (number, n))
                            elif c.code("RSET") != 250:
                                break
                except OSError:
                    codes.append(0)

        threads = [threading.Thread(daemon=True, target=load, args=(n,)) for n in range(3)]
        for t in threads:
            t.start()
        for sudden in (False, True):
            time.sleep(1)
            if sudden:
                for pid in [place.gate.process.pid, *place.gate.worker_pids()]:
                    os.kill(pid, signal.SIGKILL)
                place.gate.process.wait()
            else:
                assert place.gate.stop() == 0
            time.sleep(0.5)
            place.gate.start()
        time.sleep(1)
        stop.set()
        for t in threads:
            t.join()
        place.deliver()
        end = time.time() + 30
        while time.time() < end and len(place.backend.messages) <= len(taken):
            time.sleep(0.05)
        there = {re.search(rb"\r\nSubject: (\S+)", m["data"]).group(1) for m in place.backend.messages}
        print({c: codes.count(c) for c in set(codes)})
        assert set(taken) <= there, "acknowledged and not passed on"
        assert all(b"\r\nX-Spam-Status: " in m["data"] for m in place.backend.messages), "a mail passed unscanned"
        assert {c // 100 for c in codes} <= {2, 4, 0} and len(taken) > 20 and any(c // 100 == 4 for c in codes)
