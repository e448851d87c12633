"""The same mails by every feature of the client's side, to every kind of real
backend: what arrives is what was sent, and what a backend lacks is neither
offered nor sent to it. And who the client is, as real servers see it."""
import base64
import hashlib
import hmac
import os
import re
import smtplib
import socket
import ssl
import subprocess
import time

import certificates
import pytest
from fake_backend import FakeBackend
from gatehouse import Client, Gatehouse, free_port
from postfix import Postfix
from servers import Dovecot, Exim


class BareBackend(FakeBackend):
    """Knows HELO and nothing else."""

    def _say(self, c, stage, normal=None):
        return super()._say(c, "EHLO refused" if stage == "EHLO" else stage, normal if stage != "EHLO" else b"500 what\r\n")


ZONE = """example.net. 60 IN A 192.0.2.1
9.0.0.127.in-addr.arpa. 60 IN PTR client.example.net.
client.example.net. 60 IN A 127.0.0.9
"""

SMTPD = "127.0.0.1:{} inet n - n - - smtpd\n"
DISCARD = "8bitmime, size, smtputf8, dsn, chunking, pipelining, etrn, vrfy, enhancedstatuscodes"


class World:
    """One Gatehouse with a listener for each kind of backend."""

    def __init__(self, folder):
        self.folder = folder
        self.ports = {}
        for name in ("postfix", "discard", "bare", "exim", "lmtp", "xclient", "haproxy1", "haproxy2", "sasl"):
            self.ports[name] = free_port()

    def services(self):
        self.p = {name: free_port() for name in ("discard", "xclient", "haproxy", "sasl")}
        return (SMTPD.format(self.p["discard"]) + f"  -o {{smtpd_discard_ehlo_keywords={DISCARD}}}\n" +
                SMTPD.format(self.p["xclient"]) + "  -o smtpd_authorized_xclient_hosts=127.0.0.0/8\n" +
                SMTPD.format(self.p["haproxy"]) + "  -o smtpd_upstream_proxy_protocol=haproxy\n" +
                SMTPD.format(self.p["sasl"]) + f"""  -o smtpd_sasl_auth_enable=yes -o smtpd_sasl_type=dovecot
  -o smtpd_sasl_path={self.folder}/dovecot/auth-client -o smtpd_sasl_security_options=noanonymous
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
""")

    def config(self):
        b = {"postfix": (self.postfix.port, ""), "discard": (self.p["discard"], ""), "bare": (self.bare.port, ""),
             "lmtp": (self.dovecot.port, "protocol = lmtp"), "xclient": (self.p["xclient"], "client-info = xclient"),
             "haproxy1": (self.p["haproxy"], "client-info = proxy-v1"),
             "haproxy2": (self.p["haproxy"], "client-info = proxy-v2"), "sasl": (self.p["sasl"], "client-info = none")}
        if self.exim:
            b["exim"] = (self.exim.port, "")
        text = f'tls default {{ certificate = "{self.cert}" key = "{self.key}" }}\n'
        text += "policy default { tag = off reject = off }\n"
        for name, (port, settings) in b.items():
            role = "submission" if name == "sasl" else "mx"
            text += f"backend {name} {{ address = 127.0.0.1:{port}\n {settings} }}\n"
            text += (f"listen {name} {{ address = 127.0.0.1:{self.ports[name]} tls = starttls certificate = default\n"
                     f" backends = {{{name}}} role = {role} }}\n")
        return text

    def ready(self, name, keyword):
        end = time.time() + 15
        while time.time() < end:
            with Client(self.ports[name]) as c:
                if keyword in c.hello():
                    return True
            time.sleep(0.1)
        return False

    def mails(self, name):
        """All the mails at that backend."""
        if name == "bare":
            return [m["data"] for m in self.bare.messages]
        place = {"lmtp": self.dovecot, "exim": self.exim}.get(name, self.postfix)
        return [f.read_bytes() for f in place.files()]

    def wait(self, name, number, seconds=30):
        """The mail with that number."""
        end = time.time() + seconds
        while time.time() < end:
            for mail in self.mails(name):
                if b"X-Test-Number: %d\r\n" % number in mail or b"X-Test-Number: %d\n" % number in mail:
                    return mail
            if name == "exim":
                self.exim.flush()
            time.sleep(0.1)
        return None


@pytest.fixture(scope="module")
def world(module_place):
    folder = module_place
    w = World(folder)
    w.cert, w.key = certificates.make(folder / "certs")
    with Dovecot(folder / "dovecot") as w.dovecot, BareBackend() as w.bare, Postfix(
            folder / "pf", domains="example.org elsewhere.example", services=w.services(),
            extra="smtputf8_enable = yes\nsmtputf8_autodetect_classes = bounce") as w.postfix:
        w.exim = None
        try:
            w.exim = Exim(folder / "exim").__enter__()
        except pytest.skip.Exception as e:
            print(e)
        try:
            with Gatehouse(folder / "g", backend=w.postfix.port, extra=w.config(),
                           limits="sessions-per-client = 500\n errors = 1000") as w.gate:
                w.gate.zone.write_text(ZONE)
                w.gate.stop()
                w.gate.lines.clear()
                w.gate.start()
                assert w.ready("postfix", "8BITMIME"), w.gate.log()
                yield w
        finally:
            if w.exim:
                w.exim.__exit__(None, None, None)


BODIES = [
    b"Subject: plain\r\n\r\nhello\r\n",
    b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\nend\r\n.\r\n",
    b"Subject: no body\r\n\r\n",
    b"Subject: 8bit\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
    b"\r\n" + "grüße, δοκιμή, تست\r\n".encode() * 40,
    b"Subject: folded\r\n  subject\r\n\twith a tab\r\n\r\n \r\n\t\r\n\r\nspaces at the end   \r\nFrom here\r\n>From there\r\n",
    b"Subject: long\r\n\r\n" + b"y" * 990 + b"\r\n" + b"z" * 80 + b"\r\n",
    b"Subject: big\r\n\r\n" + b"".join(b"line %d of many\r\n" % i for i in range(40000)),
]
counter = iter(range(1, 1 << 30))


def data(c, wire):
    assert c.code("DATA") == 354
    c.send(re.sub(rb"(?m)^\.", b"..", wire) + b".\r\n")
    return c.reply()


def chunks(c, wire):
    """Odd cuts, some between CR and LF; a last chunk of nothing."""
    at, replies = 0, 0
    while at < len(wire):
        size = [7, 1, 500, 70000][replies % 4]
        piece = wire[at:at + size]
        c.send(b"BDAT %d\r\n" % len(piece) + piece)
        assert c.reply()[0] == 250
        at, replies = at + size, replies + 1
    return c.cmd("BDAT 0 LAST")


def envelope(c, offered, sender="a@example.net", rcpt="bob@example.org", mail="", to=""):
    assert c.code(f"MAIL FROM:<{sender}>{mail}".encode()) == 250
    code, text = c.cmd(f"RCPT TO:<{rcpt}>{to}")
    assert code == 250, text
    assert offered


def by_helo(c, wire):
    assert c.code("HELO c.example.net") == 250
    envelope(c, True)
    return data(c, wire)


def by_all_parameters(c, wire):
    offered = c.hello()
    mail, to = f" SIZE={len(wire)}", ""
    if "8BITMIME" in offered:
        mail += " BODY=8BITMIME"
    if "DSN" in offered.split("\n"):
        mail, to = mail + " RET=HDRS ENVID=e+2B1", " NOTIFY=NEVER ORCPT=rfc822;bob@example.org"
    envelope(c, offered, mail=mail, to=to)
    return data(c, wire)


def by_pipelining(c, wire):
    c.hello()
    c.send("MAIL FROM:<a@example.net>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n")
    assert [c.reply()[0] for _ in range(3)] == [250, 250, 354]
    c.send(re.sub(rb"(?m)^\.", b"..", wire) + b".\r\n")
    return c.reply()


def by_chunks(c, wire):
    offered = c.hello()
    assert "CHUNKING" in offered
    envelope(c, offered)
    return chunks(c, wire)


def by_tls(c, wire):
    assert "STARTTLS" in c.hello()
    assert c.code("STARTTLS") == 220
    context = ssl._create_unverified_context()
    c.sock = context.wrap_socket(c.sock)
    c.file = c.sock.makefile("rb")
    envelope(c, c.hello())
    return data(c, wire)


def by_utf8(c, wire):
    offered = c.hello().split("\n")
    if "SMTPUTF8" not in offered:
        assert c.code("MAIL FROM:<ä@example.net> SMTPUTF8".encode()) == 555
        return None
    envelope(c, offered, sender="grüße@example.net", mail=" SMTPUTF8 BODY=8BITMIME")
    return data(c, wire)


FEATURES = [by_helo, by_all_parameters, by_pipelining, by_chunks, by_tls, by_utf8]


def from_number_on(mail):
    return mail[mail.index(b"X-Test-Number:"):].replace(b"\r\n", b"\n")


@pytest.mark.parametrize("backend", ["postfix", "discard", "bare", "exim", "lmtp"])
@pytest.mark.parametrize("feature", FEATURES, ids=lambda f: f.__name__)
def test_byte_for_byte(world, feature, backend):
    if backend == "exim" and world.exim is None:
        pytest.skip("skipped: no Exim")
    sent = {}
    for body in BODIES:
        number = next(counter)
        wire = b"X-Test-Number: %d\r\n" % number + body
        with Client(world.ports[backend], timeout=60) as c:
            reply = feature(c, wire)
        if reply is None:
            return  # refused rightly: this backend has none
        assert reply[0] == 250, reply[1]
        sent[number] = wire
    for number, wire in sent.items():
        mail = world.wait(backend, number)
        assert mail is not None, f"mail {number} has not arrived at {backend}\n" + world.gate.log()[-3000:]
        # Exim's maildir is a file of lines: it ends in one; as does a mail without a body.
        assert from_number_on(mail).rstrip(b"\n") == wire.replace(b"\r\n", b"\n").rstrip(b"\n")


def test_an_answer_for_each_recipient(world):
    """Exim's PRDR, and Dovecot's LMTP, which needs no PRDR for it."""
    for name, rcpts, want in (("exim", ["bob", "unwilling", "eve"], [353, 250, 550, 250, 250]),
                              ("lmtp", ["bob", "eve"], [353, 250, 250, 250])):
        if name == "exim" and world.exim is None:
            continue
        number = next(counter)
        with Client(world.ports[name]) as c:
            assert "PRDR" in c.hello().split("\n")
            assert c.code("MAIL FROM:<a@example.net> PRDR") == 250
            assert {c.code(f"RCPT TO:<{r}@example.org>") for r in rcpts} == {250}
            assert c.code("DATA") == 354
            c.send(b"X-Test-Number: %d\r\n\r\nx\r\n.\r\n" % number)
            assert [c.reply()[0] for _ in want] == want, world.gate.log()[-2000:]
        assert world.wait(name, number)


def test_what_is_offered(world):
    """What every backend has, and what ends with us."""
    for name, has, lacks in (("postfix", {"8BITMIME", "SMTPUTF8", "DSN"}, set()),
                             ("discard", set(), {"8BITMIME", "SMTPUTF8", "DSN"}),
                             ("bare", set(), {"8BITMIME", "SMTPUTF8", "DSN", "PRDR"}), ("lmtp", {"8BITMIME"}, {"DSN"})):
        with Client(world.ports[name]) as c:
            words = set(c.hello().split("\n"))
        assert has | {"PIPELINING", "CHUNKING", "ENHANCEDSTATUSCODES", "STARTTLS"} <= words, name
        assert not lacks & words, name


def client_from(address, port):
    c = Client.__new__(Client)
    c.sock = socket.create_connection(("127.0.0.1", port), 20, source_address=(address, 0))
    c.file = c.sock.makefile("rb")
    assert c.reply()[0] == 220
    return c


@pytest.mark.parametrize("name,seen", [
    ("xclient", rb"Received: from c\.example\.net \(client\.example\.net \[127\.0\.0\.9\]\)"),
    ("haproxy1", rb"Received: from gate\.example\.org \(unknown \[127\.0\.0\.9\]\)"),
    ("haproxy2", rb"Received: from gate\.example\.org \(unknown \[127\.0\.0\.9\]\)")])
def test_who_the_client_is(world, name, seen):
    """Postfix writes it into its own Received line."""
    for _ in range(2):
        number = next(counter)
        c = client_from("127.0.0.9", world.ports[name])
        c.hello("c.example.net")
        for _ in range(2):
            code, text = c.mail(body=b"X-Test-Number: %d\r\n\r\nx\r\n" % number)
            assert code == 250, text + world.gate.log()[-2000:]
        c.close()
        mail = world.wait(name, number)
        assert re.search(seen, re.sub(rb"\n[ \t]+", b" ", mail)), mail


def test_postfix_reads_what_version_2_says_of_tls(world):
    number = next(counter)
    c = client_from("127.0.0.9", world.ports["haproxy2"])
    assert by_tls(c, b"X-Test-Number: %d\r\n\r\nx\r\n" % number)[0] == 250, world.gate.log()[-2000:]
    assert b"[127.0.0.9]" in world.wait("haproxy2", number)


def test_the_backend_applies_its_own_rules_to_the_client(world):
    """With XCLIENT our address earns nobody anything: Postfix refuses to relay for the client."""
    with Client(world.p["xclient"]) as c:
        c.hello()
        assert c.code("MAIL FROM:<a@example.net>") == 250
        assert c.code("RCPT TO:<victim@far.example>") >= 450


def tls_session(world):
    s = smtplib.SMTP("127.0.0.1", world.ports["sasl"], timeout=20)
    s.ehlo("c.example.net")
    s.starttls(context=ssl._create_unverified_context())
    s.ehlo("c.example.net")
    return s


def scram(s, user, password, mechanism="SCRAM-SHA-256", name="sha256"):
    """RFC 5802, RFC 7677: the client's side."""
    first = f"n={user},r={base64.b64encode(os.urandom(12)).decode()}"
    code, answer = s.docmd("AUTH", mechanism + " " + base64.b64encode(b"n,," + first.encode()).decode())
    if code != 334:
        return code
    server = base64.b64decode(answer).decode()
    fields = dict(x.split("=", 1) for x in server.split(","))
    salted = hashlib.pbkdf2_hmac(name, password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
    key = hmac.new(salted, b"Client Key", name).digest()
    final = f"c=biws,r={fields['r']}"
    sign = hmac.new(hashlib.new(name, key).digest(), f"{first},{server},{final}".encode(), name).digest()
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, sign))).decode()
    code, answer = s.docmd(base64.b64encode(f"{final},p={proof}".encode()).decode())
    if code == 334:
        verify = base64.b64decode(answer).decode()
        want = hmac.new(hmac.new(salted, b"Server Key", name).digest(), f"{first},{server},{final}".encode(), name).digest()
        assert verify == "v=" + base64.b64encode(want).decode()
        code, _ = s.docmd("")
    return code


def test_auth_with_smtplib_and_scram(world):
    assert world.ready("sasl", "STARTTLS")
    s = tls_session(world)
    assert {"PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256"} <= set(s.esmtp_features["auth"].split())
    assert s.docmd("MAIL FROM:<ada@example.org>")[0] == 530
    with pytest.raises(smtplib.SMTPAuthenticationError):
        s.login("ada", "wrong")
    assert s.login("ada", "secret")[0] == 235
    number = next(counter)
    s.sendmail("ada@example.org", ["friend@elsewhere.example"],
               b"X-Test-Number: %d\r\nFrom: ada@example.org\r\n\r\nout\r\n" % number)
    assert world.wait("sasl", number)
    for mechanism, name in (("SCRAM-SHA-1", "sha1"), ("SCRAM-SHA-256", "sha256")):
        assert scram(tls_session(world), "ada", "wrong", mechanism, name) == 535
        s = tls_session(world)
        assert scram(s, "ada", "secret", mechanism, name) == 235
        number = next(counter)
        s.sendmail("ada@example.org", ["friend@elsewhere.example"],
                   b"X-Test-Number: %d\r\nFrom: ada@example.org\r\n\r\nout\r\n" % number)
        assert world.wait("sasl", number)
        assert world.gate.wait_log(f"ada by {mechanism}")
    assert not [x for x in world.gate.lines if "secret" in x]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_auth_with_swaks(world, mechanism):
    number = next(counter)
    cmd = ["swaks", "-s", f"127.0.0.1:{world.ports['sasl']}", "--tls", "-a", mechanism, "-au", "ada", "-f", "ada@example.org",
           "-t", "friend@elsewhere.example", "--h-From", "ada@example.org", "--add-header", f"X-Test-Number: {number}"]
    p = subprocess.run([*cmd, "-ap", "secret"], capture_output=True, text=True)
    assert p.returncode == 0, p.stdout + p.stderr
    assert world.wait("sasl", number)
    assert subprocess.run([*cmd, "-ap", "wrong"], capture_output=True).returncode == 28


OFFERS_PRDR = FakeBackend.EHLO.replace(b"250 ENHANCED", b"250-PRDR\r\n250 ENHANCED")


@pytest.mark.parametrize("chunking", ["", "*"])
def test_a_real_sender_understands_our_answers(place, chunking):
    """Exim asks for PRDR: who was refused by the policy of one recipient is bounced for that one alone."""
    def each(c, _):
        names = [r.split(b"<")[1].split(b">")[0] for r in backend.messages[-1]["rcpt"]]
        c.sendall(b"353 each\r\n" + b"".join(b"550 5.7.1 no\r\n" if n.startswith(b"no") else b"250 2.1.5 ok\r\n" for n in names)
                  + b"250 2.0.0 done\r\n" if len(names) > 1 else b"250 2.0.0 one\r\n")
        return True

    class Backend(FakeBackend):
        def _say(self, c, stage, normal=None):
            return each(c, None) if stage == "content" else super()._say(c, stage, normal)
    policies = """policy default { tag = off reject = off }
policy strict { recipients = {strict@example.org} scores = {"FROM_MISSING=50"} reject = 40 }
"""
    with Backend(ehlo=OFFERS_PRDR) as backend, Gatehouse(place / "g", backend=backend.port, extra=policies) as g, \
            Exim(place / "exim", to=g.port, chunking=chunking) as exim:
        with Client(exim.port) as c:
            c.hello()
            assert c.code("MAIL FROM:<a@example.net>") == 250
            for name in ("bob", "nobody", "strict", "eve"):
                assert c.code(f"RCPT TO:<{name}@example.org>") == 250
            assert c.code("DATA") == 354
            c.send(b"Subject: to four\r\n\r\nx\r\n.\r\n")
            assert c.reply()[0] == 250
        end = time.time() + 30
        while time.time() < end and exim.log().count("example.org> R=") + exim.log().count("@example.org R=") < 4:
            exim.flush()
            time.sleep(0.2)
        log = exim.log()
        marks = {m[1]: m[0] for m in re.findall(r"(=>|->|\*\*) (\w+)@example\.org", log)}
        assert {k: v == "**" for k, v in marks.items()} == {"bob": False, "nobody": True, "strict": True, "eve": False}, log + g.log()
        assert "PRDR" in log
        line = g.wait_log("event=transaction.*to=bob@example.org,!nobody@example.org,!strict@example.org,eve@example.org")
        assert line and "action=split" in line, g.log()
    assert [m["rcpt"] for m in backend.messages[:1]] == [[b"RCPT TO:<%s@example.org>" % n for n in (b"bob", b"nobody", b"eve")]]
