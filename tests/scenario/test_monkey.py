"""Random clients before a random backend: nothing crashes, hangs or is
acknowledged that the backend did not take. Uses the ASan build if it is there."""
import os
import random
import socket
import threading
import time

from fake_backend import FakeBackend
from gatehouse import PROGRAM, TOP, Client, Gatehouse

SECONDS = 12
ASAN = TOP / "build" / "asan" / "gatehouse"
LINES = [b"EHLO c.example.net", b"HELO c.example.net", b"MAIL FROM:<a@example.net>", b"MAIL FROM:<> BODY=8BITMIME",
         b"RCPT TO:<b@example.org>", b"RCPT TO:<b2@example.org>", b"RCPT TO:<x@elsewhere.example>", b"DATA", b"RSET",
         b"NOOP", b"VRFY x", b"HELP", b"QUIT", b"BDAT 0", b"BDAT 0 LAST", b"BDAT 5\r\nSubje", b"BDAT 8 LAST\r\nct: x\r\n\r",
         b"BDAT 99999999999999999999", b"AUTH PLAIN AGEAYg==", b"STARTTLS", b"\x00\xff\r", b"x" * 5000, b"",
         b"Subject: m\r\n\r\nbody\r\n.", b".", b"DATA\r\nSubject: p\r\n\r\nx\r\n.", b"MAIL FROM:<a@example.net> SIZE=9999999999999"]
COMMON = [0, 2, 4, 4, 7, 23, 24, 25]
REPLIES = {"banner": [b"220 x\r\n"], "MAIL": [b"250 ok\r\n", b"451 no\r\n", b"421 bye\r\n"],
           "RCPT": [b"250 ok\r\n", b"250-a\r\n250 b\r\n", b"550 no\r\n", b"250 ok\r\n250 ok\r\n"],
           "DATA": [b"354 go\r\n", b"354 go\r\n", b"250 ok\r\n", b"354 go\r\n250 ok\r\n", b"451 no\r\n"],
           "content": [b"250 ok\r\n", b"554 no\r\n", b"oops\r\n"], "RSET": [b"250 ok\r\n", b"500 what\r\n"]}


class MonkeyBackend(FakeBackend):
    def __init__(self, rng):
        self.taken = 0
        super().__init__()
        self.rng = rng

    def _say(self, c, stage, normal=None):
        replies = REPLIES.get(stage)
        if replies is None:
            return super()._say(c, stage, normal)
        if self.rng.random() < 0.05:
            return False
        said = replies[0] if self.rng.random() < 0.7 else self.rng.choice(replies)
        if stage == "content" and said.startswith(b"250"):
            with self.lock:
                self.taken += 1
        c.sendall(said)
        return True


def monkey(port, rng, until):
    while time.time() < until:
        try:
            with socket.create_connection(("127.0.0.1", port), 3) as s:
                s.settimeout(0.02)
                for _ in range(rng.randrange(1, 25)):
                    line = LINES[rng.choice(COMMON)] if rng.random() < 0.7 else rng.choice(LINES)
                    data = line + (b"\r\n" if rng.random() < 0.97 else b"\n")
                    cut = rng.randrange(len(data)) if rng.random() < 0.2 else len(data)
                    for part in (data[:cut], data[cut:]):
                        s.sendall(part)
                    if rng.random() < 0.6:
                        try:
                            s.recv(4096)
                        except TimeoutError:
                            pass
                if rng.random() < 0.3:
                    s.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def test_monkeys(place):
    program = str(ASAN) if ASAN.exists() and "GATEHOUSE" not in os.environ else PROGRAM
    seed = int(os.environ.get("SEED", "1"))
    quick = "connect-timeout = 2s reply-timeout = 1s data-timeout = 1s"
    with MonkeyBackend(random.Random(seed)) as backend, \
            Gatehouse(place / "g", backend=backend.port, backend_settings=quick, program=program,
                      limits="sessions-per-client = 1000", listen_settings="auth-without-tls = on") as g:
        pids = g.worker_pids()
        until = time.time() + SECONDS
        threads = [threading.Thread(daemon=True, target=monkey, args=(g.port, random.Random(seed * 100 + i), until)) for i in range(6)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        end = time.time() + 15
        while time.time() < end and g.status()["sessions_now"] > 0:
            time.sleep(0.2)
        status = g.status()
        assert g.worker_pids() == pids, g.log()[-5000:]
        assert status["sessions_now"] == 0, status
        assert 0 < status["accepted"] <= backend.taken, (status, backend.taken)
        with Client(g.port) as c:
            c.hello()
    assert "ERROR: AddressSanitizer" not in g.log() and "runtime error" not in g.log(), g.log()[-5000:]
