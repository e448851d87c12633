"""Certificates that change under live sessions; those that can't be used are refused where they are named."""
import hashlib
import os
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess

import certificates
import pytest
from fake_backend import FakeBackend
from gatehouse import PROGRAM, Client, Gatehouse, free_port


class TlsClient(Client):
    def __init__(self, port, name=None, implicit=False):
        context = ssl._create_unverified_context()
        if implicit:
            raw = socket.create_connection(("127.0.0.1", port), 20)
            self.sock = context.wrap_socket(raw, server_hostname=name)
            self.file = self.sock.makefile("rb")
            assert self.reply()[0] == 220
        else:
            super().__init__(port)
            self.hello()
            assert self.code("STARTTLS") == 220
            self.sock = context.wrap_socket(self.sock, server_hostname=name)
            self.file = self.sock.makefile("rb")
        self.hello()

    def seen(self):
        return hashlib.sha256(self.sock.getpeercert(True)).hexdigest()


def of(cert):
    return certificates.fingerprint(cert).replace(":", "").lower()


@pytest.fixture
def gate(place):
    smtps = free_port()
    cert, key = certificates.make(place / "one")
    live = place / "live.pem", place / "live.key"
    shutil.copy(cert, live[0])
    shutil.copy(key, live[1])
    wild = certificates.make(place / "wild", "mail.hosted.example")
    other = certificates.make(place / "other", "other.example")
    extra = f"""tls default {{ certificate = "{live[0]}"
  key = "{live[1]}" }}
tls hosted {{ certificate = "{wild[0]}" key = "{wild[1]}" names = {{"*.hosted.example"}} }}
tls other {{ certificate = "{other[0]}" key = "{other[1]}" names = {{other.example, second.example}} }}
listen smtps {{ address = 127.0.0.1:{smtps} tls = implicit certificate = default }}
"""
    with FakeBackend() as b, Gatehouse(place / "g", backend=b.port, extra=extra, workers=2,
                                       listen_settings="tls = starttls\n certificate = default") as g:
        g.backend, g.smtps, g.live, g.first = b, smtps, live, of(cert)
        g.names = {"a.hosted.example": of(wild[0]), "b.a.hosted.example": of(cert), "other.example": of(other[0]),
                   "SECOND.example": of(other[0]), "elsewhere.example": of(cert), None: of(cert)}
        yield g


def reload(g):
    since = len(g.lines)
    g.process.send_signal(signal.SIGHUP)
    assert g.wait_log("event=ready|refused; the old", 30, since=since), g.log()
    return g.lines[since:]


def put(g, pair):
    for new, live in zip(pair, g.live):
        shutil.copy(new, str(live) + ".new")
        os.rename(str(live) + ".new", live)


@pytest.mark.parametrize("implicit", [False, True])
def test_by_name(gate, implicit):
    for name, want in gate.names.items():
        with TlsClient(gate.smtps if implicit else gate.port, name, implicit) as c:
            assert c.seen() == want, name


def test_a_live_session_goes_on(gate, place):
    new = certificates.make(place / "new")
    assert of(new[0]) != gate.first
    with TlsClient(gate.port) as old, TlsClient(gate.smtps, implicit=True) as old2:
        assert old.seen() == old2.seen() == gate.first
        assert old.code("MAIL FROM:<a@example.net>") == 250
        put(gate, new)
        assert "event=ready" in "".join(reload(gate))
        with TlsClient(gate.port) as c, TlsClient(gate.smtps, implicit=True) as c2:
            assert c.seen() == c2.seen() == of(new[0])
            assert c.mail()[0] == 250
        assert old.code("RCPT TO:<b@example.org>") == 250
        assert old.code("DATA") == 354
        old.send(b"Subject: across a reload\r\n\r\n" + b"x" * 70000 + b"\r\n.\r\n")
        assert old.reply()[0] == 250
        assert old2.mail()[0] == 250
        assert old.seen() == gate.first
    assert len(gate.backend.messages) == 3


def broken(place, kind):
    cert, key = certificates.make(place / "good")
    if kind == "expired":
        return certificates.make(place / "x", days=-1)
    if kind == "no certificate":
        return key, key
    if kind == "cut":
        short = place / "short.pem"
        short.write_bytes(cert.read_bytes()[:200])
        return short, key
    if kind == "another's key":
        return cert, certificates.make(place / "x")[1]
    if kind == "empty key":
        (place / "empty").write_bytes(b"")
        return cert, place / "empty"
    locked = place / "locked.key"
    subprocess.run(["openssl", "ec", "-aes256", "-passout", "pass:x", "-in", str(key), "-out", str(locked)], check=True,
                   capture_output=True)
    return cert, locked


BROKEN = {"expired": ("certificate", "has expired on "), "no certificate": ("certificate", ""), "cut": ("certificate", ""),
          "another's key": ("key", "mismatch"), "empty key": ("key", ""), "passphrase": ("key", "")}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_ones_are_refused(gate, place, kind):
    setting, says = BROKEN[kind]
    put(gate, broken(place, kind))
    line = 1 + next(i for i, x in enumerate(gate.conf.read_text().split("\n")) if re.search(rf"\b{setting} = .*live", x))
    said = reload(gate)
    assert any(x.startswith(f"{gate.conf}:{line}: {setting}: {gate.live[setting == 'key']}: {says}") or
               (x.startswith(f"{gate.conf}:{line}: {setting}: {gate.live[setting == 'key']}: ") and says in x) for x in said), said
    with TlsClient(gate.port) as c:
        assert c.seen() == gate.first, "the old one stays in force"
        assert c.mail()[0] == 250
    check = subprocess.run([PROGRAM, "check", "-c", str(gate.conf)], capture_output=True, text=True)
    assert check.returncode == 78 and f"{gate.conf}:{line}: {setting}: " in check.stdout + check.stderr


def test_an_expired_one_at_the_start_is_said_only(gate, place):
    """There is nothing to stay with, and mail in the clear, or under a stale certificate, is better than none."""
    gate.stop()
    put(gate, certificates.make(place / "x", days=-1))
    gate.start()
    assert gate.wait_log("live.pem: has expired on ")
    with TlsClient(gate.port) as c:
        assert c.mail()[0] == 250


@pytest.mark.parametrize("implicit", [False, True])
def test_a_certificate_is_an_identity(place, implicit):
    """Who shows a listed one counts as authenticated by it; any other certificate, or none, is nobody's."""
    cert, key = certificates.make(place / "gate")
    known, stranger = certificates.make(place / "known", "printer"), certificates.make(place / "stranger", "printer")
    port = free_port()
    ehlo = FakeBackend.EHLO.replace(b"250 ENH", b"250-XCLIENT NAME ADDR LOGIN\r\n250 ENH")
    extra = f"""tls default {{ certificate = "{cert}" key = "{key}"
  client-fingerprints = {{"{certificates.fingerprint(known[0])}"}} }}
listen other {{ address = 127.0.0.1:{port} tls = {"implicit" if implicit else "starttls"} role = submission }}
filter sender_login {{ enabled = off }}
"""
    with FakeBackend({"XCLI": b"220 again\r\n"}, ehlo=ehlo) as b, Gatehouse(
            place / "g", backend=b.port, extra=extra, backend_settings="client-info = xclient") as g:
        for pair, want in ((known, 250), (stranger, 530), (None, 530)):
            context = ssl._create_unverified_context()
            if pair:
                context.load_cert_chain(*pair)
            with Client.__new__(Client) as c:
                c.sock = socket.create_connection(("127.0.0.1", port), 20)
                if not implicit:
                    c.file = c.sock.makefile("rb")
                    c.reply()
                    c.hello()
                    assert c.code("MAIL FROM:<a@example.org>") == 530, "in the clear it is nobody"
                    assert c.code("STARTTLS") == 220
                c.sock = context.wrap_socket(c.sock)
                c.file = c.sock.makefile("rb")
                if implicit:
                    c.reply()
                c.hello()
                assert c.code("MAIL FROM:<a@example.org>") == want
                if want == 250:
                    assert c.code("RCPT TO:<friend@elsewhere.example>") == 250
        login = certificates.fingerprint(known[0]).replace(":", "").lower()
        assert any(x.startswith("XCLIENT") and f"LOGIN={login}" in x for x in b.commands), b.commands
        # A list that has changed holds for who comes behind the reload.
        g.conf.write_text(g.text.replace(certificates.fingerprint(known[0]), certificates.fingerprint(stranger[0])))
        since = len(g.lines)
        g.process.send_signal(signal.SIGHUP)
        assert g.wait_log("event=ready", since=since)
        for pair, want in ((known, 530), (stranger, 250)):
            context = ssl._create_unverified_context()
            context.load_cert_chain(*pair)
            with smtplib.SMTP_SSL("127.0.0.1", port, context=context) if implicit else smtplib.SMTP("127.0.0.1", port) as s:
                if not implicit:
                    s.starttls(context=context)
                s.ehlo("c.example.net")
                assert s.docmd("MAIL FROM:<a@example.org>")[0] == want
