"""Each limit has a reply of its own."""
import threading
import time

from fake_backend import FakeBackend
from gatehouse import Client, Gatehouse


def test_limits(place):
    with FakeBackend() as backend, Gatehouse(
            place / "g", backend=backend.port, limits="""errors = 5
  unknown-commands = 3
  commands = 60
  messages = 2
  recipients = 3
  message-size = 4k
  command-line = 600
  sessions-per-client = 4
  text-line = 2000
  command-timeout = 2s
  session-timeout = 6s""") as g:
        with Client(g.port) as c:  # errors
            assert [c.code("EXPN x") for _ in range(6)] == [502] * 5 + [421]
            assert c.at_end()
        with Client(g.port) as c:  # unknown commands
            assert [c.code("XYZZY") for _ in range(4)] == [500] * 3 + [421]
        with Client(g.port) as c:  # commands
            codes = [c.code("NOOP") for _ in range(61)]
            assert codes == [250] * 60 + [421]
        with Client(g.port) as c:  # messages in a session
            c.hello()
            assert [c.mail()[0] for _ in range(3)] == [250, 250, 421]
        with Client(g.port) as c:  # recipients
            c.hello()
            c.cmd("MAIL FROM:<a@example.net>")
            assert [c.code(f"RCPT TO:<r{i}@example.org>") for i in range(4)] == [250, 250, 250, 452]
        with Client(g.port) as c:  # size: said, and found
            assert "SIZE 4096" in c.hello()
            assert c.cmd("MAIL FROM:<a@example.net> SIZE=5000")[0] == 552
            code, text = c.mail(body=b"Subject: big\r\n\r\n" + b"x" * 70 + b"\r\n" + b"yyyyyyy\r\n" * 1000)
            assert code == 552 and text.startswith("5.3.4")
        with Client(g.port) as c:  # a text line
            c.hello()
            code, text = c.mail(body=b"Subject: long\r\n\r\n" + b"x" * 2100 + b"\r\n")
            assert code in (500, 550, 554), text
        with Client(g.port) as c:  # a command line
            assert c.code("NOOP " + "x" * 590) == 250
            assert c.code("NOOP " + "x" * 700) == 500
            assert c.at_end()
        many = [Client(g.port) for _ in range(4)]  # sessions of one client
        assert [m.banner[0] for m in many] == [220] * 4
        with Client(g.port) as c:
            assert c.banner[0] == 421 and c.banner[1].startswith("4.7.0")
        for m in many:
            m.close()
        time.sleep(0.2)
        with Client(g.port) as c:  # a slow command
            start = time.time()
            assert c.reply()[0] == 421
            assert 1.5 < time.time() - start < 5
        with Client(g.port) as c:  # a session that drips on
            start = time.time()
            code = 250
            while code == 250 and time.time() - start < 12:
                time.sleep(0.5)
                code = c.code("NOOP")
            assert code in (421, 0) and 4.5 < time.time() - start < 9
        assert not backend.messages or len(backend.messages) == 2


def test_silence_in_the_content(place):
    """It has a time of its own, shorter than a command's here; each octet begins it anew."""
    with FakeBackend() as backend, Gatehouse(place / "g", backend=backend.port,
                                             limits="data-timeout = 2s command-timeout = 60s") as g:
        for begin in ("DATA", "BDAT 100"):
            with Client(g.port) as c:
                c.hello()
                c.cmd("MAIL FROM:<a@example.net>")
                assert c.code("RCPT TO:<b@example.org>") == 250
                if begin == "DATA":
                    assert c.code(begin) == 354
                else:
                    c.send(begin + "\r\n")
                for _ in range(3):
                    c.send(b"x")
                    time.sleep(0.9)
                start = time.time()
                code, text = c.reply()
                assert code == 421 and text.startswith("4.4.2"), text
                assert time.time() - start < 10
        assert not backend.messages


def test_a_client_that_does_not_read(place):
    """It can't make us keep its answers without end; once it reads, it gets them all, in order."""
    with FakeBackend() as backend, Gatehouse(place / "g", backend=backend.port, limits="commands = 10000000") as g:
        c = Client(g.port)
        c.sock.settimeout(2)
        lines = b"".join(b"EHLO c%06d.example.net\r\n" % i for i in range(1000))
        sent = 0
        try:
            while sent < 20_000_000:
                sent += c.sock.send(lines[sent % len(lines):])
        except TimeoutError:
            pass
        assert sent < 20_000_000, "taken without end"
        c.sock.settimeout(20)
        rest = lines[sent % len(lines):]
        threading.Thread(target=lambda: c.sock.sendall(rest + b"QUIT\r\n"), daemon=True).start()
        answers = 0
        while (answer := c.reply())[0] == 250:
            answers += 1
        assert answer[0] == 221 and answers == (sent + len(rest)) // len(lines) * 1000
        c.close()


def test_total_sessions(place):
    with FakeBackend() as backend, Gatehouse(place / "g", backend=backend.port, limits="sessions = 3") as g:
        many = [Client(g.port) for _ in range(3)]
        with Client(g.port) as c:
            assert c.banner[0] == 421
        many[0].close()
        time.sleep(0.2)
        with Client(g.port) as c:
            assert c.banner[0] == 220
