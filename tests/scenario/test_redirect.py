"""Redirection before every kind of backend: the envelope it gets is another, its session and the client's go on."""
import base64

import pytest
from fake_backend import FakeBackend
from gatehouse import Client, Gatehouse

RULES = "body MOVE /move-it/\nscore MOVE 0.1\n"
POLICY = 'policy default { tag = off reject = off redirect-to = spam@example.org actions = {"MOVE=redirect"} }\nfilter iprev { enabled = off }\n'
XCLIENT = FakeBackend.EHLO.replace(b"250 ENHANCED", b"250-XCLIENT NAME ADDR PORT PROTO HELO\r\n250 ENHANCED")
AUTH = FakeBackend.EHLO.replace(b"250 ENHANCED", b"250-AUTH PLAIN\r\n250-CHUNKING\r\n250-BINARYMIME\r\n250 ENHANCED")
BODY = b"From: a@example.net\r\nSubject: x\r\n\r\nmove-it\r\n"


@pytest.fixture
def gate(tmp_path):
    (tmp_path / "own.cf").write_text(RULES)
    ends = []

    def start(backend=None, **settings):
        g = Gatehouse(tmp_path / "gate", backend=backend and backend.port, extra=POLICY,
                      rules=f'rules {{ paths = {{"{tmp_path}/own.cf"}} }}', **settings)
        g.start()
        ends.append(g.stop)
        return g

    yield start
    for end in ends:
        end()


def rcpts(backend):
    return [[r.split(b"<")[1].split(b">")[0].decode() for r in m["rcpt"]] for m in backend.messages]


def three(c):
    """Redirected, not, redirected, in one session."""
    assert c.mail(body=BODY)[0] == 250
    assert c.mail(body=BODY.replace(b"move-it", b"well"))[0] == 250
    assert c.mail("eve@example.org", body=BODY)[0] == 250


@pytest.mark.parametrize("kind,settings", [
    ("smtp", ""), ("xclient", "client-info = xclient"), ("lmtp", "protocol = lmtp"),
])
def test_before_a_server(gate, kind, settings):
    with FakeBackend({"XCLI": b"220 fake\r\n"}, ehlo=XCLIENT if kind == "xclient" else None, lmtp=kind == "lmtp") as backend:
        g = gate(backend, backend_settings=settings)
        with Client(g.port) as c:
            c.hello()
            three(c)
        assert rcpts(backend) == [["spam@example.org"], ["bob@example.org"], ["spam@example.org"]]
        assert b"X-Gatehouse-Original-To: <eve@example.org>\r\n" in backend.messages[2]["data"]
        if kind == "xclient":
            told = [x for x in backend.commands if x.startswith("XCLIENT")]
            assert len(told) == backend.connections and all("ADDR=127.0.0.1" in x for x in told)


def test_before_a_folder(gate):
    g = gate()
    with Client(g.port) as c:
        c.hello()
        three(c)
    assert [b"X-Gatehouse-Original-To: " in m for m in g.delivered()].count(True) == 2 and len(g.delivered()) == 3


def test_with_a_login(gate):
    """The client's own session with the server stays: it costs no second login."""
    with FakeBackend({"AUTH": b"235 2.7.0 Ok\r\n"}, ehlo=AUTH) as backend:
        g = gate(backend, listen_settings="auth-without-tls = on")
        with Client(g.port) as c:
            c.hello()
            assert c.code("AUTH PLAIN " + base64.b64encode(b"\0ada\0secret").decode()) == 235
            three(c)
            assert c.code("QUIT") == 221
        assert rcpts(backend) == [["spam@example.org"], ["bob@example.org"], ["spam@example.org"]]
        assert len([x for x in backend.commands if x.startswith("AUTH")]) == 1


def test_large_and_in_chunks(gate):
    with FakeBackend() as backend:
        g = gate(backend)
        big = BODY + b"all is well\r\n" * 100_000
        with Client(g.port) as c:
            c.hello()
            assert c.code("MAIL FROM:<a@example.net>") == 250 and c.code("RCPT TO:<bob@example.org>") == 250
            for at in range(0, len(big), 500_000):
                piece = big[at:at + 500_000]
                c.send(f"BDAT {len(piece)}{' LAST' if at + 500_000 >= len(big) else ''}\r\n".encode() + piece)
                code, text = c.reply()
                assert code == 250, text
        assert rcpts(backend) == [["spam@example.org"]] and backend.messages[0]["data"].endswith(big[-5000:])


def test_a_server_that_ends_meanwhile(gate):
    """It is lost between RCPT and the content: another session does it."""
    with FakeBackend() as backend:
        g = gate(backend)
        with Client(g.port) as c:
            c.hello()
            assert c.code("MAIL FROM:<a@example.net>") == 250 and c.code("RCPT TO:<bob@example.org>") == 250
            assert c.code("DATA") == 354
            backend.hang_up()
            c.send(BODY + b".\r\n")
            assert c.reply()[0] == 250
        assert rcpts(backend) == [["spam@example.org"]]


def test_content_that_is_refused(gate):
    with FakeBackend({"content": b"554 5.7.1 we don't want it\r\n"}) as backend:
        g = gate(backend)
        with Client(g.port) as c:
            c.hello()
            code, text = c.mail(body=BODY)
            assert code == 554 and text.startswith("5.7.1 we don't want it")
