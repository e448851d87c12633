"""Filters that are off, and on for the mail of a policy; and the other way round."""
import re
import subprocess

import pytest
from fake_backend import FakeBackend
from fake_clamd import FakeClamd
from gatehouse import Client, Gatehouse

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"
ZONE = "example.net. 60 IN A 192.0.2.1\nforged.example. 60 IN TXT \"v=spf1 -all\"\n"


@pytest.fixture
def gate(tmp_path):
    with FakeBackend() as backend, FakeClamd(tmp_path / "clamd", {EICAR: "Eicar-Signature"}) as clamd:
        def start(extra):
            g = Gatehouse(tmp_path / "gate", backend=backend.port, dns=f'zone-file = "{tmp_path / "zone"}"', extra=extra.replace(
                "CLAMD", f'address = "unix:{tmp_path}/clamd"') + "\nnetworks { trusted = {10.0.0.1} internal = {10.0.0.1} }")
            (tmp_path / "zone").write_text(ZONE)
            g.backend, g.clamd = backend, clamd
            g.start()
            start.gates.append(g)
            return g

        start.gates = []
        yield start
        for g in start.gates:
            g.stop()


def send(g, *rcpt, sender="ada@example.net", body=b"hi"):
    """The codes of each RCPT, and of the content (None: not sent)."""
    with Client(g.port) as c:
        c.hello()
        assert c.code(f"MAIL FROM:<{sender}>") == 250
        codes = [c.code(f"RCPT TO:<{r}>") for r in rcpt]
        if 250 not in codes:
            return codes, None
        assert c.code("DATA") == 354
        c.send(b"From: ada@example.net\r\nSubject: x\r\n\r\n" + body + b"\r\n.\r\n")
        return codes, c.reply()[0]


def test_scanner_for_some(gate):
    g = gate("filter clamd { CLAMD }\npolicy safe { recipients = {bob@example.org} use = {clamd} }")
    assert send(g, "eve@example.org", body=EICAR) == ([250], 250)
    assert g.clamd.seen == [], "nobody of this mail wants it scanned"
    assert send(g, "bob@example.org", body=EICAR) == ([250], 550)
    assert send(g, "bob@example.org") == ([250], 250)
    assert len(g.clamd.seen) == 2
    # What can end in different ways comes in two mails.
    assert send(g, "eve@example.org", "bob@example.org", body=EICAR) == ([250, 452], 250)
    assert len(g.clamd.seen) == 2


def test_greylist_for_some(gate):
    g = gate("filter greylist { mode = always }\npolicy wary { recipients = {bob@example.org} use = {greylist} }")
    assert send(g, "eve@example.org") == ([250], 250)
    assert send(g, "bob@example.org") == ([451], None)
    assert send(g, "eve@example.org", "bob@example.org")[0] == [250, 451]


def test_skipped_is_not_counted(gate):
    g = gate("filter rate { enabled = on client = 1 }\nfilter greylist { enabled = on mode = always }\n"
             "policy free { recipients = {bob@example.org} skip = {rate, greylist} }")
    for _ in range(3):
        assert send(g, "bob@example.org") == ([250], 250)
    assert send(g, "eve@example.org") == ([451], None), "what bob got is not counted"
    assert send(g, "eve@example.org") == ([450], None)


def test_authentication_for_some(gate):
    """A filter of many phases."""
    g = gate("filter spf { enabled = off }\npolicy strict { recipients = {bob@example.org} use = {spf} actions = {\"SPF_FAIL=reject\"} }")
    assert send(g, "eve@example.org", sender="x@forged.example") == ([250], 250)
    assert "SPF_FAIL" not in g.backend.messages[0]["data"].split(b"X-Spam-Status: ")[1].split(b"\r\n\r\n")[0].decode()
    assert g.wait_log(r"hits=.SPF_FAIL\(2\.00 off\),")
    mail = re.search(r"id (\w{12})\b", g.backend.messages[0]["data"].decode())[1]
    out = subprocess.run([g.program, "why", "-c", str(g.conf), mail], capture_output=True, text=True).stdout
    assert re.search(r"(?m)^hit +SPF_FAIL .* off for this policy: ", out), out
    assert send(g, "bob@example.org", sender="x@forged.example") == ([550], None)


def test_rules_for_some(gate, tmp_path):
    """What rules find is the filter content's."""
    (tmp_path / "own.cf").write_text("body HI /hi/\nscore HI 20\n")
    g = gate(f'rules {{ paths = {{"{tmp_path}/own.cf"}} }}\npolicy none {{ recipients = {{bob@example.org}} skip = {{content}} }}')
    assert send(g, "eve@example.org") == ([250], 554)
    assert send(g, "bob@example.org") == ([250], 250)


def test_policy_in_shadow_sees_what_it_would(gate):
    g = gate("filter clamd { CLAMD }\npolicy trial { shadow = on use = {clamd} }")
    assert send(g, "eve@example.org", body=EICAR) == ([250], 250)
    assert g.wait_log("transaction .*shadow_policy=trial would=reject")


def test_reputation_of_others_is_not_learnt(gate):
    g = gate("filter reputation { messages = 1 }\nfilter iprev { enabled = off }\npolicy some { recipients = {bob@example.org} use = {reputation} }")
    for _ in range(2):
        assert send(g, "eve@example.org") == ([250], 250)
    assert send(g, "bob@example.org") == ([250], 250)
    assert not g.wait_log("REPUTATION_GOOD", 0.3)
    assert send(g, "bob@example.org") == ([250], 250)
    assert g.wait_log("REPUTATION_GOOD")


@pytest.mark.parametrize("policy,want", [
    ("use = {nothing}", "use: there is no filter nothing"), ("use = {spf} skip = {spf}", "use: skip has spf too"),
    ("greylist = 3", "greylist: filter greylist is off"), ("use = {greylist} greylist = 3", None),
])
def test_check(gate, tmp_path, policy, want):
    (tmp_path / "c").write_text(f"hostname = gate.example.org\npolicy one {{ recipients = {{bob@example.org}} {policy} }}\n")
    done = subprocess.run([Gatehouse(tmp_path / "g").program, "check", "-c", str(tmp_path / "c")], capture_output=True, text=True)
    out = done.stdout + done.stderr
    assert want in out if want else "greylist: " not in out, out
