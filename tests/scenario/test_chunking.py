"""BDAT (RFC 3030): chunks, their replies, and games with them."""
import random
import time

import pytest
from fake_backend import FakeBackend
from gatehouse import Client, Gatehouse


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    with FakeBackend() as backend, Gatehouse(tmp_path_factory.mktemp("gate"), backend=backend.port,
                                             limits="message-size = 64k\n errors = 1000") as g:
        g.backend = backend
        yield g


def begin(c, rcpt="b@example.org", params=""):
    assert "CHUNKING" in c.hello()
    assert c.code(f"MAIL FROM:<a@example.net>{params}") == 250
    return c.code(f"RCPT TO:<{rcpt}>")


BODY = b"Subject: chunks\r\n\r\n.\r\n..two\r\n\r\n.\r\nMAIL FROM:<evil@example.net>\r\nend"


def test_any_cut_gives_the_same_mail(gate):
    rng = random.Random(3)
    for n in range(30):
        cuts = sorted(rng.sample(range(len(BODY) + 1), rng.randint(0, 6)))
        parts = [BODY[a:b] for a, b in zip([0] + cuts, cuts + [len(BODY)])]
        with Client(gate.port) as c:
            assert begin(c) == 250
            wire = b"".join(b"BDAT %d%s\r\n%s" % (len(p), b" LAST" if i == len(parts) - 1 else b"", p)
                            for i, p in enumerate(parts))
            c.send(wire + b"NOOP\r\n")
            assert [c.reply()[0] for _ in range(len(parts) + 1)] == [250] * (len(parts) + 1)
        assert gate.backend.messages[-1]["data"].endswith(BODY + b"\r\n")
        assert len(gate.backend.messages) == n + 1


def test_last_may_be_empty(gate):
    with Client(gate.port) as c:
        begin(c)
        c.send(b"BDAT 16\r\nSubject: e\r\n\r\nxyBDAT 0 LAST\r\n")
        assert [c.reply()[0], c.reply()[0]] == [250, 250]
    assert gate.backend.messages[-1]["data"].endswith(b"Subject: e\r\n\r\nxy\r\n")


def test_refused_chunks_are_read_to_the_end(gate):
    before = len(gate.backend.messages)
    trap = b"MAIL FROM:<evil@example.net>\r\nRCPT TO:<b@example.org>\r\nDATA\r\nx\r\n.\r\n"
    with Client(gate.port) as c:
        assert begin(c, "x@elsewhere.example") == 550
        c.send(b"BDAT %d\r\n%sBDAT %d LAST\r\n%sNOOP\r\n" % (len(trap), trap, len(trap), trap))
        assert [c.reply()[0] for _ in range(3)] == [554, 554, 250]
    with Client(gate.port) as c:
        c.hello()
        c.send(b"BDAT %d LAST\r\n%sNOOP\r\n" % (len(trap), trap))
        assert [c.reply()[0] for _ in range(2)] == [503, 250]
    with Client(gate.port) as c:  # too big: told at the end, and the session goes on
        begin(c)
        for i in range(3):
            c.send(b"BDAT 30000\r\n" + b"x" * 29998 + b"\r\n")
            assert c.reply()[0] in (250, 552)
        c.send(b"BDAT 0 LAST\r\n")
        assert c.reply()[0] in (552, 503, 554)
        assert c.code("RSET") == 250
    assert len(gate.backend.messages) == before


def test_games(gate):
    before = len(gate.backend.messages)
    for line in ("BDAT", "BDAT -1", "BDAT x LAST", "BDAT 5 FIRST", "BDAT 99999999999999999999999 LAST", "BDAT 1 LAST x"):
        with Client(gate.port) as c:
            begin(c)
            assert c.code(line) == 501
            assert c.at_end()
    with Client(gate.port) as c:  # DATA after BDAT
        begin(c)
        c.send(b"BDAT 5\r\nabcde")
        assert c.reply()[0] == 250
        assert c.code("DATA") == 503
        assert c.code("RSET") == 250  # takes the chunks back
        assert c.code("BDAT 0 LAST") == 503
    with Client(gate.port) as c:  # MAIL between chunks
        begin(c)
        c.send(b"BDAT 5\r\nabcde")
        c.reply()
        assert c.code("MAIL FROM:<x@example.net>") == 503
    with Client(gate.port) as c:  # bare CR in text
        begin(c)
        c.send(b"BDAT 20 LAST\r\nSubject: x\r\n\r\na\rb\r\n\r\n")
        assert c.reply()[0] == 550
    assert len(gate.backend.messages) == before


def test_binary_goes_by_bdat_only(place):
    ehlo = FakeBackend.EHLO.replace(b"250 ENH", b"250-CHUNKING\r\n250-BINARYMIME\r\n250 ENH")

    class Chunking(FakeBackend):
        def _say(self, c, stage, normal=None):
            if stage != "BDAT":
                return super()._say(c, stage, normal)
            size = int(self.commands[-1].split(" ")[1])
            self.binary = self.files[c].read(size)
            c.sendall(b"250 2.0.0 taken\r\n")
            return True

        files = {}

        def _dialogue(self, c):
            make = c.makefile

            class Shared:
                def makefile(_, mode):
                    self.files[wrapper] = make(mode)
                    return self.files[wrapper]

                def __getattr__(_, name):
                    return getattr(c, name)
            wrapper = Shared()
            super()._dialogue(wrapper)

    with Chunking(ehlo=ehlo) as backend, Gatehouse(place / "g", backend=backend.port) as g:
        time.sleep(0.3)
        body = b"Subject: bin\r\nMIME-Version: 1.0\r\n\r\n\x00\n\r\xff.\r\n.\r\n" + bytes(range(256))
        with Client(g.port) as c:
            text = c.hello()
            assert "BINARYMIME" in text
            assert c.code("MAIL FROM:<a@example.net> BODY=BINARYMIME") == 250
            assert c.code("RCPT TO:<b@example.org>") == 250
            assert c.code("DATA") == 503
            c.send(b"BDAT %d LAST\r\n" % len(body) + body)
            assert c.reply()[0] == 250
        assert backend.binary.endswith(body)
    with FakeBackend() as backend, Gatehouse(place / "h", backend=backend.port) as g:
        with Client(g.port) as c:
            assert "BINARYMIME" not in c.hello()
            assert c.code("MAIL FROM:<a@example.net> BODY=BINARYMIME") in (501, 555)
