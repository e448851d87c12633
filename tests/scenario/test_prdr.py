"""An answer for each recipient (PRDR, draft-hall-prdr; LMTP behind it): what each is told is what happened to its mail."""
import re

import pytest
from fake_backend import FakeBackend
from gatehouse import Client, Gatehouse, free_port

OFFERS = FakeBackend.EHLO.replace(b"250 ENHANCED", b"250-PRDR\r\n250-CHUNKING\r\n250-BINARYMIME\r\n250 ENHANCED")


class PrdrBackend(FakeBackend):
    """own: recipient → its answer; last: to the message; at_once: all answers in one write."""

    def __init__(self, **kwargs):
        super().__init__(ehlo=kwargs.pop("ehlo", OFFERS), **kwargs)
        self.own, self.last, self.at_once, self.instead = {}, b"250 2.0.0 all said\r\n", True, None

    def _say(self, c, stage, normal=None):
        if stage != "content" or self.instead:
            return super()._say(c, stage, self.instead if stage == "content" else normal)
        m = self.messages[-1]
        names = [re.search(rb"<(.*?)>", r).group(1).decode() for r in m["rcpt"]]
        if self.lmtp:
            at = self.here.at = getattr(self.here, "at", -1) + 1
            if at == len(names) - 1:
                self.here.at = -1
            c.sendall(self.own.get(names[at], b"250 2.1.5 for %s\r\n" % names[at].encode()))
            return True
        if not m["mail"].endswith(b"PRDR") or len(names) < 2:
            c.sendall(self.last)
            return True
        out = [b"353 each\r\n"] + [self.own.get(n, b"250 2.1.5 for %s\r\n" % n.encode()) for n in names] + [self.last]
        for piece in [b"".join(out)] if self.at_once else out:
            c.sendall(piece)
        return True

    def rcpts(self):
        return [[r.decode().split("<")[1].split(">")[0] for r in m["rcpt"]] for m in self.messages]


def begin(c, rcpts, param=" PRDR"):
    assert c.code(f"MAIL FROM:<a@example.net>{param}") == 250
    for r in rcpts:
        code, text = c.cmd(f"RCPT TO:<{r}>")
        assert code == 250, text
    assert c.code("DATA") == 354


def answers(c, count, body=b"Subject: t\r\n\r\nhello\r\n"):
    """(353 and each and the last) or the only one."""
    c.send(body + b".\r\n")
    first = c.reply()
    if first[0] != 353:
        return [first]
    return [c.reply() for _ in range(count + 1)]


@pytest.fixture
def gate(place):
    extra = """policy default { tag = off reject = off }
policy strict { recipients = {strict@example.org} actions = {"CONTENT_BARE_LF=reject"} }
policy later { recipients = {later@example.org} actions = {"CONTENT_BARE_LF=defer"} }
policy held { recipients = {held@example.org} actions = {"CONTENT_BARE_LF=quarantine"} }
policy moved { recipients = {moved@example.org} redirect-to = spam@example.org actions = {"CONTENT_BARE_LF=redirect"} }
policy gone { recipients = {gone@example.org} redirect-to = other@example.org actions = {"CONTENT_BARE_LF=redirect"} }
policy marked { recipients = {marked@example.org} actions = {"CONTENT_BARE_LF=tag"} subject-tag = "[SPAM]" }
"""
    with PrdrBackend() as b, Gatehouse(place / "g", backend=b.port, extra=extra) as g:
        g.backend = b
        yield g


LF = b"Subject: t\r\n\r\none\ntwo\r\n"


def test_offered_only_where_the_backend_has_it(place, gate):
    with Client(gate.port) as c:
        assert "PRDR" in c.hello().split("\n")
        assert c.code("MAIL FROM:<a@example.net> PRDR=yes") == 501
    with FakeBackend() as b, Gatehouse(place / "other", backend=b.port) as g, Client(g.port) as c:
        assert "PRDR" not in c.hello().split("\n")
        assert c.code("MAIL FROM:<a@example.net> PRDR") == 555


@pytest.mark.parametrize("at_once", [True, False])
def test_the_backends_answers_are_passed_on(gate, at_once):
    b = gate.backend
    b.at_once = at_once
    b.own = {"b@example.org": b"550 5.7.1 not me\r\n", "c@example.org": b"452-4.2.2 full\r\n452 4.2.2 really\r\n"}
    with Client(gate.port) as c:
        c.hello()
        for _ in range(2):
            begin(c, ["a@example.org", "b@example.org", "c@example.org"])
            got = answers(c, 3)
            assert [x[0] for x in got] == [250, 550, 452, 250]
            assert "for a@example.org" in got[0][1] and got[1][1].startswith("5.7.1 not me (") and "really" in got[2][1]
    assert b.connections <= 2, "the connection goes on being used"
    assert all(m["mail"].endswith(b" PRDR") for m in b.messages)
    line = gate.wait_log("event=transaction.*action=split")
    assert "to=a@example.org,!b@example.org,!c@example.org" in line
    assert gate.wait_log("recipient refused.*b@example.org.*550 5.7.1 not me")


def test_one_recipient_or_none_asked_for_is_one_answer(gate):
    with Client(gate.port) as c:
        c.hello()
        begin(c, ["a@example.org"])
        assert [x[0] for x in answers(c, 1)] == [250]
        begin(c, ["a@example.org", "b@example.org"], "")
        assert [x[0] for x in answers(c, 2)] == [250]
    assert [m["mail"] for m in gate.backend.messages] == [b"MAIL FROM:<a@example.net> PRDR", b"MAIL FROM:<a@example.net>"]


@pytest.mark.parametrize("own,last,want", [
    ({}, b"451 4.3.0 no room\r\n", [451, 451, 451]),                # the last one outdoes each
    ({}, b"554 5.6.0 no\r\n", [554, 554, 554]),
    ({"b@example.org": b"550 5.7.1 no\r\n"}, b"451 4.3.0 x\r\n", [451, 550, 451]),
    ({"b@example.org": b"421 4.3.2 bye\r\n"}, None, [250, 451, 250]),  # our trouble bounces nothing
    ({"b@example.org": b"503 5.5.1 what\r\n"}, None, [250, 451, 250]),
    ({"a@example.org": b"550 5.7.1 no\r\n", "b@example.org": b"550 5.7.1 no\r\n"}, None, [550, 550, 550]),
    ({"a@example.org": b"550 5.7.1 no\r\n", "b@example.org": b"450 4.7.1 no\r\n"}, None, [550, 450, 450])])
def test_the_message_as_such(gate, own, last, want):
    gate.backend.own = own
    gate.backend.last = last or gate.backend.last
    with Client(gate.port) as c:
        c.hello()
        begin(c, ["a@example.org", "b@example.org"])
        assert [x[0] for x in answers(c, 2)] == want


@pytest.mark.parametrize("instead,want", [
    (b"250 2.0.0 one for all\r\n", [250, 250, 250]), (b"550 5.7.1 no\r\n", [550, 550, 550]),
    (b"353 each\r\n250 ok\r\n", None), (b"353 each\r\nrubbish\r\n", None), (b"354 more\r\n", [451, 451, 451])])
def test_a_backend_that_does_otherwise(gate, instead, want):
    """No 353 is one answer for all; what breaks off in between has stored nothing that is known."""
    b = gate.backend
    b.instead = instead
    if want is None:
        b.script["content"] = lambda c, f: (c.sendall(instead), False)[1]
        want = [451, 451, 451]
    with Client(gate.port) as c:
        c.hello()
        begin(c, ["a@example.org", "b@example.org"])
        assert [x[0] for x in answers(c, 2)] == want


@pytest.mark.parametrize("own,want", [(b"250 2.1.5 ok\r\n", 250), (b"550 5.7.1 no\r\n", 550)])
def test_a_backend_that_answers_for_each_of_one(gate, own, want):
    gate.backend.script["content"] = lambda c, f: (c.sendall(b"353 each\r\n" + own + b"250 2.0.0 done\r\n"), True)[1]
    gate.backend.instead = True
    gate.backend._say = lambda c, stage, normal=None: FakeBackend._say(gate.backend, c, stage, normal)
    with Client(gate.port) as c:
        c.hello()
        begin(c, ["a@example.org"])
        assert [x[0] for x in answers(c, 1)] == [want]
        begin(c, ["a@example.org", "nobody@example.org"])
        gate.backend.script["content"] = b"250 2.0.0 one for all\r\n"
        assert [x[0] for x in answers(c, 2)] == [250, 250, 250]


def test_each_policy_gets_its_own_answer(gate):
    everybody = [f"{n}@example.org" for n in ("a", "strict", "marked", "later", "held", "b")]
    with Client(gate.port) as c:
        c.hello()
        for param in (" PRDR", " PRDR BODY=8BITMIME"):
            del gate.backend.messages[:]
            begin(c, everybody, param)
            assert [x[0] for x in answers(c, 6, LF)] == [250, 554, 250, 451, 250, 250, 250]
            # Those that get another message have it in another transaction, and no one else does.
            assert sorted(gate.backend.rcpts()) == [["a@example.org", "b@example.org"], ["marked@example.org"]]
            tagged = {m["rcpt"][0]: b"Subject: [SPAM] t" in m["data"] for m in gate.backend.messages}
            assert tagged == {b"RCPT TO:<a@example.org>": False, b"RCPT TO:<marked@example.org>": True}
    held = list((gate.state / "quarantine").rglob("*"))
    assert any(p.is_file() and b"held@example.org" in p.read_bytes() for p in held)
    assert not any(p.is_file() and b"marked@example.org" in p.read_bytes() for p in held)


def test_all_refused_never_reaches_the_backend(gate):
    with Client(gate.port) as c:
        c.hello()
        begin(c, ["strict@example.org", "later@example.org"])
        assert [x[0] for x in answers(c, 2, LF)] == [554, 451, 451]
        assert not gate.backend.messages
        begin(c, ["a@example.org", "b@example.org"])
        assert [x[0] for x in answers(c, 2)] == [250, 250, 250]


def test_group_by_group_when_the_backend_goes(gate):
    """The second group's transaction fails: the first has its mail and is told so, the second comes again."""
    b = gate.backend

    def once(c, f):
        b.script["MAIL"] = b"451 4.3.0 not now\r\n"
        c.sendall(b"354 go\r\n")
        return True
    b.script["DATA"] = once
    with Client(gate.port) as c:
        c.hello()
        begin(c, ["a@example.org", "marked@example.org"])
        assert [x[0] for x in answers(c, 2, LF)] == [250, 451, 250]
    assert b.rcpts() == [["a@example.org"]]


def test_in_chunks(gate):
    gate.backend.own = {"b@example.org": b"550 5.7.1 not me\r\n"}
    with Client(gate.port) as c:
        c.hello()
        assert c.code("MAIL FROM:<a@example.net> PRDR") == 250
        assert [c.code(f"RCPT TO:<{x}@example.org>") for x in "ab"] == [250, 250]
        body = b"Subject: t\r\n\r\nchunks\r\n"
        c.send(b"BDAT %d LAST\r\n" % len(body) + body + b"NOOP\r\n")
        assert [c.reply()[0] for _ in range(5)] == [353, 250, 550, 250, 250]


def test_lmtp_answers_each_by_itself(place):
    with PrdrBackend(lmtp=True, ehlo=FakeBackend.EHLO) as b, Gatehouse(place / "g", backend=b.port,
                                                                        backend_settings="protocol = lmtp") as g:
        b.own = {"b@example.org": b"552 5.2.2 full\r\n"}
        with Client(g.port) as c:
            assert "PRDR" in c.hello().split("\n")
            begin(c, ["a@example.org", "b@example.org", "c@example.org"])
            assert [x[0] for x in answers(c, 3)] == [250, 552, 250, 250]
            # Without it one reply has to be true for all: one by one.
            assert c.code("MAIL FROM:<a@example.net>") == 250
            assert [c.code(f"RCPT TO:<{x}@example.org>") for x in "ac"] == [250, 452]
        assert b.rcpts() == [["a@example.org", "b@example.org", "c@example.org"]]
        assert b.messages[0]["mail"] == b"MAIL FROM:<a@example.net>"


def test_client_gone_before_the_end(gate):
    """What it was not told is not delivered, as far as that can be known."""
    with Client(gate.port) as c:
        c.hello()
        begin(c, ["a@example.org", "b@example.org"])
        c.send(b"Subject: t\r\n\r\nhello\r\n")
    assert gate.wait_log("action=abort")
    assert not gate.backend.messages


def test_recipients_on_two_backends_come_apart(place):
    port = free_port()
    with PrdrBackend() as one, PrdrBackend(port=port) as two, Gatehouse(
            place / "g", backend=one.port, domains="example.org, own.example",
            extra=f"backend own {{ address = 127.0.0.1:{port} domains = {{own.example}} }}") as g, Client(g.port) as c:
        assert two.port == port
        c.hello()
        assert c.code("MAIL FROM:<a@example.net> PRDR") == 250
        assert c.code("RCPT TO:<b@example.org>") == 250
        assert c.code("RCPT TO:<x@own.example>") == 452


def test_redirected_ones_come_last(gate):
    with Client(gate.port) as c:
        c.hello()
        begin(c, ["moved@example.org", "bob@example.org", "gone@example.org"])
        got = answers(c, 3, LF)
    assert [code for code, _ in got] == [250, 250, 250, 250]
    assert gate.backend.rcpts() == [["bob@example.org"], ["spam@example.org"], ["other@example.org"]]
    assert b"X-Gatehouse-Original-To: <moved@example.org>\r\n" in gate.backend.messages[1]["data"]
    assert b"X-Gatehouse-" not in gate.backend.messages[0]["data"]
