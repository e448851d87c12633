"""Mails that don't fit into memory, and backends that take their time."""
import socket
import threading
import time

from fake_backend import FakeBackend
from gatehouse import Client, Gatehouse

LINE = b"x" * 75 + b"\r\n"


class Slow(FakeBackend):
    """Reads content with a bounded window, and late."""

    def _serve(self, c):
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 300_000)
        super()._serve(c)

    def _say(self, c, stage, normal=None):
        ok = super()._say(c, stage, normal)
        if stage == "DATA":
            time.sleep(0.5)
        return ok


def test_content_goes_to_a_file_and_on(place):
    body = b"Subject: big\r\n\r\n" + LINE * 150_000  # 11 MB
    for kind in (FakeBackend, Slow):
        with kind() as backend, Gatehouse(place / kind.__name__, backend=backend.port,
                                          limits="memory-per-message = 64k\n message-size = 20mb") as g:
            with Client(g.port, timeout=60) as c:
                c.hello()
                code, text = c.mail(body=body)
                assert code == 250, text
                assert c.mail()[0] == 250
            assert backend.messages[0]["data"].endswith(body)
            assert not list(g.state.glob("gatehouse-*")), "the file has no name"


def test_many_at_once_with_a_slow_backend(place):
    with Slow() as backend, Gatehouse(place / "g", backend=backend.port, limits="memory-per-message = 64k") as g:
        codes = []

        def one(i):
            with Client(g.port, timeout=60) as c:
                c.hello()
                codes.append(c.mail(body=b"Subject: n%d\r\n\r\n" % i + LINE * 20_000)[0])
        threads = [threading.Thread(daemon=True, target=one, args=(i,)) for i in range(8)]
        for t in threads:
            t.start()
        # Meanwhile others are served.
        with Client(g.port, timeout=10) as c:
            start = time.time()
            c.hello()
            assert c.code("NOOP") == 250
            assert time.time() - start < 3
        for t in threads:
            t.join()
        assert codes == [250] * 8 and len(backend.messages) == 8


def test_no_room_for_content(place):
    """A spool that can't be written is a 4xx."""
    with FakeBackend() as backend, Gatehouse(place / "g", backend=backend.port,
                                             limits="memory-per-message = 64k") as g:
        import os
        import resource
        pid = g.worker_pids()[0]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (100_000, 100_000))
        with Client(g.port, timeout=30) as c:
            c.hello()
            code, text = c.mail(body=b"Subject: big\r\n\r\n" + LINE * 20_000)
            assert (code, text[:5]) == (452, "4.3.1"), (code, text, os.listdir(g.state))
            assert c.mail()[0] == 250
