"""AUTH relayed: what goes through and what must not, who fails again and again, and what nobody may read in a log."""
import base64
import time

import pytest
from fake_backend import FakeBackend
from gatehouse import Client, Gatehouse

EHLO = FakeBackend.EHLO.replace(b"250 ENH", b"250-AUTH PLAIN LOGIN SCRAM-SHA-256 GSSAPI\r\n250 ENH")
GOOD = base64.b64encode(b"\0ada\0secret").decode()


class Dialogue(FakeBackend):
    """Asks what it is told to, and takes the login if the last response is the good one."""
    challenges = [b""]

    def _say(self, c, stage, normal=None):
        if stage != "AUTH":
            return super()._say(c, stage, normal)
        got = self.commands[-1].partition(" ")[2].partition(" ")[2].encode()
        for text in [] if got else self.challenges:
            c.sendall(b"334 " + text + b"\r\n")
            got = self.here.file.readline().rstrip(b"\r\n")
            self.responses.append(got)
            if got == b"*":
                break
        c.sendall(b"235 2.7.0 welcome\r\n" if got == GOOD.encode() else b"501 5.7.0 cancelled\r\n" if got == b"*" else
                  b"535 5.7.8 no such login\r\n")
        return True


def start(place, limits="", settings="", workers=1):
    b = Dialogue(ehlo=EHLO)
    b.responses = []
    g = Gatehouse(place / "g", backend=b.port, listen_settings="auth-without-tls = on", limits=limits, workers=workers,
                  backend_settings=settings)
    return b, g


def hello(g):
    end = time.time() + 10
    while time.time() < end:
        c = Client(g.port)
        if "AUTH PLAIN" in c.hello():
            return c
        c.close()
        time.sleep(0.05)
    raise AssertionError("AUTH is not offered")


def raw(c, line):
    c.send(line + "\r\n")
    return c.file.readline()


@pytest.mark.parametrize("challenge", [b"", base64.b64encode(b"x" * 900), base64.b64encode(b"y" * 9000)], ids=len)
def test_challenges_pass_as_they_are(place, challenge):
    """An empty one stays empty, a long one is one line (RFC 4954 4)."""
    b, g = start(place)
    b.challenges = [challenge]
    with b, g, hello(g) as c:
        assert raw(c, "AUTH PLAIN") == b"334 " + challenge + b"\r\n"
        assert c.code(GOOD) == 235
        assert b.responses == [GOOD.encode()]


@pytest.mark.parametrize("response", [b"YWRh\rMAIL FROM:<evil@example.net>", b"YW\0Rh", b"\xff\xfe", b"YW Rh", b"**"])
def test_no_response_but_base64(place, response):
    """The backend never sees what could be a line of its own there."""
    b, g = start(place)
    with b, g, hello(g) as c:
        assert raw(c, "AUTH LOGIN") == b"334 \r\n"
        assert c.cmd(response)[0] == 501
        assert c.code("MAIL FROM:<a@example.net>") == 250, "the exchange is over"
    assert not [x for x in b.responses if x], b.responses


def test_refusals(place):
    """Each has an id that why knows, costs the backend's connection, and slows the next command down."""
    b, g = start(place, limits="tarpit = 1s errors = 2")
    with b, g:
        with hello(g) as c:
            code, text = c.cmd("AUTH PLAIN AAAA")
            assert code == 535 and text.startswith("5.7.8 no such login (")
            began = time.time()
            assert c.code("NOOP") == 250 and time.time() - began > 0.9
            assert raw(c, "AUTH LOGIN") == b"334 \r\n"
            assert c.code("*") == 501
            assert c.code("AUTH PLAIN =") == 421, "errors = 2"
        with hello(g) as c:
            assert c.mail()[0] == 250
    logins = [i for i, x in enumerate(b.commands) if x.startswith("AUTH")]
    assert all(b.commands[i - 1].startswith("EHLO") for i in logins), "each has a connection of its own"


def test_failures_are_counted_over_sessions(place):
    b, g = start(place, limits="auth-failures = 3", workers=2)
    with b, g:
        for _ in range(3):
            with hello(g) as c:
                assert c.code("AUTH PLAIN AAAA") == 535
        asked = sum(x.startswith("AUTH") for x in b.commands)
        with hello(g) as c:
            code, text = c.cmd("AUTH PLAIN " + GOOD)
            assert code == 421 and "failed logins" in text and c.at_end()
        assert sum(x.startswith("AUTH") for x in b.commands) == asked == 3
        with hello(g) as c:
            assert c.mail()[0] == 250, "mail is no login"


def test_what_is_said_is_nowhere(place):
    """Neither passwords nor what comes instead of one are in the log, or in any file of the state."""
    b, g = start(place, limits="errors = 50")
    secret = base64.b64encode(b"\0ada\0hunter2hunter2").decode()
    words = [secret, "hunter2hunter2", base64.b64encode(b"hunter2hunter2").decode(), GOOD]
    with b, g, hello(g) as c:
        assert c.code("AUTH PLAIN " + secret) == 535
        assert c.code("AUTH CRAM-MD5 " + secret) == 504
        assert raw(c, "AUTH LOGIN") == b"334 \r\n"
        assert c.code(words[2]) == 535
        assert c.code(words[2]) == 500, "a response too many is no command"
        assert c.code("AUTH PLAIN " + secret + " " + secret) == 501
        assert c.code("AUTH PLAIN " + GOOD) == 235
        assert c.code("AUTH PLAIN " + GOOD) == 503
        assert c.mail(body=b"From: ada@example.org\r\n\r\nx\r\n")[0] == 250
    files = [p for p in g.folder.rglob("*") if p.is_file()]
    text = g.log().encode() + b"".join(p.read_bytes() for p in files)
    assert b"user=ada" in text and not [w for w in words if w.encode() in text]


def test_not_within_a_mail(place):
    b, g = start(place)
    with b, g, hello(g) as c:
        assert c.code("MAIL FROM:<a@example.net>") == 250
        assert c.code("AUTH PLAIN " + GOOD) == 503
        assert c.code("RCPT TO:<bob@example.org>") == 250
