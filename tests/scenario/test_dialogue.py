"""SMTP dialogues: the exact reply to each thing a client may say (RFC 5321)."""
import time

import pytest
from fake_backend import FakeBackend
from gatehouse import Client, Gatehouse


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    with FakeBackend() as backend:
        with Gatehouse(tmp_path_factory.mktemp("gate"), backend=backend.port,
                       limits="errors = 1000 unknown-commands = 1000") as g:
            g.backend = backend
            # EHLO offers what the backend has, once it has answered.
            end = time.time() + 10
            while "8BITMIME" not in Client(g.port).hello() and time.time() < end:
                time.sleep(0.05)
            yield g


GOOD_RCPT = [("MAIL FROM:<a@example.net>", 250), ("RCPT TO:<b@example.org>", 250)]

# What is said before (all 2xx or 354), the line, the code and the enhanced code of its reply.
LINES = [
    ([], "EHLO client.example.net", 250, ""),
    ([], "HELO client.example.net", 250, ""),
    ([], "HELO", 501, "5.5.4"),
    ([], "EHLO ", 501, "5.5.4"),
    ([], "EHLO [192.0.2.1]", 250, ""),
    ([], "EHLO [IPv6:2001:db8::1]", 250, ""),
    ([], "ehlo lower.example.net", 250, ""),
    ([], "MAIL FROM:<a@example.net>", 503, "5.5.1"),
    ([], "RCPT TO:<b@example.org>", 503, "5.5.1"),
    ([], "DATA", 503, "5.5.1"),
    ([], "NOOP", 250, "2.0.0"),
    ([], "NOOP with words", 250, "2.0.0"),
    ([], "RSET", 250, "2.0.0"),
    ([], "RSET x", 501, "5.5.4"),
    ([], "HELP", 214, "2.0.0"),
    ([], "HELP MAIL", 214, "2.0.0"),
    ([], "VRFY postmaster", 252, "2.5.2"),
    ([], "VRFY", 501, "5.5.4"),
    ([], "EXPN staff", 502, "5.5.1"),
    ([], "TURN", 502, "5.5.1"),
    ([], "XYZZY", 500, "5.5.1"),
    ([], "", 500, "5.5.2"),
    ([], "QUIT", 221, "2.0.0"),
    ([], "QUIT  ", 221, "2.0.0"),
    ([], "QUIT now", 501, "5.5.4"),
    (["EHLO c.example.net"], "MAIL FROM:<a@example.net>", 250, "2.1.0"),
    (["EHLO c.example.net"], "MAIL FROM:<a@example.net>   ", 250, "2.1.0"),
    (["EHLO c.example.net"], "MAIL FROM: <a@example.net>", 250, "2.1.0"),
    (["EHLO c.example.net"], "mail from:<a@example.net>", 250, "2.1.0"),
    (["EHLO c.example.net"], "MAIL FROM:<>", 250, "2.1.0"),
    (["EHLO c.example.net"], 'MAIL FROM:<"a b"@example.net>', 250, "2.1.0"),
    (["EHLO c.example.net"], "MAIL FROM:<a@[192.0.2.1]>", 250, "2.1.0"),
    (["EHLO c.example.net"], "MAIL FROM:<@x.example,@y.example:a@example.net>", 250, "2.1.0"),
    (["EHLO c.example.net"], "MAIL FROM:<a@example.net> SIZE=1000", 250, "2.1.0"),
    (["EHLO c.example.net"], "MAIL FROM:<a@example.net> SIZE=1000 BODY=8BITMIME", 250, "2.1.0"),
    (["EHLO c.example.net"], "MAIL FROM:<a@example.net> SIZE=99999999999", 552, "5.3.4"),
    (["EHLO c.example.net"], "MAIL FROM:<a@example.net> SIZE=x", 501, "5.5.4"),
    (["EHLO c.example.net"], "MAIL FROM:<a@example.net> BODY=9BIT", 501, "5.5.4"),
    (["EHLO c.example.net"], "MAIL FROM:<a@example.net> NONSENSE=1", 555, "5.5.4"),
    (["EHLO c.example.net"], "MAIL FROM:<a@example.net> RET=HDRS", 555, "5.5.4"),
    (["HELO c.example.net"], "MAIL FROM:<a@example.net> SIZE=1000", 555, "5.5.4"),
    (["EHLO c.example.net"], "MAIL FROM:<a@example.net", 501, "5.5.4"),
    (["EHLO c.example.net"], "MAIL FROM:", 501, "5.5.4"),
    (["EHLO c.example.net"], "MAIL", 501, "5.5.4"),
    (["EHLO c.example.net"], "MAIL <a@example.net>", 501, "5.5.4"),
    (["EHLO c.example.net"], "MAIL FROM:<a@exa mple.net>", 501, None),
    (["EHLO c.example.net"], "MAIL FROM:<a@@example.net>", 501, "5.1.7"),
    (["EHLO c.example.net"], "MAIL FROM:<\u00e4@example.net>", 553, "5.6.7"),
    (["EHLO c.example.net", "MAIL FROM:<a@example.net>"], "RCPT TO:<\u00e4@example.org>", 553, "5.6.7"),
    (["EHLO c.example.net"], "MAIL FROM:<" + "x" * 300 + "@example.net>", 501, "5.1.7"),
    (["EHLO c.example.net", "MAIL FROM:<a@example.net>"], "MAIL FROM:<a@example.net>", 503, "5.5.1"),
    (["EHLO c.example.net", "MAIL FROM:<a@example.net>"], "DATA", 503, "5.5.1"),
    (["EHLO c.example.net", "MAIL FROM:<a@example.net>"], "RCPT TO:<b@example.org>", 250, "2.1.5"),
    (["EHLO c.example.net", "MAIL FROM:<a@example.net>"], "RCPT TO:<B@EXAMPLE.ORG>", 250, "2.1.5"),
    (["EHLO c.example.net", "MAIL FROM:<a@example.net>"], "RCPT TO:<postmaster>", 250, "2.1.5"),
    (["EHLO c.example.net", "MAIL FROM:<a@example.net>"], "RCPT TO:<Postmaster@example.org>", 250, "2.1.5"),
    (["EHLO c.example.net", "MAIL FROM:<a@example.net>"], "RCPT TO:<b@elsewhere.example>", 550, "5.7.1"),
    (["EHLO c.example.net", "MAIL FROM:<a@example.net>"], "RCPT TO:<b%elsewhere.example@example.org>", 550, "5.7.1"),
    (["EHLO c.example.net", "MAIL FROM:<a@example.net>"], "RCPT TO:<>", 501, "5.1.3"),
    (["EHLO c.example.net", "MAIL FROM:<a@example.net>"], "RCPT TO:<b>", 501, "5.1.3"),
    (["EHLO c.example.net", "MAIL FROM:<a@example.net>"], "RCPT TO:b", 501, None),
    (["EHLO c.example.net", "MAIL FROM:<a@example.net>"], "RCPT TO:<b@example.org> NOTIFY=NEVER", 555, "5.5.4"),
    (["EHLO c.example.net", "MAIL FROM:<a@example.net>", "RCPT TO:<b@example.org>"], "DATA x", 501, "5.5.4"),
    (["EHLO c.example.net", "MAIL FROM:<a@example.net>", "RCPT TO:<b@example.org>"], "DATA", 354, ""),
    (["EHLO c.example.net", "MAIL FROM:<a@example.net>", "RCPT TO:<b@example.org>", "RSET"], "DATA", 503, "5.5.1"),
    (["EHLO c.example.net", "MAIL FROM:<a@example.net>", "EHLO c.example.net"], "RCPT TO:<b@example.org>", 503, "5.5.1"),
]


@pytest.mark.parametrize("before,line,code,enhanced", LINES, ids=[f"{i}:{x[1][:40]}" for i, x in enumerate(LINES)])
def test_reply(gate, before, line, code, enhanced):
    with Client(gate.port) as c:
        for b in before:
            assert c.code(b) in (250, 354), b
        got, text = c.cmd(line)
        assert got == code, text
        if enhanced:
            assert text.startswith(enhanced + " "), text


def test_no_valid_recipients(gate):
    with Client(gate.port) as c:
        c.hello()
        c.cmd("MAIL FROM:<a@example.net>")
        assert c.code("RCPT TO:<b@elsewhere.example>") == 550
        assert c.code("DATA") == 554


def test_rubbish_bytes_in_commands(gate):
    for line in (b"\x00\x01\x02", b"EHLO \x00x", b"\xff\xfe", b"MAIL FROM:<a\x00@example.net>"):
        with Client(gate.port) as c:
            assert 500 <= c.code(line) <= 501


def test_many_mails_and_recipients_in_one_session(gate):
    before = len(gate.backend.messages)
    with Client(gate.port) as c:
        c.hello()
        for i in range(20):
            assert c.code(f"MAIL FROM:<a{i}@example.net>") == 250
            for r in range(1 + i % 5):
                assert c.code(f"RCPT TO:<r{r}@example.org>") == 250
            assert c.code("DATA") == 354
            c.send(f"Subject: n{i}\r\n\r\n..dot\r\nend {i}\r\n.\r\n")
            assert c.reply()[0] == 250
        assert c.code("QUIT") == 221
        assert c.at_end()
    got = gate.backend.messages[before:]
    assert [m["mail"].split(b" ")[1] for m in got] == [b"FROM:<a%d@example.net>" % i for i in range(20)]
    assert [len(m["rcpt"]) for m in got] == [1 + i % 5 for i in range(20)]
    for i, m in enumerate(got):
        assert m["data"].endswith(b"Subject: n%d\r\n\r\n.dot\r\nend %d\r\n" % (i, i))


def test_pipelined_whole_session(gate):
    before = len(gate.backend.messages)
    with Client(gate.port) as c:
        c.hello()
        one = (b"MAIL FROM:<a@example.net>\r\nRCPT TO:<x@elsewhere.example>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"
               b"Subject: p\r\n\r\nbody\r\n.\r\n")
        c.send(one * 3 + b"QUIT\r\n")
        codes = [c.reply()[0] for _ in range(16)]
        assert codes == [250, 550, 250, 354, 250] * 3 + [221]
    assert len(gate.backend.messages) == before + 3


def test_byte_by_byte(gate):
    before = len(gate.backend.messages)
    with Client(gate.port) as c:
        for b in (b"EHLO c.example.net\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"
                  b"Subject: slow\r\n\r\n..x\r\n.\r\nQUIT\r\n"):
            c.send(bytes([b]))
        assert [c.reply()[0] for _ in range(6)] == [250, 250, 250, 354, 250, 221]
    assert gate.backend.messages[before]["data"].endswith(b"Subject: slow\r\n\r\n.x\r\n")


def test_half_closed_client_gets_its_answers(gate):
    import socket
    before = len(gate.backend.messages)
    with Client(gate.port) as c:
        c.send(b"EHLO c.example.net\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"
               b"Subject: half\r\n\r\nx\r\n.\r\nQUIT\r\n")
        c.sock.shutdown(socket.SHUT_WR)
        assert [c.reply()[0] for _ in range(6)] == [250, 250, 250, 354, 250, 221]
    assert len(gate.backend.messages) == before + 1


def test_no_second_mail_by_smuggling(gate):
    before = len(gate.backend.messages)
    inner = b"MAIL FROM:<evil@example.net>\r\nRCPT TO:<b@example.org>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"
    for end in (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\n.\n\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\r\n\x00.\r\n", b"\n\n.\r\n"):
        with Client(gate.port) as c:
            c.hello()
            c.cmd("MAIL FROM:<a@example.net>")
            c.cmd("RCPT TO:<b@example.org>")
            c.cmd("DATA")
            c.send(b"Subject: outer\r\n\r\nx" + end + inner)
            code, _ = c.reply()
            assert code in (250, 550)
            assert c.code("NOOP") == 250
    for m in gate.backend.messages[before:]:
        assert m["mail"].startswith(b"MAIL FROM:<a@example.net>")
        assert b"\x00" not in m["data"] and b"\n" not in m["data"].replace(b"\r\n", b"")


def test_headers_that_are_not_the_clients(gate):
    with Client(gate.port) as c:
        c.hello()
        code, _ = c.mail(body=b"X-Spam-Flag: NO\r\nx-spam-status: No, score=-99\r\n folded\r\nSubject: s\r\n\r\nb\r\n")
        assert code == 250
    data = gate.backend.messages[-1]["data"]
    assert b"score=-99" not in data and b"folded" not in data
    assert data.startswith(b"Received: from client.example.net ")
    assert data.endswith(b"Subject: s\r\n\r\nb\r\n")


def test_mail_loop_is_refused(gate):
    with Client(gate.port) as c:
        c.hello()
        code, text = c.mail(body=b"Received: from x by y; z\r\n" * 60 + b"Subject: loop\r\n\r\nx\r\n")
        assert code == 554 and text.startswith("5.4.6")
        assert c.mail()[0] == 250


def test_too_many_header_fields(gate):
    """A forged field could hide behind the last one that is read."""
    with Client(gate.port) as c:
        c.hello()
        code, text = c.mail(body=b"X-Fill: 1\r\n" * 1001 + b"X-Spam-Flag: NO\r\n\r\nx\r\n")
        assert code == 554 and text.startswith("5.6.0")


def test_log_line(gate):
    since = len(gate.lines)
    with Client(gate.port) as c:
        c.hello("log.example.net")
        _, text = c.mail(sender="log@example.net")
        trace = text[text.rindex("(") + 1:-1]
    line = gate.wait_log(f"id={trace}", since=since)
    for part in ("client=127.0.0.1", "helo=log.example.net", "from=log@example.net", "to=bob@example.org", "size=",
                 "action=accept", "reply=", "backend=main", "ms_"):
        assert part in line, (part, line)
