"""Backends that answer too early, too often, in pieces or not at all: what
they never said to the whole content is never acknowledged."""
import socket
import time

import pytest
from fake_backend import FakeBackend
from gatehouse import Client, Gatehouse

QUICK = "connect-timeout = 2s reply-timeout = 2s data-timeout = 2s"
SMALL = b"Subject: s\r\n\r\nhello\r\n"
LARGE = b"Subject: l\r\n\r\n" + (b"x" * 76 + b"\r\n") * 100_000  # more than the sockets' buffers hold
GO = b"354 go\r\n"


def early(reply, after=1000, stay=0.0):
    """354, some content, then reply; reads on as long as it stays."""
    def act(c, _):
        c.sendall(GO)
        got = 0
        while got < after:
            got += len(c.recv(after - got) or b"x" * after)
        c.sendall(reply)
        time.sleep(stay)
        return False
    return act


def in_pieces(reply, pause=0.002):
    def act(c, _):
        for i in range(len(reply)):
            c.sendall(reply[i:i + 1])
            time.sleep(pause)
        return True
    return act


def send(g, body, rcpts=1, timeout=20):
    """The reply to the content, or the first that is no success; seconds taken."""
    start = time.time()
    with Client(g.port, timeout=timeout) as c:
        c.hello()
        c.cmd("MAIL FROM:<ada@example.net>")
        for i in range(rcpts):
            code, text = c.cmd(f"RCPT TO:<r{i}@example.org>")
            if code != 250:
                return code, text, time.time() - start
        code, text = c.cmd("DATA")
        if code == 354:
            c.send(body + b".\r\n")
            code, text = c.reply()
        took = time.time() - start
        assert c.code("NOOP") == 250
        return code, text, took


NOT_TAKEN = {
    "2xx-to-DATA": ({"DATA": b"250 2.0.0 Ok\r\n"}, SMALL, 451),
    "2xx-with-354": ({"DATA": GO + b"250 2.0.0 taken\r\n"}, SMALL, 451),
    "2xx-with-354-large": ({"DATA": GO + b"250 2.0.0 taken\r\n"}, LARGE, 451),
    "2xx-in-content": ({"DATA": early(b"250 2.0.0 taken\r\n", stay=1)}, LARGE, 451),
    "5xx-in-content": ({"DATA": early(b"552 5.3.4 too big\r\n", stay=1)}, LARGE, 552),
    "4xx-in-content": ({"DATA": early(b"452 4.3.1 full\r\n", stay=1)}, LARGE, 452),
    "421-in-content": ({"DATA": early(b"421 4.3.2 down\r\n", stay=1)}, LARGE, 451),
    "end-in-content": ({"DATA": early(b"")}, LARGE, 451),
    "stall-in-content": ({"DATA": early(b"", stay=9)}, LARGE, 451),
    "nonsense-in-content": ({"DATA": early(b"oops\r\n", stay=1)}, LARGE, 451),
    "one-reply-more-at-RCPT": ({"RCPT": b"250 2.1.5 Ok\r\n250 2.1.5 Ok\r\n"}, SMALL, 451),
    "one-reply-more-at-MAIL": ({"MAIL": b"250 2.1.0 Ok\r\n250 2.1.0 Ok\r\n"}, SMALL, 451),
    "MAIL-refused-RCPT-taken": ({"MAIL": b"550 5.1.8 no\r\n"}, SMALL, 550),
    "MAIL-trouble-RCPT-taken": ({"MAIL": b"503 5.5.1 nested\r\n"}, SMALL, 451),
    "354-to-RCPT": ({"RCPT": GO}, SMALL, 451),
    "354-to-content": ({"content": GO}, SMALL, 451),
    "code-changes": ({"content": b"250-2.0.0 taken\r\n550 5.0.0 not\r\n"}, SMALL, 451),
    "half-a-reply": ({"content": b"250 2.0.0 tak"}, SMALL, 451),
    "endless-reply": ({"content": b"250-2.0.0 and\r\n" * 20000}, SMALL, 451),
}


@pytest.mark.parametrize("name", NOT_TAKEN)
def test_not_taken(place, name):
    script, body, want = NOT_TAKEN[name]
    with FakeBackend(script) as backend, Gatehouse(place / "g", backend=backend.port, backend_settings=QUICK) as g:
        code, text, took = send(g, body)
        assert code == want, (code, text, g.log())
        assert took < 12, took
        assert g.status()["accepted"] == 0


def test_reply_in_pieces(place):
    script = {"banner": in_pieces(b"220-fake\r\n220 ESMTP\r\n"), "MAIL": in_pieces(b"250-2.1.0 a\r\n250 2.1.0 b\r\n"),
              "RCPT": in_pieces(b"250 2.1.5 Ok\r\n"), "DATA": in_pieces(GO), "content": in_pieces(b"250 2.0.0 Ok\r\n")}
    with FakeBackend(script) as backend, Gatehouse(place / "g", backend=backend.port, backend_settings=QUICK) as g:
        assert send(g, SMALL, rcpts=3)[0] == 250


def test_a_slow_reader_is_no_stall(place):
    """Longer than the time-out in all, never as long without a step."""
    def slow(c, _):
        c.sendall(GO)
        data, since = b"", 0
        while not data.endswith(b"\r\n.\r\n"):
            more = c.recv(100_000)
            if not more:
                return False
            data, since = (data + more)[-10:], since + len(more)
            if since > 400_000:
                since = 0
                time.sleep(0.1)
        c.sendall(b"250 2.0.0 taken\r\n")
        return True
    with FakeBackend({"DATA": slow}) as backend, Gatehouse(place / "g", backend=backend.port, backend_settings=QUICK) as g:
        code, text, took = send(g, LARGE * 3)
        assert code == 250, (text, took, g.log())
        assert took > 4


def test_refused_chunk_leaves_no_open_transaction(place):
    """Behind a refused BDAT the transaction is undefined (RFC 3030 2): RSET, or another connection."""
    state = {"open": False}

    def mail(c, _):
        c.sendall(b"503 5.5.1 nested MAIL\r\n" if state["open"] else b"250 2.1.0 Ok\r\n")
        state["open"] = True
        return True

    def bdat(c, f):
        size = int(backend.commands[-1].split()[1])
        f.read(size)
        c.sendall(b"554 5.6.0 not this\r\n")
        return True

    def rset(c, _):
        state["open"] = False
        c.sendall(b"250 2.0.0 Ok\r\n")
        return True

    def ehlo_bits():
        return FakeBackend.EHLO.replace(b"250 ENH", b"250-CHUNKING\r\n250-BINARYMIME\r\n250 ENH")

    with FakeBackend({"MAIL": mail, "BDAT": bdat, "RSET": rset}, ehlo=ehlo_bits()) as backend, \
            Gatehouse(place / "g", backend=backend.port, backend_settings=QUICK) as g:
        with Client(g.port) as c:
            c.hello()
            assert c.code("MAIL FROM:<a@example.net> BODY=BINARYMIME") == 250
            assert c.code("RCPT TO:<r@example.org>") == 250
            c.send(b"BDAT 20 LAST\r\nSubject: b\r\n\r\n\x00\x01\x02\x03\x04\x05")
            assert c.reply()[0] == 554
        if backend.connections > 1:
            state["open"] = False if "RSET" in backend.commands else state["open"]
        time.sleep(0.3)
        assert send(g, SMALL)[0] == 250, backend.commands


CHUNKS = FakeBackend.EHLO.replace(b"250 ENH", b"250-CHUNKING\r\n250-BINARYMIME\r\n250 ENH")


class Binary(FakeBackend):
    """Takes BDAT a bit at a time; pause seconds between. A small window, or the kernel takes it all at once."""
    piece, pause = 1 << 20, 0

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)

    def _say(self, c, stage, normal=None):
        if stage != "BDAT":
            return super()._say(c, stage, normal)
        left, got = int(self.commands[-1].split()[1]), []
        while left > 0:
            time.sleep(self.pause)
            data = self.here.file.read(min(left, self.piece))
            if not data:
                return False
            got.append(data)
            left -= len(data)
        self.messages.append(b"".join(got))
        c.sendall(b"250 2.0.0 taken\r\n")
        return True


def send_binary(g, body):
    with Client(g.port, timeout=60) as c:
        assert "BINARYMIME" in c.hello()
        assert c.code("MAIL FROM:<a@example.net> BODY=BINARYMIME") == 250
        assert c.code("RCPT TO:<b@example.org>") == 250
        c.send(b"BDAT %d LAST\r\n" % len(body) + body)
        return c.reply()


BLOB = b"Subject: bin\r\nMIME-Version: 1.0\r\n\r\n" + bytes(range(256)) * 40000


def test_binary_is_no_stall_while_it_moves(place):
    """Longer than the time-out in all."""
    with Binary(ehlo=CHUNKS) as backend, Gatehouse(place / "g", backend=backend.port,
                                                   backend_settings="data-timeout = 2s") as g:
        backend.piece, backend.pause = 500_000, 0.15
        start = time.time()
        code, text = send_binary(g, BLOB)
        assert code == 250, text + g.log()
        assert time.time() - start > 2.5
        assert backend.messages[0].endswith(BLOB)


def test_binary_that_stalls(place):
    with Binary(ehlo=CHUNKS) as backend, Gatehouse(place / "g", backend=backend.port,
                                                   backend_settings="data-timeout = 500ms") as g:
        backend.pause = 30
        start = time.time()
        assert send_binary(g, BLOB)[0] == 451
        assert time.time() - start < 15 and not backend.messages


def drip(c, f):
    """Never stalls, never ends."""
    c.sendall(GO)
    while f.read(40_000):
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("kind", ["DATA", "BDAT"])
def test_all_of_the_content_has_its_time_too(place, kind):
    with Binary({"DATA": drip}, ehlo=CHUNKS) as backend, Gatehouse(place / "g", backend=backend.port,
                                                                   backend_settings="data-timeout = 1s") as g:
        backend.piece, backend.pause = 40_000, 0.1
        start = time.time()
        code, text = send_binary(g, BLOB) if kind == "BDAT" else send(g, LARGE * 3)[:2]
        assert code == 451, text
        assert time.time() - start < 30 and not backend.messages
        assert g.wait_log("takes the content too slowly")


def test_client_gone_before_the_last_octets_of_binary(place):
    """It went while the backend was taking it slowly: the last octets never go out."""
    with Binary(ehlo=CHUNKS) as backend, Gatehouse(place / "g", backend=backend.port) as g:
        backend.piece, backend.pause = 500_000, 0.05
        with Client(g.port) as c:
            assert "BINARYMIME" in c.hello()
            assert c.code("MAIL FROM:<a@example.net> BODY=BINARYMIME") == 250
            assert c.code("RCPT TO:<b@example.org>") == 250
            c.send(b"BDAT %d LAST\r\n" % len(BLOB) + BLOB)
        assert g.wait_log("client left before the end|client has gone")
        time.sleep(0.3)
        assert not backend.messages


XFORWARD = FakeBackend.EHLO.replace(b"250 ENH", b"250-XFORWARD NAME ADDR PORT PROTO HELO\r\n250 ENH")


@pytest.mark.parametrize("how", ["close", b"421 4.4.2 idle too long\r\n", b"501 5.5.4 what\r\n"])
def test_an_idle_connection_that_dies_is_no_451(place, how):
    """It dies when it is used again: a new one does the work."""
    with FakeBackend({"XFOR": b"250 2.0.0 ok\r\n"}, ehlo=XFORWARD) as backend, Gatehouse(
            place / "g", backend=backend.port, backend_settings="client-info = xforward\n connections = 1") as g:
        with Client(g.port) as c:
            assert "8BITMIME" in c.hello()
            assert c.mail()[0] == 250
        for _ in range(3):
            backend.script["XFOR"] = [how, b"250 2.0.0 ok\r\n"]
            with Client(g.port) as c:
                c.hello()
                code, text = c.mail()
                assert code == 250, text + g.log()
        # On a new one it is what it says.
        backend.script["XFOR"] = how
        with Client(g.port) as c:
            c.hello()
            assert c.mail()[0] == 451


def test_a_last_reply_that_never_comes_holds_nobody(place):
    """QUIT and RSET without an answer: the worker ends, and leaves nothing behind (under a sanitizer)."""
    with FakeBackend({"QUIT": b"", "RSET": b""}) as backend, Gatehouse(place / "g", backend=backend.port,
                                                                      backend_settings="connections = 0") as g:
        for _ in range(3):
            with Client(g.port) as c:
                c.hello()
                assert c.mail()[0] == 250
                assert c.code("MAIL FROM:<a@example.net>") == 250
                assert c.code("RCPT TO:<b@example.org>") == 250
        start = time.time()
        assert g.stop() == 0
        assert time.time() - start < 4
        assert "Sanitizer" not in g.log()
