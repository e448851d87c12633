"""Bots at the door: what they do that mail servers don't, and that honest clients wait no longer than they must."""
import re
import select
import time

import pytest
from fake_backend import FakeBackend
from gatehouse import Client, Gatehouse


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    with FakeBackend() as backend, Gatehouse(tmp_path_factory.mktemp("gate"), backend=backend.port,
                                             extra="policy default { tag = off reject = off }") as g:
        yield g


def hits(g, since):
    line = g.wait_log(r"hits=", since=since)
    assert line, g.log()
    return set(re.findall(r"([A-Z][A-Z0-9_]+):?", re.search(r'hits="?([^" ]*)', line).group(1)))


# What is sent in one go, at which steps.
MANNERS = [
    ("good", ["EHLO c.example.net\r\n", "MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"], set()),
    ("with EHLO", ["EHLO c.example.net\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\n", "DATA\r\n"],
     {"EARLY_PIPELINING"}),
    ("after HELO", ["HELO c.example.net\r\n", "MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\n", "DATA\r\n"],
     {"EARLY_PIPELINING"}),
    ("one by one after HELO", ["HELO c.example.net\r\n", "MAIL FROM:<a@example.net>\r\n", "RCPT TO:<b@example.org>\r\n",
                               "DATA\r\n"], set()),
    ("bare LF", ["EHLO c.example.net\n", "MAIL FROM:<a@example.net>\r\n", "RCPT TO:<b@example.org>\r\n", "DATA\r\n"],
     {"COMMAND_BARE_LF"}),
    ("bare LF late", ["EHLO c.example.net\r\n", "MAIL FROM:<a@example.net>\r\n", "RCPT TO:<b@example.org>\n",
                      "DATA\r\n"], {"COMMAND_BARE_LF"}),
    ("unknown", ["EHLO c.example.net\r\n", "Subject: x\r\n", "MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\n",
                 "DATA\r\n"], {"COMMAND_UNKNOWN"}),
    ("two names", ["EHLO c.example.net\r\n", "EHLO d.example.net\r\n",
                   "MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\n", "DATA\r\n"], {"HELO_CHANGED"}),
    ("one name twice", ["EHLO c.example.net\r\n", "EHLO C.example.net\r\n",
                        "MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\n", "DATA\r\n"], set()),
    ("a login where there is none", ["EHLO c.example.net\r\n", "AUTH LOGIN\r\n",
                                     "MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\n", "DATA\r\n"],
     {"AUTH_UNOFFERED"}),
    ("content with DATA", ["EHLO c.example.net\r\n", "MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\n",
                           "DATA\r\nSubject: x\r\n"], {"EARLY_PIPELINING"}),
]
OURS = {"AUTH_UNOFFERED", "HTTP_COMMAND", "EARLY_TALKER", "EARLY_PIPELINING", "COMMAND_BARE_LF", "COMMAND_UNKNOWN", "HELO_CHANGED"}


@pytest.mark.parametrize("what,steps,want", MANNERS, ids=[m[0] for m in MANNERS])
def test_manners(gate, what, steps, want):
    since = len(gate.lines)
    with Client(gate.port) as c:
        for step in steps:
            c.send(step)
            for _ in range(1 if step.startswith("DATA") else step.count("\n")):
                assert c.reply()[0]
        c.send("Subject: x\r\n\r\ny\r\n.\r\n")
        assert c.reply()[0] == 250
    assert hits(gate, since) & OURS == want


@pytest.mark.parametrize("line", ["GET / HTTP/1.1", "POST /x HTTP/1.0", "CONNECT mx.example.org:25 HTTP/1.1",
                                  "OPTIONS * HTTP/1.1", "PRI * HTTP/2.0", "head / HTTP/1.1"])
def test_http(gate, line):
    with Client(gate.port) as c:
        assert c.code(line) == 421
        assert c.at_end()


def test_http_as_a_score(place):
    with FakeBackend() as backend, Gatehouse(place / "g", backend=backend.port, extra="""filter bots { http = score }
policy default { tag = off reject = off }""") as g:
        with Client(g.port) as c:
            assert c.code("GET / HTTP/1.1") == 500
            assert c.code("Host: x") == 500
            c.hello()
            assert c.mail()[0] == 250
        assert hits(g, 0) & OURS == {"HTTP_COMMAND", "COMMAND_UNKNOWN"}


def test_a_login_in_the_clear_is_no_sign_where_tls_is_needed(place):
    import certificates
    cert, key = certificates.make(place)
    ehlo = FakeBackend.EHLO.replace(b"250 ENH", b"250-AUTH PLAIN\r\n250 ENH")
    with FakeBackend(ehlo=ehlo) as backend, Gatehouse(
            place / "g", backend=backend.port, listen_settings="tls = starttls",
            extra=f'policy default {{ tag = off reject = off }} tls default {{ certificate = "{cert}" key = "{key}" }}') as g:
        with Client(g.port) as c:
            c.hello()
            assert c.code("AUTH PLAIN AAAA") == 538
            assert c.mail()[0] == 250
        assert hits(g, 0) & OURS == set()


def test_bare_lf_and_long_lines_in_content(gate):
    since = len(gate.lines)
    with Client(gate.port) as c:
        c.hello()
        body = b"Subject: x\r\n\r\none\ntwo\r\n" + b"x" * 1200 + b"\r\n"
        assert c.mail(body=body)[0] == 250
    assert {"CONTENT_BARE_LF", "CONTENT_LONG_LINE"} <= hits(gate, since)


def test_greeting_delay(place):
    with FakeBackend() as backend, Gatehouse(place / "g", backend=backend.port, listen_settings="greeting-delay = 2s",
                                             extra="networks { trusted = {} }",
                                             limits="command-timeout = 2s") as g:
        with Client(g.port, greet=False) as c:  # waits for the last line
            start = time.time()
            assert c.file.readline().startswith(b"220-gate.example.org ")
            assert time.time() - start < 1.5
            c.sock.settimeout(0.3)
            with pytest.raises(TimeoutError):
                c.sock.recv(1)
        with Client(g.port, greet=False) as c:  # takes the first line for the whole
            c.file.readline()
            c.send("EHLO early.example.net\r\n")
            assert c.file.readline().startswith(b"220 gate")
            assert c.reply()[0] == 250
            assert c.code("MAIL FROM:<a@example.net>") == 250
            code, text = c.cmd("RCPT TO:<b@example.org>")
            assert code == 550 and "5.7.1" in text and "greeting" in text
            assert c.code("RCPT TO:<postmaster@example.org>") == 250
        with Client(g.port) as c:  # the deadline of commands holds after a delay too
            assert c.reply()[0] == 421
        start = time.time()
        with Client(g.port) as c:
            assert time.time() - start > 1.9
            c.hello()
            assert c.mail()[0] == 250
        start = time.time()
        with Client(g.port) as c:  # known as good now
            assert c.banner[0] == 220 and time.time() - start < 1.5
        assert g.stop() == 0
        g.lines.clear()
        g.start()
        start = time.time()
        with Client(g.port):  # and after a restart
            assert time.time() - start < 1.5


def test_trusted_clients_do_not_wait(place):
    with FakeBackend() as backend, Gatehouse(place / "g", backend=backend.port,
                                             listen_settings="greeting-delay = 10s") as g:
        start = time.time()
        with Client(g.port) as c:
            assert c.banner[0] == 220 and time.time() - start < 8


def test_tarpit(place):
    with FakeBackend() as backend, Gatehouse(place / "g", backend=backend.port, limits="tarpit = 3s sessions = 10") as g:
        with Client(g.port) as c:
            c.hello()
            start = time.time()
            assert c.code("EXPN x") == 502
            assert time.time() - start < 2.5
            assert c.code("NOOP") == 250
            assert time.time() - start > 2.9
            start = time.time()
            assert c.code("NOOP") == 250
            assert time.time() - start < 2.5
        # Two of ten may wait, the third is answered at once; who leaves makes room.
        many = [Client(g.port) for _ in range(3)]
        for c in many:
            assert c.code("EXPN x") == 502
        start = time.time()
        for c in many:
            c.send("NOOP\r\n")
        (first,), _, _ = select.select([c.sock for c in many], [], [], 10)
        assert time.time() - start < 2.5
        for c in many:
            assert c.reply()[0] == 250
            assert c.sock is first or time.time() - start > 2.9
        for c in many:
            c.send("EXPN x\r\nNOOP\r\n")
            c.close()
        time.sleep(0.2)
        with Client(g.port) as c:
            start = time.time()
            assert [c.code("EXPN x"), c.code("NOOP")] == [502, 250]
            assert time.time() - start > 2.9
