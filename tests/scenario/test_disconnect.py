"""A client that goes, or a backend that goes, at each point of a session with all that is in it: nothing is left behind,
nothing crashes. Uses the ASan build if it is there."""
import base64
import os
import random
import socket
import struct
import threading
import time

import certificates
import pytest
from fake_backend import FakeBackend
from gatehouse import PROGRAM, TOP, Client, Gatehouse

ASAN = TOP / "build" / "asan" / "gatehouse"
GOOD = base64.b64encode(b"\0ada\0secret")
EHLO = FakeBackend.EHLO.replace(b"250 ENH", b"250-AUTH PLAIN LOGIN\r\n250-CHUNKING\r\n250-BINARYMIME\r\n250-DSN\r\n%s250 ENH")
IDENTITY = b"250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN\r\n"
MAIL = b"From: ada@example.org\r\nSubject: x\r\n\r\n" + b"y" * 400 + b"\r\n"
AUTH = [b"EHLO c.example.net\r\n", b"AUTH PLAIN\r\n", GOOD + b"\r\n"]
DATA = [b"MAIL FROM:<ada@example.org> BODY=8BITMIME\r\n", b"RCPT TO:<b@example.org> NOTIFY=NEVER\r\nRCPT TO:<c@example.org>\r\n", b"DATA\r\n",
        MAIL + b".\r\n", b"NOOP\r\n"]
BDAT = [b"MAIL FROM:<ada@example.org> BODY=BINARYMIME\r\n", b"RCPT TO:<b@example.org>\r\n", b"BDAT 100\r\n" + MAIL[:100], b"RSET\r\n",
        b"MAIL FROM:<ada@example.org>\r\nRCPT TO:<b@example.org>\r\n", b"BDAT %d LAST\r\n" % len(MAIL) + MAIL, b"QUIT\r\n"]
PRDR = [b"MAIL FROM:<ada@example.org> PRDR\r\n"] + DATA[1:]


class Tardy(FakeBackend):
    """Takes its time for each answer; leaves, too, when told to: after so many of them."""
    stay = 10**9
    said = 0

    def _say(self, c, stage, normal=None):
        time.sleep(0.004)
        self.said += 1
        if self.said % self.stay == 0:
            return False
        if stage == "BDAT":
            self.here.file.read(int(self.commands[-1].split(" ")[1]))
            c.sendall(b"250 ok\r\n")
            return True
        if stage == "AUTH":
            c.sendall(b"334 \r\n")
            if not self.here.file.readline():
                return False
            c.sendall(b"235 2.7.0 ok\r\n")
            return True
        return super()._say(c, stage, normal)


KINDS = {"plain": (EHLO % b"", "", False), "xclient": (EHLO % IDENTITY, "client-info = xclient", False),
         "lmtp": (EHLO % b"", "protocol = lmtp", True), "bounded": (EHLO % b"", "max-connections = 2 connect-timeout = 1s", False)}


def play(g, steps, stop, how, rng):
    """Sends so many octets of it all, then goes: in order, with what it has not read, or by a reset."""
    try:
        with socket.create_connection(("127.0.0.1", g.port), 5) as s:
            s.settimeout(0.3)
            s.recv(1000)
            for step in steps:
                s.sendall(step[:stop])
                stop -= len(step)
                if stop <= 0:
                    break
                s.recv(10000)
            if how == "reset":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif how == "half":
                s.shutdown(socket.SHUT_WR)
            time.sleep(rng.choice((0, 0.002, 0.006)))
    except OSError:
        pass


@pytest.mark.parametrize("kind", KINDS)
def test_at_each_point(place, kind):
    ehlo, settings, lmtp = KINDS[kind]
    rng = random.Random(7)
    cert, key = certificates.make(place)
    program = str(ASAN) if ASAN.exists() and "GATEHOUSE" not in os.environ else PROGRAM
    with Tardy({"XCLI": b"220 again\r\n"}, ehlo=ehlo, lmtp=lmtp) as b, Gatehouse(
            place / "g", backend=b.port, backend_settings=settings + "\n reply-timeout = 2s", program=program,
            limits="sessions-per-client = 1000 auth-failures = 0",
            listen_settings="auth-without-tls = on\n tls = starttls",
            extra=f'tls default {{ certificate = "{cert}" key = "{key}" }}\npolicy default {{ tag = off reject = off }}') as g:
        pids = g.worker_pids()
        jobs = []
        for steps in (AUTH + DATA, AUTH + BDAT, AUTH[:1] + PRDR, AUTH[:1] + [b"STARTTLS\r\n", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1"]):
            ends = [sum(map(len, steps[:i])) for i in range(1, len(steps) + 1)]
            for at in sorted(set(ends + [max(1, e - 3) for e in ends])):
                jobs += [(steps, at, how) for how in ("closed", "half", "reset")]
        jobs *= 2
        rng.shuffle(jobs)
        lock = threading.Lock()

        def work():
            while True:
                with lock:
                    if not jobs:
                        return
                    job = jobs.pop()
                    b.stay = 23 if len(jobs) % 3 == 0 else 10**9
                play(g, *job, rng)
        threads = [threading.Thread(target=work, daemon=True) for _ in range(6)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        b.stay = 10**9
        end = time.time() + 20
        while time.time() < end and g.status()["sessions_now"] > 0:
            time.sleep(0.1)
        assert g.worker_pids() == pids, g.log()[-5000:]
        assert g.status()["sessions_now"] == 0
        with Client(g.port) as c:
            c.hello()
            code, text = c.mail()
            assert code == 250, text + g.log()[-3000:]
        assert g.stop() == 0
        assert "Sanitizer" not in g.log()
        verbs = {x[:4] for x in b.commands}
        assert {"AUTH", "MAIL", "RCPT", "DATA", "QUIT"} <= verbs, verbs
