"""A backend that is down, stalls, closes, or talks nonsense at each point: the
client gets a 4xx in bounded time, and nothing is acknowledged falsely."""
import time

import pytest
from fake_backend import FakeBackend
from gatehouse import Client, Gatehouse, free_port

QUICK = "connect-timeout = 1s reply-timeout = 1s data-timeout = 2s"
STAGES = ["banner", "EHLO", "MAIL", "RCPT", "DATA", "content"]
FAULTS = {"close": "close", "silence": b"", "nonsense": b"what do you want\r\n", "421": b"421 4.3.2 going\r\n",
          "long": b"250-" + b"x" * 100000 + b"\r\n", "binary": bytes(range(256)) + b"\r\n"}


def one_mail(g, timeout=20):
    """The last code and where it came; the time it took."""
    start = time.time()
    with Client(g.port, timeout=timeout) as c:
        c.hello()
        code, text = c.mail()
        took = time.time() - start
        alive = c.code("RSET") == 250
    return code, text, took, alive


@pytest.mark.parametrize("stage", STAGES)
def test_faults(place, stage):
    for name, act in FAULTS.items():
        with FakeBackend({stage: act}) as backend, Gatehouse(place / name, backend=backend.port,
                                                             backend_settings=QUICK) as g:
            code, text, took, alive = one_mail(g)
            assert 400 <= code < 500, (stage, name, code, text)
            assert text[:2] == "4."
            assert took < 12, (stage, name, took)
            assert alive, (stage, name)


PASSED_ON = [("MAIL", b"550 5.1.8 no such sender\r\n", 550), ("RCPT", b"550 5.1.1 no such user\r\n", 550),
             ("RCPT", b"450 4.2.0 busy\r\n", 450), ("RCPT", b"550-5.1.1 first\r\n550 5.1.1 second\r\n", 550),
             ("content", b"554 5.6.0 do not like it\r\n", 554), ("content", b"452 4.3.1 full\r\n", 452),
             ("DATA", b"451 4.3.0 not now\r\n", 451)]
OUR_TROUBLE = [("MAIL", b"530 5.7.0 authenticate\r\n"), ("MAIL", b"503 5.5.1 sequence\r\n"),
               ("RCPT", b"501 5.5.4 syntax\r\n"), ("RCPT", b"421 4.3.2 going down\r\n"),
               ("banner", b"554 5.3.2 no service\r\n"), ("MAIL", b"535 5.7.8 bad\r\n"), ("DATA", b"502 5.5.1 what\r\n"),
               ("content", b"421 4.3.0 oops\r\n")]


def test_replies_passed_on_or_ours(place):
    for i, (stage, reply, want) in enumerate(PASSED_ON):
        with FakeBackend({stage: reply}) as backend, Gatehouse(place / f"p{i}", backend=backend.port) as g:
            code, text, _, alive = one_mail(g)
            assert code == want, (stage, reply, code, text)
            assert reply.decode().split(" ", 2)[2].split("\r\n")[0].split("-")[0][:8] in text or "first" in text
            assert alive
    for i, (stage, reply) in enumerate(OUR_TROUBLE):
        with FakeBackend({stage: reply}) as backend, Gatehouse(place / f"o{i}", backend=backend.port) as g:
            code, text, _, alive = one_mail(g)
            assert code == 451, (stage, reply, code, text)
            assert alive


def test_no_backend_at_all(place):
    with Gatehouse(place / "g", backend=free_port()) as g:
        code, text, took, alive = one_mail(g)
        assert (code, text[:5]) == (451, "4.4.1") and took < 5 and alive


def test_backend_comes_later(place):
    port = free_port()
    with Gatehouse(place / "g", backend=port) as g:
        assert one_mail(g)[0] == 451
        with FakeBackend(port=port) as backend:
            assert one_mail(g)[0] == 250
            assert len(backend.messages) == 1


def test_closed_between_rcpt_and_content_is_replayed(place):
    """A long upload outlives the backend's patience."""
    with FakeBackend() as backend, Gatehouse(place / "g", backend=backend.port) as g:
        with Client(g.port) as c:
            c.hello()
            c.cmd("MAIL FROM:<a@example.net>")
            for i in range(3):
                assert c.code(f"RCPT TO:<r{i}@example.org>") == 250
            c.cmd("DATA")
            c.send(b"Subject: long\r\n\r\n")
            for conn in backend.open:
                conn.close() if False else conn.shutdown(2)
            time.sleep(0.3)
            c.send(b"end\r\n.\r\n")
            assert c.reply()[0] == 250
        assert len(backend.messages) == 1 and len(backend.messages[0]["rcpt"]) == 3


def test_replay_with_another_answer_is_451(place):
    with FakeBackend({"RCPT": [b"250 ok\r\n", b"550 5.1.1 gone\r\n"]}) as backend, \
            Gatehouse(place / "g", backend=backend.port) as g:
        with Client(g.port) as c:
            c.hello()
            c.cmd("MAIL FROM:<a@example.net>")
            assert c.code("RCPT TO:<r@example.org>") == 250
            c.cmd("DATA")
            for conn in backend.open:
                conn.shutdown(2)
            time.sleep(0.2)
            c.send(b"Subject: x\r\n\r\nend\r\n.\r\n")
            assert c.reply()[0] == 451
        assert not backend.messages


def test_client_gone_before_the_end(place):
    """Not acknowledged, so not delivered: the sender will come again."""
    with FakeBackend({"DATA": [b"354 go\r\n"]}) as backend, Gatehouse(place / "g", backend=backend.port) as g:
        with Client(g.port) as c:
            c.hello()
            c.cmd("MAIL FROM:<a@example.net>")
            c.cmd("RCPT TO:<r@example.org>")
            c.cmd("DATA")
            c.send(b"Subject: x\r\n\r\nno end")
        time.sleep(0.5)
        assert not backend.messages
        assert one_mail(g)[0] == 250


def test_connections_are_reused(place):
    with FakeBackend() as backend, Gatehouse(place / "g", backend=backend.port) as g:
        for _ in range(10):
            assert one_mail(g)[0] == 250
        assert len(backend.messages) == 10
        assert backend.connections <= 2


def test_connections_above_the_idle_ones_live_a_little(place):
    """Wanted again at once they are there; wanted by nobody they are told QUIT."""
    with FakeBackend() as backend, Gatehouse(place / "g", backend=backend.port, backend_settings="connections = 1") as g:
        def five_at_once():
            clients = [Client(g.port) for _ in range(5)]
            for c in clients:
                c.hello()
                assert [c.code(x) for x in ("MAIL FROM:<a@example.net>", "RCPT TO:<b@example.org>", "DATA")] == [250, 250, 354]
            for c in clients:
                c.send(b"Subject: x\r\n\r\nx\r\n.\r\n")
                assert c.reply()[0] == 250
                c.close()
        # Where the second five come later than a second, theirs are new: another try then.
        for _ in range(5):
            five_at_once()
            between, start = backend.connections, time.time()
            five_at_once()
            if time.time() - start < 0.8:
                break
        assert backend.connections == between >= 5
        end = time.time() + 15
        while time.time() < end and backend.commands.count("QUIT") < backend.connections - 1:
            time.sleep(0.05)
        assert backend.commands.count("QUIT") == backend.connections - 1


def test_bots_never_reach_the_backend(place):
    with FakeBackend() as backend, Gatehouse(place / "g", backend=backend.port) as g:
        time.sleep(0.3)
        before = len(backend.commands)
        with Client(g.port) as c:
            c.hello()
            c.cmd("MAIL FROM:<a@example.net>")
            assert c.code("RCPT TO:<r@elsewhere.example>") == 550
        time.sleep(0.2)
        assert not [x for x in backend.commands[before:] if x.startswith(("MAIL", "RCPT"))]


def test_maildir(place):
    with Gatehouse(place / "g") as g:
        with Client(g.port) as c:
            c.hello()
            code, text = c.mail(body=b"Subject: m\r\n\r\n..dot\r\nline\r\n")
            assert code == 250, text
        (mail,) = g.delivered()
        assert mail.startswith(b"Return-Path: <ada@example.net>\n")
        assert mail.endswith(b"Subject: m\n\n.dot\nline\n") and b"\r" not in mail
        g.maildir.rename(g.folder / "away")
        g.maildir.write_text("in the way")
        with Client(g.port) as c:
            c.hello()
            assert c.mail()[0] == 451


def test_large_mails_into_a_maildir(place):
    """Byte for byte, many at once; who leaves in the middle leaves nothing, and nobody waits for the disk."""
    body = b"Subject: big\r\n\r\n" + b"".join(b"%07d%s\r\n" % (i, b"x" * (i % 80)) for i in range(150000))
    with Gatehouse(place / "g", limits="errors = 100") as g:
        clients = [Client(g.port, timeout=60) for _ in range(4)]
        for c in clients:
            c.hello()
            assert [c.code(x) for x in ("MAIL FROM:<a@example.net>", "RCPT TO:<b@example.org>", "DATA")] == [250, 250, 354]
            c.send(body + b".\r\n")
        clients[3].close()
        for c in clients[:3]:
            assert c.reply()[0] == 250
            c.close()
        mails = g.delivered()
        assert 3 <= len(mails) <= 4, "the fourth may have been done before its client went"
        for m in mails:
            assert m.endswith(body.replace(b"\r\n", b"\n"))
        for path in (g.maildir / "new").iterdir():
            assert path.name.endswith(f",S={path.stat().st_size}")
        assert g.stop() == 0
        assert not list((g.maildir / "tmp").iterdir())
