"""Virus scanning through the SMTP door and the command line, with a scripted clamd."""
import json
import subprocess
import time

import pytest
from fake_backend import FakeBackend
from fake_clamd import FakeClamd
from gatehouse import Client, Gatehouse

# EICAR's test string, in pieces: this file is not to be found itself.
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"


@pytest.fixture
def gate(tmp_path):
    with FakeBackend() as backend, FakeClamd(tmp_path / "clamd", {EICAR: "Eicar-Signature"}) as clamd:
        def start(more="", extra=""):
            g = Gatehouse(tmp_path / "gate", backend=backend.port, extra=f"""
filter clamd {{ enabled = on  address = "unix:{tmp_path}/clamd"  {more} }}
{extra}""")
            g.backend, g.clamd = backend, clamd
            g.start()
            start.gates.append(g)
            return g

        start.gates = []
        yield start
        for g in start.gates:
            g.stop()


def send(g, text=b"hello"):
    with Client(g.port) as c:
        c.hello()
        return c.mail(body=b"Subject: x\r\n\r\n" + text + b"\r\n")


def test_clean_and_found(gate):
    g = gate()
    assert send(g)[0] == 250
    assert g.clamd.seen[0].endswith(b"\r\nhello\r\n")
    code, text = send(g, EICAR)
    assert code == 550 and text.startswith("5.7.0 Message contains malware: Eicar-Signature (")
    assert len(g.backend.messages) == 1


def test_friends_are_no_exception(gate):
    g = gate(extra='list all { type = networks entries = {127.0.0.0/8} }\npolicy default { allow = {all} }')
    assert send(g, EICAR)[0] == 550


@pytest.mark.parametrize("behave", ["close", "error", "limit", "garbage", "silent"])
def test_trouble_is_a_setting(gate, behave):
    g = gate("timeout = 1s")
    g.clamd.behave = behave
    begin = time.time()
    code, text = send(g, b"x\r\n" * 700_000 if behave == "limit" else b"x")
    assert code == 451 and text.startswith("4.7.0 "), (code, text)
    assert time.time() - begin < 5
    g.clamd.behave = None
    assert send(g)[0] == 250


def test_trouble_skipped(gate):
    g = gate("timeout = 1s on-error = skip")
    g.clamd.behave = "close"
    assert send(g)[0] == 250
    assert g.wait_log(r"CLAMD_TEMPERROR\(0\.00\)")


def test_large_mail(gate):
    g = gate("max-size = 4mb")
    body = b"\r\n".join([b"y" * 70] * 40000)
    assert send(g, body)[0] == 250
    assert len(g.clamd.seen[0]) > 2_800_000 and g.clamd.seen[0].endswith(body + b"\r\n")
    assert send(g, body + b"\r\n" + body)[0] == 250
    assert g.wait_log("CLAMD_TOO_BIG") and len(g.clamd.seen) == 1


def test_client_gone_while_scanning(gate):
    g = gate("timeout = 20s")
    g.clamd.behave = "silent"
    with Client(g.port) as c:
        c.hello()
        for line in ("MAIL FROM:<ada@example.net>", "RCPT TO:<bob@example.org>", "DATA"):
            c.cmd(line)
        c.send(b"Subject: x\r\n\r\nx\r\n.\r\n")
        time.sleep(0.3)
    time.sleep(0.3)
    g.clamd.behave = None
    assert send(g)[0] == 250


def test_scan(gate, tmp_path):
    g = gate()
    mail = tmp_path / "mail.eml"
    mail.write_bytes(b"Subject: x\n\n" + EICAR + b"\n")
    done = subprocess.run([g.program, "scan", "-c", str(g.conf), "--json", str(mail)], capture_output=True, timeout=60)
    result = json.loads(done.stdout)
    assert result["action"] == "reject" and "CLAMD_FOUND" in [h["symbol"] for h in result["hits"]]
    assert done.returncode == 1
