"""Several backends: which gets the mail, what happens when one is down; IPv6
and unix sockets; parameters that go through, and those that must not."""
import base64
import re
import socket
import subprocess
import threading
import time
from pathlib import Path

import certificates
import pytest
from fake_backend import FakeBackend
from gatehouse import PROGRAM, Client, Gatehouse, free_port
from netns import Machines, sh

DSN = FakeBackend.EHLO.replace(b"250 ENHANCED", b"250-DSN\r\n250 ENHANCED")


def offers(g, keyword, seconds=10):
    """Waits until EHLO offers it: the backends have answered."""
    end = time.time() + seconds
    while time.time() < end:
        with Client(g.port) as c:
            if keyword in c.hello():
                return True
        time.sleep(0.05)
    return False


def backend(title, port, settings=""):
    return f"backend {title} {{ address = 127.0.0.1:{port}\n {settings} }}\n"


def test_failover_and_recovery(place):
    port = free_port()
    second = FakeBackend()
    first = FakeBackend(port=port)
    with second, Gatehouse(place / "g", backend=port, backend_settings="priority = 1 tls = off",
                           extra=backend("second", second.port, "priority = 2")) as g:
        assert offers(g, "8BITMIME")
        with Client(g.port) as c:
            c.hello()
            assert c.mail()[0] == 250
            assert (len(first.messages), len(second.messages)) == (1, 0)
            first.stop()
            assert c.mail()[0] == 250, "another backend has to take it"
            assert (len(first.messages), len(second.messages)) == (1, 1)
            assert c.mail()[0] == 250
            assert len(second.messages) == 2
        with FakeBackend(port=port) as again:
            end = time.time() + 15
            while not again.messages and time.time() < end:
                time.sleep(0.3)
                with Client(g.port) as c:
                    c.hello()
                    assert c.mail()[0] == 250
            assert again.messages, "the first one is used again once it answers"


@pytest.mark.parametrize("script", [{"banner": b"421 4.3.2 no\r\n"}, {"banner": "close"}, {"banner": b"554 5.7.1 no\r\n"},
                                    {"EHLO": "close"}, {"MAIL": "close"}])
def test_failover_from_a_backend_that_does_not_work(place, script):
    with FakeBackend() as good, FakeBackend() as bad, Gatehouse(
            place / "g", backend=bad.port, backend_settings="priority = 1",
            extra=backend("second", good.port, "priority = 2")) as g:
        assert offers(g, "8BITMIME")
        bad.script.update(script)
        bad.hang_up()
        with Client(g.port) as c:
            c.hello()
            assert c.mail()[0] == 250
        assert len(good.messages) == 1 and not bad.messages


def test_no_failover_once_something_is_accepted(place):
    """The recipients of a mail are with one backend, or the mail is not taken."""
    with FakeBackend() as good, FakeBackend() as bad, Gatehouse(
            place / "g", backend=bad.port, backend_settings="priority = 1",
            extra=backend("second", good.port, "priority = 2")) as g:
        assert offers(g, "8BITMIME")
        with Client(g.port) as c:
            c.hello()
            assert c.code("MAIL FROM:<a@example.net>") == 250
            assert c.code("RCPT TO:<b@example.org>") == 250
            bad.stop()
            time.sleep(0.1)
            assert c.code("RCPT TO:<c@example.org>") == 451
            assert not good.messages


def test_all_down(place):
    with Gatehouse(place / "g", backend=free_port(), extra=backend("second", free_port())) as g:
        with Client(g.port) as c:
            c.hello()
            code, text = c.mail()
            assert code == 451 and "4.4.1" in text


def test_by_domain_and_weight(place):
    with FakeBackend() as one, FakeBackend() as two, FakeBackend() as own, Gatehouse(
            place / "g", backend=one.port, domains="example.org, own.example", backend_settings="weight = 1",
            extra=backend("second", two.port, "weight = 3") +
            backend("own", own.port, "domains = {own.example}")) as g:
        assert offers(g, "8BITMIME")
        for _ in range(60):
            with Client(g.port) as c:
                c.hello()
                assert c.mail()[0] == 250
        assert len(one.messages) + len(two.messages) == 60 and not own.messages
        assert 4 <= len(one.messages) < len(two.messages)
        with Client(g.port) as c:
            c.hello()
            assert c.mail(rcpt="x@own.example")[0] == 250
            assert len(own.messages) == 1
            # Two backends in one mail: the second recipient comes again.
            assert c.code("MAIL FROM:<a@example.net>") == 250
            assert c.code("RCPT TO:<x@own.example>") == 250
            assert c.code("RCPT TO:<b@example.org>") == 452
            assert c.code("RCPT TO:<y@own.example>") == 250
            assert c.code("RSET") == 250
            # What was refused binds nobody.
            own.script["RCPT"] = b"550 5.1.1 who\r\n"
            assert c.code("MAIL FROM:<a@example.net>") == 250
            assert c.code("RCPT TO:<x@own.example>") == 550
            assert c.code("RCPT TO:<b@example.org>") == 250


def test_by_listener(place):
    port = free_port()
    with FakeBackend() as one, FakeBackend() as two, Gatehouse(
            place / "g", backend=one.port, listen_settings="backends = {main}",
            extra=backend("second", two.port) +
            f"listen other {{ address = 127.0.0.1:{port} backends = {{second}} }}") as g:
        for p, b in ((g.port, one), (port, two)):
            with Client(p) as c:
                c.hello()
                assert c.mail()[0] == 250
            assert len(b.messages) == 1


def relay_to_unix(path, port):
    """A unix socket before a TCP port."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(8)

    def copy(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def serve():
        while True:
            a, _ = listener.accept()
            b = socket.create_connection(("127.0.0.1", port))
            for x, y in ((a, b), (b, a)):
                threading.Thread(target=copy, args=(x, y), daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()
    return listener


def test_unix_sockets(place):
    with FakeBackend() as b:
        relay_to_unix(place / "backend", b.port)
        with Gatehouse(place / "g", backend=b.port, listen_settings="backends = {sock}",
                       extra=f'backend sock {{ address = "unix:{place}/backend" }}\n'
                             f'listen sock {{ address = "unix:{place}/smtp" backends = {{sock}} }}\n') as g:
            with Client(g.port) as c:
                c.hello()
                assert c.mail()[0] == 250
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(10)
            s.connect(str(place / "smtp"))
            f = s.makefile("rb")
            assert f.readline().startswith(b"220 ")
            for line in (b"HELO local", b"MAIL FROM:<a@example.net>", b"RCPT TO:<b@example.org>", b"DATA"):
                s.sendall(line + b"\r\n")
                assert f.readline()[:1] in b"23", line
            s.sendall(b"Subject: x\r\n\r\nover a socket\r\n.\r\n")
            assert f.readline().startswith(b"250 ")
        assert len(b.messages) == 2


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="skipped: no IPv6 on this machine")
def test_ipv6(place):
    port = free_port()
    with FakeBackend() as b:
        six = socket.socket(socket.AF_INET6)
        six.bind(("::1", 0))
        six.listen(8)
        seen = []

        def serve():
            while True:
                a, _ = six.accept()
                seen.append(1)
                f = a.makefile("rb")
                a.sendall(b"220 six\r\n")
                for line in f:
                    a.sendall(b"354 go\r\n" if line.startswith(b"DATA") else b"250 ok\r\n" if line != b"." else b"")
                    if line.startswith(b"DATA"):
                        while f.readline() != b".\r\n":
                            pass
                        a.sendall(b"250 2.0.0 six has it\r\n")
        threading.Thread(target=serve, daemon=True).start()
        with Gatehouse(place / "g", backend=b.port, listen_settings="backends = {main}",
                       extra=f'backend six {{ address = "[::1]:{six.getsockname()[1]}" }}\n'
                             f'listen six {{ address = "[::1]:{port}" backends = {{six}} }}\n') as g:
            with Client(port, host="::1") as c:
                c.hello()
                code, text = c.mail()
                assert code == 250 and "six has it" in text
            assert g.wait_log("client=::1")


def test_parameters(place):
    with FakeBackend(ehlo=DSN) as b, Gatehouse(place / "g", backend=b.port, limits="recipients = 77 messages = 33") as g:
        assert offers(g, "DSN")
        with Client(g.port) as c:
            assert "LIMITS MAILMAX=33 RCPTMAX=77" in c.hello().split("\n")
            for mail, want in (("RET=ALL", 501), ("RET=HDRS ENVID=a=b", 501), ("ENVID=", 501), ("AUTH=<>", 555),
                               ("REQUIRETLS", 555), ("RET=FULL RET=HDRS", 501)):
                assert c.code(f"MAIL FROM:<a@example.net> {mail}") == want, mail
            assert c.code("MAIL FROM:<a@example.net> RET=HDRS ENVID=QQ+2B1") == 250
            for rcpt, want in (("NOTIFY=SOMETIMES", 501), ("NOTIFY=NEVER,DELAY", 501), ("ORCPT=bob", 501),
                               ("NOTIFY=SUCCESS,DELAY ORCPT=rfc822;bob@example.org", 250)):
                assert c.code(f"RCPT TO:<b@example.org> {rcpt}") == want, rcpt
        assert "MAIL FROM:<a@example.net> RET=HDRS ENVID=QQ+2B1" in b.commands
        assert "RCPT TO:<b@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;bob@example.org" in b.commands


def test_what_a_backend_has_lost(place):
    """EHLO promised SMTPUTF8; the backend that comes back has none: the mail is not spoilt."""
    with FakeBackend() as b, Gatehouse(place / "g", backend=b.port) as g:
        assert offers(g, "SMTPUTF8")
        with Client(g.port) as c:
            c.hello()
            b.ehlo = b"250-fake\r\n250 PIPELINING\r\n"
            b.hang_up()
            time.sleep(0.1)
            assert c.code("MAIL FROM:<ä@example.net> SMTPUTF8".encode()) == 250
            assert c.code("RCPT TO:<b@example.org>") == 451


def test_requiretls_and_auth_parameter(place):
    """REQUIRETLS is offered under TLS, when the backend has it; AUTH= is passed on for those who authenticated."""
    cert, key = certificates.make(place)
    ehlo = FakeBackend.EHLO.replace(b"250 ENHANCED", b"250-REQUIRETLS\r\n250-AUTH PLAIN\r\n250 ENHANCED")
    with FakeBackend(script={"AUTH": b"235 2.7.0 ok\r\n"}, ehlo=ehlo) as b, Gatehouse(
            place / "g", backend=b.port, extra=f'tls default {{ certificate = "{cert}" key = "{key}" }}',
            listen_settings="tls = starttls\n  auth-without-tls = on") as g:
        assert offers(g, "AUTH PLAIN")
        with Client(g.port) as c:
            assert "REQUIRETLS" not in c.hello()
            assert c.code("MAIL FROM:<a@example.net> REQUIRETLS") in (501, 555)
            assert c.code("MAIL FROM:<a@example.net> AUTH=x=y") == 501
            assert c.code("MAIL FROM:<a@example.net> AUTH=ada") == 250
            assert c.code("RCPT TO:<b@example.org>") == 250
        assert b.commands.count("MAIL FROM:<a@example.net>") == 1
        import smtplib
        import ssl
        context = ssl._create_unverified_context()
        with smtplib.SMTP("127.0.0.1", g.port) as s:
            s.starttls(context=context)
            s.ehlo("c.example.net")
            assert s.has_extn("requiretls")
            assert s.login("ada", "secret")[0] == 235
            assert s.docmd("MAIL FROM:<a@example.net> REQUIRETLS AUTH=ada")[0] == 250
            assert s.docmd("RCPT TO:<b@example.org>")[0] == 250
        assert "MAIL FROM:<a@example.net> REQUIRETLS AUTH=ada" in b.commands


def test_requiretls_needs_a_way_that_keeps_it(place):
    """A server elsewhere, reached in the clear, can't be given such mail, whatever it says (RFC 8689 4.2.1)."""
    cert, key = certificates.make(place)
    ehlo = FakeBackend.EHLO.replace(b"250 ENHANCED", b"250-REQUIRETLS\r\n250-DSN\r\n250 ENHANCED")
    own = subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split()
    if not [x for x in own if ":" not in x]:
        pytest.skip("skipped: no address but loopback")
    host = [x for x in own if ":" not in x][0]
    with FakeBackend(ehlo=ehlo, host=host) as b, Gatehouse(
            place / "g", backend=b.port, listen_settings="tls = starttls\n backends = {far}",
            extra=f'tls default {{ certificate = "{cert}" key = "{key}" }}\nbackend far {{ address = {host}:{b.port} }}') as g:
        assert offers(g, "DSN")
        import smtplib
        import ssl
        with smtplib.SMTP("127.0.0.1", g.port) as s:
            s.starttls(context=ssl._create_unverified_context())
            s.ehlo("c.example.net")
            assert not s.has_extn("requiretls")
            assert s.docmd("MAIL FROM:<a@example.net> REQUIRETLS")[0] == 555


ALL = FakeBackend.EHLO.replace(b"250 ENH", b"250-XCLIENT NAME REVERSE_NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT\r\n"
                               b"250-XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE\r\n250 ENH")
ZONE = """5.0.0.127.in-addr.arpa. 60 IN PTR five.example.net.
five.example.net. 60 IN A 127.0.0.5
6.0.0.127.in-addr.arpa. 60 IN PTR six.example.net.
six.example.net. 60 IN A 192.0.2.6
;! 7.0.0.127.in-addr.arpa. SERVFAIL
8.0.0.127.in-addr.arpa. 60 IN PTR eight/8.example.net.
eight/8.example.net. 60 IN A 127.0.0.8
"""


@pytest.mark.parametrize("how,verb", [("xclient", "XCLIENT"), ("xforward", "XFORWARD")])
def test_all_that_is_known_of_a_client(place, how, verb):
    """Each attribute that the server has asked for; what isn't known as such, and what is no host name as not known."""
    zone = place / "zone"
    zone.write_text(ZONE)
    names = {5: "five.example.net five.example.net", 6: "[UNAVAILABLE] six.example.net", 7: "[TEMPUNAVAIL] [TEMPUNAVAIL]",
             8: "[UNAVAILABLE] [UNAVAILABLE]"}
    six = free_port()
    with FakeBackend({"XCLI": b"220 again\r\n", "XFOR": b"250 ok\r\n"}, ehlo=ALL) as b, Gatehouse(
            place / "g", backend=b.port, dns=f'zone-file = "{zone}"', backend_settings=f"client-info = {how}",
            extra="policy default { tag = off reject = off }" +
            (f'\nlisten six {{ address = "[::]:{six}" }}' if has_ipv6() else "")) as g:
        assert offers(g, "8BITMIME")
        for last, name in names.items():
            c = Client.__new__(Client)
            c.sock = socket.create_connection(("127.0.0.1", g.port), 10, source_address=(f"127.0.0.{last}", 0))
            c.file = c.sock.makefile("rb")
            c.reply()
            c.hello("a+b=c.example.net")
            code, text = c.mail()
            assert code == 250, g.log()
            told = [x for x in b.commands if x.startswith(verb)][-1].split(" ")[1:]
            want = {"NAME": name.split()[0], "ADDR": f"127.0.0.{last}", "PORT": str(c.sock.getsockname()[1]), "PROTO": "ESMTP",
                    "HELO": "a+2Bb+3Dc.example.net"}
            if how == "xclient":
                want |= {"REVERSE_NAME": name.split()[1], "LOGIN": "[UNAVAILABLE]", "DESTADDR": "127.0.0.1", "DESTPORT": str(g.port)}
            else:
                want |= {"IDENT": re.search(r"\((\w+)\)$", text).group(1), "SOURCE": "LOCAL"}
            assert dict(x.split("=", 1) for x in told) == want
            c.close()
        if how == "xclient":
            end = time.time() + 10
            while b.commands.count("QUIT") < len(names) and time.time() < end:
                time.sleep(0.02)
            assert b.commands.count("QUIT") >= len(names), "the client's connection ends in order"
        if has_ipv6():
            with Client(six, host="::1") as c:
                c.hello()
                assert c.mail()[0] == 250
            told = [x for x in b.commands if x.startswith(verb)][-1].split(" ")
            assert "ADDR=IPV6:::1" in told and (how == "xforward" or "DESTADDR=IPV6:::1" in told)


def test_transparent(place):
    """The backend sees the client's own address. (Loopback needs no routing.)"""
    with FakeBackend() as b, Gatehouse(place / "g", backend=b.port, backend_settings="transparent = on") as g:
        assert offers(g, "8BITMIME")
        for address in ("127.0.0.5", "127.0.0.6"):
            s = socket.create_connection(("127.0.0.1", g.port), 10, source_address=(address, 0))
            c = Client.__new__(Client)
            c.sock, c.file = s, s.makefile("rb")
            c.reply()
            c.hello()
            code, text = c.mail()
            if code == 451 and g.wait_log("Operation not permitted", 1):
                pytest.skip("skipped: this user may not use IP_TRANSPARENT")
            assert code == 250, text
            c.close()
        assert b.peers[-2:] == ["127.0.0.5", "127.0.0.6"]
        assert len(b.messages) == 2


def capabilities(pid):
    return int(re.search(r"CapEff:\s*(\w+)", Path(f"/proc/{pid}/status").read_text()).group(1), 16)


def test_transparent_over_a_network(place):
    """A client that is far away, workers without any privilege: the master makes the sockets. Many at once, and none is
    left behind when a client goes."""
    with Machines() as net:
        wrapper = place / "gatehouse"
        wrapper.write_text(f'#!/bin/sh\nexec ip netns exec {net.gw} {PROGRAM} "$@"\n')
        wrapper.chmod(0o755)
        b = net.run_in(net.be, lambda: FakeBackend(host=net.SERVER))
        six = net.run_in(net.be, lambda: FakeBackend(host=net.SERVER6)) if net.ipv6 else None
        port = free_port()
        extra = f"""listen world {{ address = 0.0.0.0:{port} backends = {{far}} }}
listen other {{ address = {net.GATE}:{port + 1} backends = {{near}} }}
backend far {{ address = {net.SERVER}:{b.port} transparent = on connect-timeout = 3s }}
backend near {{ address = {net.SERVER}:{b.port} }}
"""
        if six:
            extra += (f'listen six {{ address = "[::]:{port + 2}" backends = {{six}} }}\n'
                      f'backend six {{ address = "[{net.SERVER6}]:{six.port}" transparent = on }}\n')
        with b, Gatehouse(place / "g", backend=free_port(), program=str(wrapper), top="user = nobody", extra=extra) as g:
            assert [capabilities(p) for p in g.worker_pids()] == [0]
            before = [len(list(Path(f"/proc/{p}/fd").iterdir())) for p in g.worker_pids()]
            clients = net.run_in(net.cl, lambda: [Client(port, host=net.GATE) for _ in range(20)])
            for c in clients:
                c.hello()
                c.send("MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\n")
            for c in clients[:10]:
                assert [c.reply()[0] for _ in range(2)] == [250, 250], g.log()[-2000:]
                assert c.code("DATA") == 354
                c.send(b"Subject: x\r\n\r\ny\r\n.\r\n")
                assert c.reply()[0] == 250
            for c in clients:
                c.close()
            assert len(b.messages) == 10
            assert b.peers.count(net.CLIENT) >= 10
            with net.run_in(net.cl, lambda: Client(port + 1, host=net.GATE)) as c:
                shown = b.peers.count(net.CLIENT)
                c.hello()
                assert c.mail()[0] == 250
                assert b.peers.count(net.CLIENT) == shown, "the setting is the backend's own"
            if six:
                with net.run_in(net.cl, lambda: Client(port + 2, host=net.GATE6)) as c:
                    c.hello()
                    code, text = c.mail()
                    assert code == 250, text + g.log()[-1000:]
                assert six.peers[-1] == net.CLIENT6
            # A server that can't be reached: the client is told within its time, and the socket goes.
            sh(f"ip -n {net.be} link set wire down")
            with net.run_in(net.cl, lambda: Client(port, host=net.GATE)) as c:
                c.hello()
                assert c.mail()[0] == 451
            end = time.time() + 10
            while time.time() < end:
                now = [len(list(Path(f"/proc/{p}/fd").iterdir())) for p in g.worker_pids()]
                if max(now) <= max(before) + 4:
                    break
                time.sleep(0.1)
            assert max(now) <= max(before) + 4, (before, now)


AUTH = FakeBackend.EHLO.replace(b"250 ENHANCED", b"250-AUTH PLAIN\r\n250 ENHANCED")
PLAIN = {name: base64.b64encode(f"\0{name}\0secret".encode()).decode() for name in ("ada", "bob", "eve@own.example")}


def test_by_user(place):
    """Whom users of a backend name goes there; else to the one that knows the login; nobody else does."""
    with FakeBackend(script={"AUTH": b"235 2.7.0 ok\r\n"}, ehlo=AUTH) as first, FakeBackend(ehlo=AUTH) as adas, \
            FakeBackend(ehlo=AUTH) as ends, Gatehouse(
                place / "g", backend=first.port, listen_settings="auth-without-tls = on",
                extra=backend("adas", adas.port, "users = {ada}") + backend("ends", ends.port, 'users = {"@own.example"}')) as g:
        assert offers(g, "AUTH PLAIN")
        for login, to in ((None, first), ("bob", first), ("ada", adas), ("eve@own.example", ends)):
            before = len(to.messages)
            with Client(g.port) as c:
                c.hello()
                if login:
                    assert c.code("AUTH PLAIN " + PLAIN[login]) == 235
                for _ in range(2):
                    code, text = c.mail(body=b"From: ada@example.org\r\n\r\nx\r\n")
                    assert code == 250, (login, text, g.log())
                assert c.code("MAIL FROM:<a@example.org>") == 250
                assert [c.code(f"RCPT TO:<{x}@example.org>") for x in "bc"] == [250, 250]
            assert len(to.messages) == before + 2, login
        assert (len(first.messages), len(adas.messages), len(ends.messages)) == (4, 2, 2)


def test_health_is_looked_after(place):
    """A server that stops working is known before a mail is there for it; so is what one has learnt."""
    with FakeBackend() as good, FakeBackend() as bad, Gatehouse(
            place / "g", backend=bad.port, backend_settings="priority = 1 health-check = 200ms",
            extra=backend("second", good.port, "priority = 2 health-check = 200ms")) as g:
        assert offers(g, "8BITMIME")
        for b in (good, bad):
            b.ehlo = DSN
        assert offers(g, "DSN"), "what EHLO offers is learnt without any mail"
        bad.stop()
        assert g.wait_log(f"event=backend.*{bad.port}")
        with Client(g.port) as c:
            c.hello()
            assert c.mail()[0] == 250
        assert len(good.messages) == 1


def rcpts(b, name):
    return sum(f"RCPT TO:<{name}@example.org>" in x for x in b.commands)


def test_refused_recipients_are_remembered(place):
    """What was said of an address is said again without asking; what was said of a sender or a moment is not."""
    def answer(c, f):
        last = b.commands[-1]
        c.sendall(b"550 5.1.1 <nobody> User unknown\r\n" if "nobody" in last else b"550 5.7.1 not from you\r\n"
                  if "picky" in last else b"450 4.2.1 not now\r\n" if "busy" in last else b"250 2.1.5 ok\r\n")
        return True
    with FakeBackend(script={"RCPT": answer}) as b, Gatehouse(place / "g", backend=b.port, workers=2,
                                                              backend_settings="verify-cache = 6s") as g:
        assert offers(g, "8BITMIME")
        for _ in range(3):
            with Client(g.port) as c:
                c.hello()
                assert c.code("MAIL FROM:<a@example.net>") == 250
                code, text = c.cmd("RCPT TO:<nobody@EXAMPLE.org>")
                assert code == 550 and text.startswith("5.1.1 <nobody> User unknown")
                assert c.code("RCPT TO:<picky@example.org>") == 550
                assert c.code("RCPT TO:<busy@example.org>") == 450
                assert c.code("RCPT TO:<bob@example.org>") == 250
        assert [rcpts(b, x) for x in ("nobody", "picky", "busy", "bob")] == [0, 3, 3, 3]
        assert sum("nobody" in x for x in b.commands) == 1
        end = time.time() + 30
        while sum("nobody" in x for x in b.commands) < 2 and time.time() < end:
            time.sleep(0.3)
            with Client(g.port) as c:
                c.hello()
                c.code("MAIL FROM:<a@example.net>")
                assert c.code("RCPT TO:<nobody@example.org>") == 550
        assert sum("nobody" in x for x in b.commands) == 2, "not for ever"


def test_another_server_knows_the_recipients(place):
    """A folder takes any; the server named by verify-with is asked, with a null sender, and gets no mail."""
    def answer(c, f):
        c.sendall(b"550 no such user\r\n" if "nobody" in knows.commands[-1] else b"250 ok\r\n")
        return True
    with FakeBackend(script={"RCPT": answer}) as knows, Gatehouse(
            place / "g", backend_settings="verify-with = knows verify-cache = 1h", listen_settings="backends = {main}",
            extra=backend("knows", knows.port)) as g, Client(g.port) as c:
        c.hello()
        for _ in range(2):
            assert c.mail("nobody@example.org")[0] == 550
            assert c.code("RSET") == 250
            assert c.mail("bob@example.org")[0] == 250
        assert len(g.delivered()) == 2 and not knows.messages
        assert (rcpts(knows, "nobody"), rcpts(knows, "bob")) == (1, 1)
        assert set(x for x in knows.commands if x.startswith("MAIL")) == {"MAIL FROM:<>"}
        knows.stop()
        assert c.code("MAIL FROM:<a@example.net>") == 250
        assert c.code("RCPT TO:<nobody@example.org>") == 550
        assert c.code("RCPT TO:<eve@example.org>") == 451, "nobody knows: the sender is to come again"
        assert c.code("RCPT TO:<bob@example.org>") == 250


def test_connections_are_bounded(place):
    """Who comes when all are in use waits for one, in turn; who waits too long comes again, and the server is not to blame."""
    with FakeBackend() as b, Gatehouse(place / "g", backend=b.port,
                                       backend_settings="max-connections = 2 connect-timeout = 4s") as g:
        assert offers(g, "8BITMIME")
        clients = [Client(g.port) for _ in range(6)]
        for c in clients:
            c.hello()
            assert c.code("MAIL FROM:<a@example.net>") == 250
        for c in clients[:2]:
            assert c.code("RCPT TO:<b@example.org>") == 250
        for c in clients[2:]:
            c.send("RCPT TO:<b@example.org>\r\n")
            time.sleep(0.05)
        # One ends its mail, one takes it back, one goes away: each makes room for the next.
        assert clients[0].code("DATA") == 354
        clients[0].send(b"Subject: x\r\n\r\ny\r\n.\r\n")
        assert clients[0].reply()[0] == 250
        assert clients[2].reply()[0] == 250
        assert clients[1].code("RSET") == 250
        assert clients[3].reply()[0] == 250
        clients[2].close()
        assert clients[4].reply()[0] == 250
        code, text = clients[5].reply()
        assert code == 451 and "4.4.1" in text
        assert g.wait_log("all connections to it are in use")
        assert clients[3].code("RSET") == 250
        assert clients[5].code("RCPT TO:<b@example.org>") == 250
        for c in clients[3:]:
            c.close()
        assert b.connections == 2
        assert len(b.messages) == 1
        # A client that leaves the queue leaves no trace in it.
        with Client(g.port) as one, Client(g.port) as two:
            for c in (one, two):
                c.hello()
                c.code("MAIL FROM:<a@example.net>")
                assert c.code("RCPT TO:<b@example.org>") == 250
            with Client(g.port) as c:
                c.hello()
                c.code("MAIL FROM:<a@example.net>")
                c.send("RCPT TO:<b@example.org>\r\n")
                time.sleep(0.1)
            assert one.code("RSET") == 250
        with Client(g.port) as c:
            c.hello()
            assert c.mail()[0] == 250


def test_the_bound_is_that_of_all_workers(place):
    """However clients fall to the workers, the server sees no more connections at one time."""
    now, most, lock = [0], [0], threading.Lock()

    class Counting(FakeBackend):
        def _serve(self, c):
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            super()._serve(c)
            with lock:
                now[0] -= 1
    with Counting() as b, Gatehouse(place / "g", backend=b.port, workers=4,
                                    backend_settings="max-connections = 8 connect-timeout = 2s") as g:
        assert offers(g, "8BITMIME")
        clients = [Client(g.port) for _ in range(40)]
        for c in clients:
            c.hello()
            c.send("MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\n")
        codes = [[c.reply()[0] for _ in range(2)][1] for c in clients]
        assert set(codes) <= {250, 451} and 1 <= codes.count(250) <= 8, codes
        assert most[0] <= 8
        for c in clients:
            c.close()


def test_a_name_with_several_addresses(place):
    """localhost is ::1 and 127.0.0.1, and the server may listen at one of them."""
    hosts, wrapper = place / "hosts", place / "gatehouse"
    hosts.write_text("".join(f"{x} twofold.example.org\n" for x in ("127.0.0.9", "127.0.0.8", "127.0.0.1")))
    wrapper.write_text(f'#!/bin/sh\nexec unshare -m sh -c \'mount --bind {hosts} /etc/hosts && exec "$0" "$@"\' {PROGRAM} "$@"\n')
    wrapper.chmod(0o755)
    if subprocess.run([wrapper, "--help"], capture_output=True).returncode != 0:
        pytest.skip("skipped: no right to a namespace of mounts")
    with FakeBackend() as b, Gatehouse(place / "g", backend=b.port, program=str(wrapper), listen_settings="backends = {named}",
                                       extra=f"backend named {{ address = twofold.example.org:{b.port} }}") as g:
        assert offers(g, "8BITMIME")
        clients = [Client(g.port) for _ in range(5)]
        for c in clients:
            c.hello()
            c.send("MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\n")
        for c in clients:
            assert [c.reply()[0] for _ in range(2)] == [250, 250], g.log()
            c.close()
        port = b.port
        b.stop()
        with FakeBackend(port=port, host="127.0.0.9") as other:
            for _ in range(2):
                with Client(g.port) as c:
                    c.hello()
                    code, text = c.mail()
                    assert code == 250, text
            assert len(other.messages) == 2


def test_size_is_the_servers(place):
    """Said in EHLO, asked at MAIL, and counted in content that came without."""
    with FakeBackend(ehlo=b"250-x\r\n250-PIPELINING\r\n250 SIZE 5000\r\n") as b, Gatehouse(place / "g", backend=b.port) as g:
        assert offers(g, "SIZE 5000")
        with Client(g.port) as c:
            c.hello()
            for size, want in (("5001", 552), ("99999999999999999999", 552), ("999999999999999999999", 501), ("-1", 501),
                               ("+1", 501), ("0x10", 501), ("5000", 250)):
                assert c.code(f"MAIL FROM:<a@example.net> SIZE={size}") == want, size
            assert c.code("RSET") == 250
            code, text = c.mail(body=b"Subject: x\r\n\r\n" + b"y" * 70 + (b"z" * 70 + b"\r\n") * 100)
            assert (code, text[:5]) == (552, "5.3.4")
            assert c.mail(body=b"Subject: x\r\n\r\n" + b"y" * 70 + b"\r\n")[0] == 250
        assert len(b.messages) == 1
