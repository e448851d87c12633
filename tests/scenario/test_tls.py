"""TLS on both sides, AUTH relayed, the PROXY protocol, the held greeting."""
import base64
import re
import smtplib
import socket
import ssl
import struct
import subprocess
import threading
import time

import certificates
import pytest
from fake_backend import FakeBackend
from gatehouse import Client, Gatehouse, free_port


class AuthBackend(FakeBackend):
    """Knows ada with the password secret; PLAIN, LOGIN and a challenge."""

    EHLO = FakeBackend.EHLO.replace(b"250 ENHANCED", b"250-AUTH PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256-PLUS EXTERNAL\r\n250 ENHANCED")

    def _say(self, c, stage, normal=None):
        if stage != "AUTH":
            return super()._say(c, stage, normal)
        line = self.commands[-1].split(" ")
        f = c.makefile("rb")

        def ask(challenge):
            c.sendall(b"334 " + challenge + b"\r\n")
            got = f.readline().strip()
            self.commands.append("(response)")
            return got
        if line[1] == "PLAIN":
            response = line[2].encode() if len(line) > 2 else ask(b"")
            ok = response != b"*" and base64.b64decode(response) == b"\0ada\0secret"
        else:
            response = ask(base64.b64encode(b"Username:"))
            ok = response != b"*" and base64.b64decode(response) == b"ada"
            ok = ok and base64.b64decode(ask(base64.b64encode(b"Password:"))) == b"secret"
        if response == b"*":
            c.sendall(b"501 5.7.0 cancelled\r\n")
        else:
            c.sendall(b"235 2.7.0 welcome\r\n" if ok else b"535 5.7.8 no\r\n")
        return True


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certs")
    return certificates.make(folder), certificates.make(folder, "other.example.org")


def tls_section(certs):
    (c1, k1), (c2, k2) = certs
    return f"""tls default {{ certificate = "{c1}" key = "{k1}" }}
tls other {{ certificate = "{c2}" key = "{k2}" names = {{other.example.org}} }}
"""


@pytest.fixture
def gate(place, certs):
    smtps, submission = free_port(), free_port()
    extra = tls_section(certs) + f"""
listen smtps {{ address = 127.0.0.1:{smtps} tls = implicit certificate = default }}
listen submission {{ address = 127.0.0.1:{submission} tls = starttls certificate = default role = submission }}
"""
    with AuthBackend() as backend, Gatehouse(place / "g", backend=backend.port, extra=extra,
                                             listen_settings="tls = starttls\n  certificate = default") as g:
        assert g.wait_log("ready")
        g.backend, g.smtps, g.submission = backend, smtps, submission
        end = time.time() + 5
        while "8BITMIME" not in Client(g.port).hello() and time.time() < end:
            time.sleep(0.05)
        yield g


def unchecked():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def test_starttls_and_implicit(gate):
    with smtplib.SMTP("127.0.0.1", gate.port) as s:
        s.ehlo("c.example.net")
        assert s.has_extn("starttls") and not s.has_extn("auth")
        s.starttls(context=unchecked())
        s.ehlo("c.example.net")
        assert not s.has_extn("starttls")
        s.sendmail("a@example.net", ["b@example.org"], b"Subject: tls\r\n\r\n" + b"x" * 70 + b"\r\n" * 100000)
    with smtplib.SMTP_SSL("127.0.0.1", gate.smtps, context=unchecked()) as s:
        s.sendmail("a@example.net", ["b@example.org"], b"Subject: tls\r\n\r\nimplicit\r\n")
    assert len(gate.backend.messages) == 2
    assert re.search(rb"^Received: from c\.example\.net .*\r\n\t\(using TLSv1\.3 with cipher \S+ \(\d+ bits\)\)\r\n"
                     rb"\tby gate\.example\.org \(Gatehouse\) with ESMTPS id ", gate.backend.messages[0]["data"])
    assert gate.wait_log("tls=TLSv1.3")


def test_state_is_forgotten_by_starttls(gate):
    with smtplib.SMTP("127.0.0.1", gate.port) as s:
        s.ehlo("c.example.net")
        s.mail("a@example.net")
        assert s.docmd("STARTTLS")[0] in (220, 503)
    with smtplib.SMTP("127.0.0.1", gate.port) as s:
        s.ehlo("c.example.net")
        s.starttls(context=unchecked())
        assert s.docmd("MAIL FROM:<a@example.net>")[0] == 503


def test_a_login_in_the_clear_is_forgotten_by_starttls(place, certs):
    with AuthBackend() as backend, Gatehouse(place / "g", backend=backend.port, extra=tls_section(certs),
                                             listen_settings="tls = starttls\n certificate = default\n"
                                                             " auth-without-tls = yes") as g:
        with smtplib.SMTP("127.0.0.1", g.port) as s:
            s.ehlo("c.example.net")
            s.login("ada", "secret")
            s.starttls(context=unchecked())
            s.ehlo("c.example.net")
            s.mail("ada@example.org")
            assert s.rcpt("friend@elsewhere.example")[0] == 550


def test_injection_before_tls_is_refused(gate):
    with Client(gate.port) as c:
        c.hello()
        c.send(b"STARTTLS\r\nMAIL FROM:<evil@example.net>\r\n")
        code, _ = c.reply()
        assert code == 503 and c.at_end()
    for answer in ("STARTTLS x",):
        with Client(gate.port) as c:
            c.hello()
            assert c.code(answer) == 501


def test_sni(gate):
    for name in ("gate.example.org", "other.example.org"):
        out = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{gate.smtps}", "-servername", name],
                             input=b"QUIT\r\n", capture_output=True).stdout.decode()
        assert f"CN = {name}" in out


@pytest.mark.parametrize("oldest,works,fails", [("1.0", "-tls1", None), ("1.1", "-tls1_1", "-tls1"), ("1.2", "-tls1_2", "-tls1_1"),
                                                ("1.3", "-tls1_3", "-tls1_2")])
def test_the_oldest_version_is_the_one_set(place, certs, oldest, works, fails):
    with FakeBackend() as backend, Gatehouse(
            place / "g", backend=backend.port, listen_settings="tls = starttls\n certificate = default",
            extra=tls_section(certs).replace("tls default {", f'tls default {{ min-version = "{oldest}" ', 1)) as g:
        for version, want in ((works, True), (fails, False)):
            out = subprocess.run(["openssl", "s_client", "-starttls", "smtp", "-connect", f"127.0.0.1:{g.port}", version or works] +
                                 ["-cipher", "DEFAULT:@SECLEVEL=0"], input=b"QUIT\r\n", capture_output=True).stdout.decode()
            assert version is None or ("New, TLS" in out) == want, (version, out)


def test_ciphers_of_both_versions(place, certs):
    """What is set is what is taken; what OpenSSL doesn't know is refused at its line."""
    settings = 'ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256" ciphersuites = "TLS_CHACHA20_POLY1305_SHA256"'
    text = tls_section(certs).replace("tls default {", "tls default { " + settings, 1)
    with FakeBackend() as backend, Gatehouse(place / "g", backend=backend.port, extra=text,
                                             listen_settings="tls = starttls\n certificate = default") as g:
        for version, cipher in (("-tls1_2", "ECDHE-ECDSA-AES128-GCM-SHA256"), ("-tls1_3", "TLS_CHACHA20_POLY1305_SHA256")):
            out = subprocess.run(["openssl", "s_client", "-starttls", "smtp", "-connect", f"127.0.0.1:{g.port}", version],
                                 input=b"QUIT\r\n", capture_output=True).stdout.decode()
            assert f"Cipher is {cipher}" in out
        for old, new in (("TLS_CHACHA20_POLY1305_SHA256", "TLS_NONE"), ("ECDHE-ECDSA-AES128-GCM-SHA256", "NONE-SUCH")):
            g.conf.write_text(g.text.replace(old, new))
            out = subprocess.run([g.program, "check", "-c", str(g.conf)], capture_output=True, text=True)
            assert out.returncode == 78 and re.search(r"gatehouse.conf:\d+: ciphers.*" + new, out.stdout + out.stderr), out
        g.conf.write_text(g.text)


@pytest.mark.parametrize("settings,want", [("", None), ("tls-min-version = 1.0", "TLSv1"), ("tls-min-version = 1.3", None),
                                           ("tls-min-version = 1.1", None), ("tls-ciphers = AES128-SHA", None)])
def test_an_old_backend(place, certs, settings, want):
    """One that knows nothing later than TLS 1.0, for who must."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certs[0])
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
    versions = []

    class Old(FakeBackend):
        def _serve(self, c):
            try:
                tls = context.wrap_socket(c, server_side=True)
                versions.append(tls.version())
                super()._serve(tls)
            except OSError:
                pass
    with Old() as backend, Gatehouse(place / "g", backend=backend.port, backend_settings=f"tls = required\n tls-implicit = yes\n {settings}"
                                     ) as g, Client(g.port) as c:
        c.hello()
        assert c.mail()[0] == (250 if want else 451)
        assert set(versions) == ({want} if want else set())


def test_rubbish_instead_of_a_handshake(gate):
    with Client(gate.smtps, greet=False) as c:
        c.send(b"EHLO x\r\n")
        assert c.at_end()
    with Client(gate.port) as c:
        c.hello()
        assert c.code("STARTTLS") == 220
        c.send(b"not a handshake\r\n" * 10)
        assert c.at_end() or c.at_end()  # an alert may come first
    assert Client(gate.port).hello()


def login(gate, port, user, password, method):
    s = smtplib.SMTP("127.0.0.1", port)
    s.ehlo("c.example.net")
    s.starttls(context=unchecked())
    s.ehlo("c.example.net")
    assert s.esmtp_features["auth"].split() == ["PLAIN", "LOGIN", "CRAM-MD5"]
    s.user, s.password = user, password
    return s, s.auth(method, getattr(s, "auth_" + method.lower()), initial_response_ok=method == "PLAIN")


@pytest.mark.parametrize("method", ["PLAIN", "LOGIN"])
def test_auth(gate, method):
    s, (code, _) = login(gate, gate.port, "ada", "secret", method)
    assert code == 235
    # Who has authenticated may relay.
    s.sendmail("ada@example.org", ["friend@elsewhere.example"], b"Subject: out\r\n\r\nx\r\n")
    s.sendmail("ada@example.org", ["friend@elsewhere.example"], b"Subject: out\r\n\r\ny\r\n")
    assert s.docmd("AUTH PLAIN x")[0] == 503
    s.quit()
    assert len(gate.backend.messages) == 2
    assert b"with ESMTPSA id" in gate.backend.messages[0]["data"]
    assert gate.wait_log("user=ada")
    assert not [x for x in gate.lines if "secret" in x or base64.b64encode(b"\0ada\0secret").decode() in x]


def test_auth_refused(gate):
    with pytest.raises(smtplib.SMTPAuthenticationError):
        login(gate, gate.port, "ada", "wrong", "PLAIN")
    with smtplib.SMTP("127.0.0.1", gate.port) as s:
        s.ehlo("c")
        assert s.docmd("AUTH PLAIN AGFkYQBzZWNyZXQ=")[0] == 538  # not in the clear
        s.starttls(context=unchecked())
        s.ehlo("c.example.net")
        assert s.docmd("AUTH EXTERNAL =")[0] == 504
        assert s.docmd("AUTH SCRAM-SHA-256-PLUS =")[0] == 504
        assert s.docmd("AUTH")[0] == 501
        assert s.docmd("AUTH LOGIN")[0] == 334
        assert s.docmd("*")[0] == 501
        assert s.docmd("MAIL FROM:<a@example.net>")[0] == 250
        assert s.docmd("RCPT TO:<x@elsewhere.example>")[0] == 550


def test_submission_wants_authentication(gate):
    with smtplib.SMTP("127.0.0.1", gate.submission) as s:
        s.ehlo("c.example.net")
        assert s.docmd("MAIL FROM:<ada@example.org>")[0] == 530
    s, (code, _) = login(gate, gate.submission, "ada", "secret", "PLAIN")
    assert code == 235
    s.sendmail("ada@example.org", ["friend@elsewhere.example"], b"From: ada@example.org\r\nSubject: out\r\n\r\nx\r\n")


def test_lost_authenticated_connection_is_no_bounce(gate):
    s, _ = login(gate, gate.port, "ada", "secret", "PLAIN")
    for conn in gate.backend.open:
        try:
            conn.shutdown(2)
        except OSError:
            pass
    time.sleep(0.2)
    assert s.docmd("MAIL FROM:<ada@example.org>")[0] == 250
    assert s.docmd("RCPT TO:<x@elsewhere.example>")[0] == 451


def test_tls_to_the_backend(place, certs):
    """A relay that speaks TLS before the fake: what the settings want holds."""
    (cert, key), (other, _) = certs
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    class TlsBackend(FakeBackend):
        EHLO = FakeBackend.EHLO.replace(b"250 ENH", b"250-STARTTLS\r\n250 ENH")
        implicit = False

        def _serve(self, c):
            if not self.implicit:
                return super()._serve(c)
            try:
                return super()._serve(context.wrap_socket(c, server_side=True))
            except OSError:
                return None

        def _dialogue(self, c):
            self.encrypted = isinstance(c, ssl.SSLSocket)
            super()._dialogue(c)


    class StartTls(TlsBackend):
        def _say(self, c, stage, normal=None):
            if stage == "STAR":
                c.sendall(b"220 go\r\n")
                self.encrypted = True
                self.wrapped = context.wrap_socket(c.dup(), server_side=True)
                FakeBackend._dialogue(self, self.wrapped)
                return False
            if isinstance(c, ssl.SSLSocket) and stage == "banner":
                return True
            if isinstance(c, ssl.SSLSocket) and stage == "EHLO":
                normal = FakeBackend.EHLO
            return super()._say(c, stage, normal)

    good = certificates.fingerprint(cert)
    cases = [(StartTls, "tls = opportunistic", 250), (StartTls, "tls = required", 250),
             (StartTls, f'tls = verified tls-fingerprints = {{"{good}"}}', 250),
             (StartTls, f'tls = verified tls-fingerprints = {{"{certificates.fingerprint(other)}"}}', 451),
             (StartTls, f'tls = verified tls-ca = "{cert}" tls-name = gate.example.org', 250),
             (StartTls, f'tls = verified tls-ca = "{cert}" tls-name = wrong.example.org', 451),
             (StartTls, "tls = verified tls-name = gate.example.org", 451),
             (FakeBackend, "tls = opportunistic", 250), (FakeBackend, "tls = required", 451)]
    for i, (kind, settings, want) in enumerate(cases):
        settings = settings.replace(" tls-", "\n tls-")
        with kind() as backend, Gatehouse(place / f"g{i}", backend=backend.port, backend_settings=settings) as g:
            with Client(g.port) as c:
                c.hello()
                code, text = c.mail()
                assert code == want, (settings, code, text, g.log())
            if want == 250 and kind is not FakeBackend:
                assert backend.encrypted
    TlsBackend.implicit = True
    with TlsBackend() as backend, Gatehouse(place / "imp", backend=backend.port,
                                            backend_settings="tls = required\n tls-implicit = yes") as g:
        with Client(g.port) as c:
            c.hello()
            assert c.mail()[0] == 250
        assert backend.encrypted


def test_a_backends_own_authorities_only(place, certs):
    """Those that another backend trusts are nothing to this one."""
    (cert, key), (other, _) = certs
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    class Tls(FakeBackend):
        def _serve(self, c):
            try:
                super()._serve(context.wrap_socket(c, server_side=True))
            except OSError:
                pass
    settings = f'tls = verified\n tls-implicit = yes\n tls-name = gate.example.org\n tls-ca = "%s"'
    for ca, want in ((other, 451), (cert, 250)):
        with Tls() as backend, Gatehouse(
                place / f"g{want}", backend=backend.port, backend_settings=settings % ca, listen_settings="backends = {main}",
                extra=f'backend second {{ address = 127.0.0.1:{free_port()} {settings % cert} }}') as g:
            with Client(g.port) as c:
                c.hello()
                assert c.mail()[0] == want, g.log()


@pytest.mark.parametrize("answer", [b"454 4.7.0 no certificate today\r\n", b"220 go\r\nthis is no handshake\r\n", b"220 go\r\n"],
                         ids=["refused", "rubbish", "closed"])
@pytest.mark.parametrize("how,want", [("opportunistic", 250), ("required", 451)])
def test_a_backend_whose_tls_does_not_work(place, answer, how, want):
    """Opportunistic means: the mail goes without; and what EHLO said is known."""
    def starttls(c, f):
        c.sendall(answer)
        return len(answer) > 10 and answer[:3] != b"220"
    ehlo = FakeBackend.EHLO.replace(b"250 ENH", b"250-STARTTLS\r\n250-DSN\r\n250 ENH")
    with FakeBackend({"STAR": starttls}, ehlo=ehlo) as backend, Gatehouse(
            place / "g", backend=backend.port, backend_settings=f"tls = {how}\n max-connections = 1") as g:
        for _ in range(2):
            with Client(g.port) as c:
                c.hello()
                assert c.mail()[0] == want
        with Client(g.port) as c:
            assert ("DSN" in c.hello().split("\n")) == (want == 250)
        assert want == 451 or b"454" in answer or g.wait_log("going on without TLS")


def test_proxy_protocol_in(place):
    v2 = b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x21, 0x11]) + struct.pack(">H", 12) + socket.inet_aton("192.0.2.7") + \
        socket.inet_aton("192.0.2.25") + struct.pack(">HH", 4321, 25)
    heads = [(b"PROXY TCP4 192.0.2.7 192.0.2.25 4321 25\r\n", "192.0.2.7"),
             (b"PROXY TCP6 2001:db8::7 2001:db8::25 4321 25\r\n", "2001:db8::7"), (v2, "192.0.2.7"),
             (b"PROXY UNKNOWN\r\n", "127.0.0.1")]
    bad = [b"EHLO x\r\n", b"PROXY TCP4 nonsense\r\n", b"PROXY " + b"x" * 200, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff" + b"x" * 100]
    with FakeBackend() as backend, Gatehouse(place / "g", backend=backend.port,
                                             listen_settings="proxy-from = {127.0.0.0/8}") as g:
        for head, ip in heads:
            since = len(g.lines)
            for step in (1000, 1):
                with Client(g.port, greet=False) as c:
                    for at in range(0, len(head), step):
                        c.send(head[at:at + step])
                    assert c.reply()[0] == 220
                    c.hello()
                    assert c.mail()[0] == 250
            assert g.wait_log(f"client={ip} ", since=since)
        for head in bad:
            with Client(g.port, greet=False) as c:
                c.send(head)
                assert c.reply()[0] in (421, 0)


def hello_of(context):
    """A client's handshake in the making: (the object, what it reads, what it writes)."""
    came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(came, goes)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return tls, came, goes


@pytest.mark.parametrize("cut", [0, 5, 100, None], ids=str)
def test_a_balancers_header_and_the_handshake_in_one_go(place, certs, cut):
    """A balancer sends what it has: the header, and as much of the ClientHello as came with it."""
    port = free_port()
    with FakeBackend() as backend, Gatehouse(
            place / "g", backend=backend.port, extra=tls_section(certs) +
            f"listen smtps {{ address = 127.0.0.1:{port} tls = implicit certificate = default proxy-from = {{127.0.0.1/32}} }}") as g:
        tls, came, goes = hello_of(unchecked())
        hello = goes.read()
        with socket.create_connection(("127.0.0.1", port), 10) as s:
            s.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.25 4321 25\r\n" + hello[:cut])
            if cut is not None:
                time.sleep(0.1)
                s.sendall(hello[cut:])

            def until(step):
                while True:
                    try:
                        done = step()
                        s.sendall(goes.read())
                        return done
                    except ssl.SSLWantReadError:
                        s.sendall(goes.read())
                        data = s.recv(65536)
                        assert data
                        came.write(data)
            until(tls.do_handshake)
            assert until(lambda: tls.read(1000)).startswith(b"220 ")
            tls.write(b"QUIT\r\n")
            assert until(lambda: tls.read(1000)).startswith(b"221 ")
        # More than a handshake begins with is none.
        tls, came, goes = hello_of(unchecked())
        with socket.create_connection(("127.0.0.1", port), 10) as s:
            s.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.25 4321 25\r\n" + goes.read() + b"EHLO x\r\n" * 20)
            try:
                while s.recv(10000):
                    pass
            except ConnectionError:
                pass
        assert g.wait_log("client=192.0.2.7 .*handshake failed")


def test_proxy_protocol_of_mapped_addresses_and_by_a_unix_socket(place):
    """An IPv4 address in IPv6's clothes is an IPv4 address; a balancer may sit on a unix socket."""
    mapped = b"\0" * 10 + b"\xff\xff"
    v2 = b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x21, 0x21]) + struct.pack(">H", 36) + mapped + socket.inet_aton("192.0.2.7") + \
        mapped + socket.inet_aton("192.0.2.25") + struct.pack(">HH", 4321, 25)
    with FakeBackend() as backend, Gatehouse(
            place / "g", backend=backend.port, listen_settings="proxy-from = {127.0.0.0/8}",
            extra=f'listen sock {{ address = "unix:{place}/smtp" proxy-from = {{127.0.0.0/8}} }}') as g:
        for head in (v2, b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:192.0.2.25 4321 25\r\n"):
            for where in (("127.0.0.1", g.port), f"{place}/smtp"):
                since = len(g.lines)
                s = socket.socket(socket.AF_UNIX if isinstance(where, str) else socket.AF_INET)
                s.settimeout(10)
                s.connect(where)
                c = Client.__new__(Client)
                c.sock, c.file = s, s.makefile("rb")
                c.send(head)
                assert c.reply()[0] == 220
                c.hello()
                assert c.mail()[0] == 250
                c.close()
                assert g.wait_log("client=192.0.2.7 ", since=since), g.log()


def test_identity_to_the_backend(place):
    ehlo = FakeBackend.EHLO.replace(b"250 ENH", b"250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN\r\n250-XFORWARD NAME ADDR PORT PROTO HELO\r\n250 ENH")

    class X(FakeBackend):
        def _dialogue(self, c):
            first = c.recv(6, socket.MSG_PEEK) if self.proxy else b""
            if first.startswith(b"PROXY"):
                self.commands.append(c.makefile("rb", 0).readline().decode().strip())
            super()._dialogue(c)
        proxy = False

    for how, expect in (("xclient", "XCLIENT NAME="), ("xforward", "XFORWARD NAME="), ("proxy-v1", "PROXY TCP4 127.0.0.1")):
        X.proxy = how == "proxy-v1"
        script = {"XCLI": b"220 again\r\n", "XFOR": b"250 ok\r\n"}
        with X(script, ehlo=ehlo) as backend, Gatehouse(place / how, backend=backend.port,
                                                        backend_settings=f"client-info = {how}") as g:
            with Client(g.port) as c:
                c.hello("who.example.net")
                assert c.mail()[0] == 250
                assert c.mail()[0] == 250
            told = [x for x in backend.commands if x.startswith(expect.split(" ")[0])]
            assert told and all(x.startswith(expect) for x in told[-1:]), backend.commands
            if how != "proxy-v1":
                assert "ADDR=127.0.0.1" in told[-1] and "HELO=who.example.net" in told[-1]


def test_held_greeting(place):
    with FakeBackend() as backend, Gatehouse(place / "g", backend=backend.port,
                                             listen_settings="greeting-delay = 1s",
                                             extra="networks { trusted = {192.0.2.0/24} internal = {192.0.2.0/24} }") as g:
        start = time.time()
        with Client(g.port) as c:
            assert 0.8 < time.time() - start < 3
            c.hello()
            assert c.mail()[0] == 250


def test_reload_with_a_bad_key_keeps_the_old(gate, certs):
    import signal
    good = gate.conf.read_text()
    gate.conf.write_text(good.replace(str(certs[0][1]), str(certs[1][1])))
    since = len(gate.lines)
    gate.process.send_signal(signal.SIGHUP)
    assert gate.wait_log("refused; the old", since=since)
    assert Client(gate.port).hello()
    gate.conf.write_text(good)
    since = len(gate.lines)
    gate.process.send_signal(signal.SIGHUP)
    assert gate.wait_log("event=ready", since=since)
