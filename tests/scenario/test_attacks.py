"""Attacks on the protocol: what one side sends to be taken for something else. One test each; the others of their kind are
in test_dialogue (smuggling through DATA), test_tls (plaintext behind STARTTLS) and test_chunking (games with chunks)."""
import socket
import ssl
import struct
import threading
import time

import certificates
import pytest
from fake_backend import FakeBackend
from gatehouse import Client, Gatehouse, free_port

EVIL = b"MAIL FROM:<evil@example.net>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"
AUTH = FakeBackend.EHLO.replace(b"250 ENH", b"250-AUTH PLAIN LOGIN\r\n250 ENH")


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    place = tmp_path_factory.mktemp("gate")
    cert, key = certificates.make(place)
    smtps, proxied = free_port(), free_port()
    extra = f"""tls default {{ certificate = "{cert}" key = "{key}" }}
listen smtps {{ address = 127.0.0.1:{smtps} tls = implicit }}
listen proxied {{ address = 127.0.0.1:{proxied} proxy-from = {{127.0.0.0/8}} }}
policy default {{ tag = off reject = off }}
"""
    with FakeBackend(ehlo=AUTH, script={"AUTH": b"235 2.7.0 ok\r\n"}) as backend, Gatehouse(
            place / "g", backend=backend.port, listen_settings="tls = starttls", extra=extra,
            limits="message-size = 1mb command-timeout = 2s errors = 100") as g:
        g.backend, g.smtps, g.proxied = backend, smtps, proxied
        yield g


def over_tls(sock):
    return ssl._create_unverified_context().wrap_socket(sock)


def begin(c):
    c.hello()
    assert [c.code(x) for x in ("MAIL FROM:<a@example.net>", "RCPT TO:<bob@example.org>")] == [250, 250]


# ---- STARTTLS

@pytest.mark.parametrize("behind", [b"NOOP\r\n", EVIL, b"AUTH PLAIN AGFkYQBzZWNyZXQ=\r\n", b"\r\n", b"X"])
def test_nothing_counts_that_was_said_before_tls(gate, behind):
    before = len(gate.backend.messages)
    with Client(gate.port) as c:
        c.hello()
        c.send(b"STARTTLS\r\n" + behind)
        assert c.reply()[0] == 503 and c.at_end()
    assert len(gate.backend.messages) == before


def test_nor_what_comes_between_220_and_the_handshake(gate):
    """Late plaintext is no ClientHello: the handshake fails, and nothing of it is obeyed."""
    before = len(gate.backend.commands)
    with Client(gate.port) as c:
        c.hello()
        assert c.code("STARTTLS") == 220
        c.send(EVIL)
        try:
            assert over_tls(c.sock) is None
        except (ssl.SSLError, OSError):
            pass
    assert not [x for x in gate.backend.commands[before:] if "evil" in x]


def test_a_backend_cannot_answer_ahead_of_tls(place):
    """Whoever stands between us and the backend puts replies behind its 220: they are not those of the TLS session."""
    cert, key = certificates.make(place)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    said = []

    def between(c, f):
        c.sendall(b"220 go\r\n250-evil\r\n250-XCLIENT NAME\r\n250 AUTH PLAIN\r\n250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 go\r\n250 ok\r\n")
        try:
            t = context.wrap_socket(c.dup(), server_side=True)
            said.append(t.recv(1000))
        except OSError:
            pass
        return False
    ehlo = FakeBackend.EHLO.replace(b"250 ENH", b"250-STARTTLS\r\n250 ENH")
    with FakeBackend({"STAR": between}, ehlo=ehlo) as b, Gatehouse(place / "g", backend=b.port,
                                                                  backend_settings="tls = required") as g:
        with Client(g.port) as c:
            assert "AUTH" not in c.hello()
            assert c.mail()[0] == 451
        assert not [x for x in said if x and not x.startswith(b"EHLO")], said


# ---- AUTH

@pytest.mark.parametrize("line", ["AUTH PLAIN AGFkYQBzZWNyZXQ=", "AUTH LOGIN", "auth plain"])
def test_no_login_before_tls(gate, line):
    with Client(gate.port) as c:
        assert "AUTH" not in c.hello()
        assert c.code(line) == 538
        assert c.code("AGFkYQBzZWNyZXQ=") == 500, "nor is a response waited for"
    assert not [x for x in gate.backend.commands if x.startswith("AUTH")]


def test_a_response_is_no_command(gate):
    """What is answered to a challenge is never obeyed, nor commands in an overlong one."""
    with Client(gate.port) as c:
        c.hello()
        assert c.code("STARTTLS") == 220
        c.sock = over_tls(c.sock)
        c.file = c.sock.makefile("rb")
        c.hello()
        c.send(b"AUTH PLAIN " + b"A" * 13000 + b"\r\n" + EVIL)
        assert c.reply()[0] == 500 and c.at_end()
    assert not [x for x in gate.backend.commands if "evil" in x]


# ---- BDAT

@pytest.mark.parametrize("line", ["BDAT 18446744073709551615 LAST", "BDAT 9223372036854775808", "BDAT 4294967296 LAST"])
def test_a_chunk_without_end(gate, line):
    """Its octets are no commands, however many there are, and cost no memory."""
    before = len(gate.backend.messages)
    with Client(gate.port) as c:
        begin(c)
        try:
            c.send(line.encode() + b"\r\n" + EVIL * 20000)
        except OSError:
            pass
        c.sock.settimeout(0.3)
        try:
            assert c.reply()[0] in (0, 421, 501, 552)
        except TimeoutError:
            pass
    with Client(gate.port) as c:
        c.hello()
        assert c.mail()[0] == 250
    assert len(gate.backend.messages) == before + 1


def test_sizes_that_are_none(gate):
    for line in ("BDAT 18446744073709551616 LAST", "BDAT -5", "BDAT +5", "BDAT 0x10", "BDAT 5,5", "BDAT 5 5", "BDAT 1e3 LAST"):
        with Client(gate.port) as c:
            begin(c)
            c.send(line.encode() + b"\r\n" + EVIL)
            assert c.reply()[0] == 501, line
            assert c.at_end()
    assert not [x for x in gate.backend.commands if "evil" in x]


def test_commands_inside_and_behind_chunks(gate):
    """A chunk that looks like commands, cut at every place; the commands behind its last octet count, no others."""
    mail = b"Subject: chunk\r\n\r\nBDAT 5 LAST\r\nRSET\r\nQUIT\r\n" + EVIL
    before = len(gate.backend.messages)
    for cut in range(0, len(mail), 7):
        with Client(gate.port) as c:
            begin(c)
            c.send(b"BDAT %d\r\n%sBDAT %d LAST\r\n%sNOOP\r\n" % (cut, mail[:cut], len(mail) - cut, mail[cut:]))
            assert [c.reply()[0] for _ in range(3)] == [250, 250, 250]
    new = gate.backend.messages[before:]
    assert all(m["data"].endswith(mail) and m["mail"] == b"MAIL FROM:<a@example.net>" for m in new)
    assert len(new) == len(range(0, len(mail), 7))


def test_rset_between_chunks(gate):
    """What came before it is gone, and the next mail has none of it."""
    before = len(gate.backend.messages)
    with Client(gate.port) as c:
        begin(c)
        c.send(b"BDAT 30\r\n" + b"Subject: first\r\n\r\nnever seen\n\n")
        assert c.reply()[0] == 250
        assert c.code("RSET") == 250
        c.send(b"BDAT 5 LAST\r\nhello")
        assert c.reply()[0] == 503
        begin(c)
        c.send(b"BDAT 24 LAST\r\nSubject: second\r\n\r\nhi\r\n.")
        assert c.reply()[0] == 250
    (m,) = gate.backend.messages[before:]
    assert b"never seen" not in m["data"] and b"first" not in m["data"]


def test_rcpt_after_bdat(gate):
    """Nobody gets what was judged before he was named."""
    before = len(gate.backend.messages)
    with Client(gate.port) as c:
        begin(c)
        c.send(b"BDAT 21\r\nSubject: x\r\n\r\nfirst\r\n")
        assert c.reply()[0] == 250
        assert c.code("RCPT TO:<eve@example.org>") == 503
        c.send(b"BDAT 0 LAST\r\n")
        assert c.reply()[0] == 250
        begin(c)
        c.send(b"BDAT 5\r\nabcde")
        assert c.reply()[0] == 250
        c.send(b"RCPT TO:<eve@example.org>\r\n" * 101)  # up to the limit of errors
        assert [c.reply()[0] for _ in range(100)] == [503] * 99 + [421]
    (m,) = gate.backend.messages[before:]
    assert m["rcpt"] == [b"RCPT TO:<bob@example.org>"]
    assert "ended with" not in gate.log(), "no worker has died"


def test_data_after_bdat(gate):
    before = len(gate.backend.messages)
    with Client(gate.port) as c:
        begin(c)
        c.send(b"BDAT 5\r\nabcde")
        assert c.reply()[0] == 250
        c.send(b"DATA\r\n")
        assert c.reply()[0] == 503
        c.send(b"Subject: x\r\n")  # was not asked for: a command, and none we know
        assert c.reply()[0] == 500
    assert len(gate.backend.messages) == before



BAD_ENDS = [b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n", b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\n.\r\n", b"\n\n.\r\n",
            b"\r\r\n.\r\r\n", b"\r\n.\r\r\n"]


@pytest.mark.parametrize("end", BAD_ENDS, ids=repr)
def test_no_second_mail_through_bdat(gate, end):
    """The backend gets it by DATA: no octets of a chunk are an end of data there."""
    before = len(gate.backend.messages)
    for cut in (0, 1, 2):
        body = b"Subject: one\r\n\r\nx" + end + EVIL
        at = len(body) - len(EVIL) - cut
        with Client(gate.port) as c:
            begin(c)
            c.send(b"BDAT %d\r\n%sBDAT %d LAST\r\n%s" % (at, body[:at], len(body) - at, body[at:]))
            assert [c.reply()[0], c.reply()[0] in (250, 550, 554)] == [250, True]
    new = gate.backend.messages[before:]
    assert len(new) <= 3 and all(m["mail"] == b"MAIL FROM:<a@example.net>" for m in new)
    assert not [x for x in gate.backend.commands if "evil" in x]


# ---- PROXY

V2 = b"\r\n\r\n\0\r\nQUIT\n"
HEADERS = [b"PROXY " + b"x" * 5000, b"PROXY TCP4 " + b"1" * 200 + b"\r\n", V2 + b"\x21\x11\xff\xff" + b"x" * 65535,
           V2 + b"\x21\x11\0\x04" + b"abcd", V2 + b"\x31\x11\0\x0c" + b"x" * 12, b"PROXY TCP4 1.2.3.4 1.2.3.4 99999 25\r\n",
           b"PROXY TCP4 2001:db8::1 2001:db8::2 1 25\r\n", b"PROXY TCP4 192.0.2.1\0 192.0.2.2 1 25\r\n"]


@pytest.mark.parametrize("header", HEADERS, ids=range(len(HEADERS)))
def test_headers_of_balancers_that_are_none(gate, header):
    with Client(gate.proxied, greet=False) as c:
        try:
            c.send(header + b"EHLO x\r\n")
            assert c.reply()[0] in (421, 0)
        except ConnectionError:
            pass


def test_a_header_from_who_may_not_say_it(gate):
    """On a listener without balancers, and a second one behind the first: it is no command."""
    with Client(gate.port) as c:
        assert c.code("PROXY TCP4 192.0.2.1 192.0.2.2 1 25") == 500
    with Client(gate.proxied, greet=False) as c:
        c.send(b"PROXY TCP4 192.0.2.66 192.0.2.2 1 25\r\n")
        assert c.reply()[0] == 220
        since = len(gate.lines)
        assert c.code("PROXY TCP4 127.0.0.1 192.0.2.2 1 25") == 500
        c.hello()
        assert c.mail()[0] == 250
    assert "client=192.0.2.66 " in gate.wait_log("event=transaction", since=since)


# ---- handshakes that don't end

def test_slow_handshakes_hold_nobody_up(gate):
    """Some say nothing, some an octet at a time, some stop in the middle: all are gone after their time."""
    def dead(s):
        s.settimeout(20)
        try:
            return s.recv(100) == b""
        except ConnectionError:
            return True
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    silent = [socket.create_connection(("127.0.0.1", gate.smtps)) for _ in range(10)]
    half = [socket.create_connection(("127.0.0.1", gate.smtps)) for _ in range(10)]
    for s in half:
        s.sendall(hello)
    later = Client(gate.port)
    later.hello()
    assert later.code("STARTTLS") == 220
    stop = threading.Event()

    def drip():
        try:
            for byte in hello + bytes(100):
                later.send(bytes([byte]))
                if stop.wait(0.2):
                    return
        except OSError:
            pass
    t = threading.Thread(target=drip)
    t.start()
    start = time.time()
    with Client(gate.port) as c:
        c.hello()
        assert c.mail()[0] == 250
    assert all(dead(s) for s in silent + half + [later.sock])
    assert time.time() - start < 15, "each has the time of one command"
    stop.set()
    t.join()


def test_heartbleed_sized_nonsense(gate):
    """Records that promise more than they have."""
    for junk in (struct.pack(">BHH", 24, 0x0303, 3) + b"\x01\x40\x00", struct.pack(">BHH", 22, 0x0301, 0xffff) + bytes(70000),
                 bytes(range(256)) * 50):
        with socket.create_connection(("127.0.0.1", gate.smtps), 10) as s:
            try:
                s.sendall(junk)
                while s.recv(1000):
                    pass
            except ConnectionError:
                pass
    with Client(gate.port) as c:
        c.hello()
        assert c.mail()[0] == 250
    assert len(gate.worker_pids()) == 1


# ---- who doesn't read what he is told

@pytest.mark.parametrize("half", [False, True], ids=["open", "half closed"])
def test_replies_that_nobody_reads(place, half):
    """They don't pile up: the commands behind them wait; and who reads in the end gets them all."""
    with FakeBackend() as b, Gatehouse(place / "g", backend=b.port, limits="commands = 1000000 command-timeout = 20s",
                                       top='help = "' + "x" * 400 + '"') as g:
        def memory():
            text = open(f"/proc/{g.worker_pids()[0]}/status").read()
            return int(text.split("VmRSS:")[1].split()[0])
        before, sent = memory(), 0
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        s.settimeout(1)
        s.connect(("127.0.0.1", g.port))
        try:
            while sent < 200000:
                sent += s.send(b"HELP\r\n" * 100) / 6
        except TimeoutError:
            pass
        most = max(memory() for _ in range(20) if time.sleep(0.1) is None)
        assert most < before + 8000, (before, most, sent)
        sent = int(sent)
        s.settimeout(20)
        if half:
            s.shutdown(socket.SHUT_WR)
        f, got = s.makefile("rb"), 0
        f.readline()
        for _ in range(sent):
            assert f.readline().startswith(b"214"), got
            got += 1
        assert not half or f.read() == b""
        s.close()
