"""The recipes of docs/milter.md, as they stand there, but for folders, names of users and ports."""
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from fake_backend import FakeBackend
from gatehouse import TOP, Client, Gatehouse, free_port
from postfix import Postfix
from sendmail import Sendmail

DOC = (TOP / "docs" / "milter.md").read_text()
BLOCKS = re.findall(r"(?:^    .*\n)+", DOC, re.M)
MAIL = b"From: ann@example.net\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-Id: <1@x>\r\nSubject: hello\r\n\r\nhi\r\n"
HELD = """
networks { trusted = {10.0.0.1}  internal = {10.0.0.1} }
policy held { recipients = {held@example.org}  quarantine = 1  scores = {"DKIM_NONE=2"} }
"""


def block(*words):
    """The one that holds these."""
    found = [b for b in BLOCKS if all(w in b for w in words)]
    assert len(found) == 1, (words, found)
    return re.sub(r"(?m)^    ", "", found[0])


@pytest.fixture(name="place")
def folder_for_servers():
    """With a short name: a socket's has 107 octets at most."""
    with tempfile.TemporaryDirectory(prefix="gh-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


class Installed(Gatehouse):
    """With a configuration of its own, run as root, its workers as another user."""

    def __init__(self, folder, conf):
        super().__init__(folder)
        os.chown(self.state, 65534, 65534)
        self.text = conf.replace("user = gatehouse", "user = nobody") + f"""
state {{ store = "lmdb:{self.state}/store"  directory = "{self.state}" }}
dns {{ zone-file = "{self.zone}" }}
{HELD}"""
        self.conf.write_text(self.text)


def wait_until(what, seconds=20):
    end = time.time() + seconds
    while time.time() < end and not what():
        time.sleep(0.05)
    return what()


def test_every_configuration_in_the_page_is_one(place):
    short = block("user = gatehouse")
    for text in (short, short.split("milter")[0] + block("/var/spool/postfix/gatehouse/milter.sock", "milter main")):
        g = Installed(place / "check", text.replace("socket-group = postfix", "socket-group = root"))
        p = subprocess.run([g.program, "check", "-c", str(g.conf)], capture_output=True, text=True)
        assert p.returncode == 0, p.stdout + p.stderr


def test_postfix_in_its_chroot(place):
    """Debian's way: smtpd goes into the queue's folder, and so does the socket."""
    queue, port = place / "pf" / "queue", free_port()

    def here(text):
        return text.replace("/var/spool/postfix", str(queue)).replace("chown gatehouse:", "chown nobody:")

    main_cf = block("smtpd_milters = unix:/gatehouse/milter.sock")
    with Postfix(place / "pf", extra=main_cf,
                 services=f"127.0.0.1:{port} inet n - y - - smtpd -o syslog_name=chrooted") as postfix:
        subprocess.run(["sh", "-ec", here(block("mkdir -p", "chown"))], check=True)
        conf = block("user = gatehouse").split("milter main")[0] + here(block("/var/spool/postfix/gatehouse/milter.sock", "milter main"))
        with Client(port) as c:  # nobody is there yet
            c.hello()
            assert c.mail()[0] == 451
        with Installed(place / "gate", conf) as gate, Client(port) as c:
            pids = gate.worker_pids()
            assert pids and all(os.stat(f"/proc/{pid}").st_uid == 65534 for pid in pids)
            c.hello()
            assert c.mail(body=MAIL)[0] == 250
            (mail,) = postfix.wait_mails(1)
            assert b"\nAuthentication-Results: mx.example.org;" in mail
            code, text = c.mail("held@example.org", body=MAIL)
            assert code == 250
            queue_id = re.search(r"queued as (\w+)", text).group(1)
            listed = subprocess.run(["postqueue", "-c", str(postfix.conf), "-p"], capture_output=True, text=True).stdout
            assert queue_id + "!" in listed
            gate_id = re.search(r" id=(\S+)", gate.wait_log(f"queue_id={queue_id}")).group(1)
            assert re.search(f"{queue_id}: milter-hold: ", postfix.log_text())
            for what in (gate_id, queue_id):
                why = subprocess.run([gate.program, "why", "-c", str(gate.conf), what], capture_output=True, text=True)
                assert why.returncode == 0 and why.stdout.startswith(f"= {gate_id} ") and "verdict quarantine" in why.stdout
            subprocess.run(["postsuper", "-c", str(postfix.conf), "-H", queue_id], check=True, capture_output=True)
            subprocess.run(["postqueue", "-c", str(postfix.conf), "-f"], check=True, capture_output=True)
            assert len(postfix.wait_mails(2)) == 2


def test_sendmail(place):
    sock = place / "run" / "milter.sock"
    sock.parent.mkdir()
    sock.parent.chmod(0o750)
    os.chown(sock.parent, 65534, 65534)
    filters = block("INPUT_MAIL_FILTER").replace("/run/gatehouse/milter.sock", str(sock)).strip() + "dnl"
    conf = block("user = gatehouse").replace("/run/gatehouse/milter.sock", str(sock)).replace("socket-group = postfix", "socket-mode = 0600")
    with FakeBackend() as backend, Sendmail(place / "sm", backend.port, "", filters=filters) as sendmail:
        with Client(sendmail.port) as c:  # nobody is there yet
            c.cmd("EHLO client.example.net")
            assert c.code("MAIL FROM:<ada@example.net>") in (421, 451)
        with Installed(place / "gate", conf) as gate, Client(sendmail.port) as c:
            c.hello()
            assert c.mail(body=MAIL)[0] == 250
            assert wait_until(lambda: len(backend.messages) == 1)
            assert b"\r\nAuthentication-Results: mx.example.org;" in b"\r\n" + backend.messages[0]["data"]
            assert c.mail("held@example.org", body=MAIL)[0] == 250
            assert wait_until(lambda: any(n.startswith("hf") for n in sendmail.queue()))
            listed = sendmail.run("-bp", "-qQ")
            assert re.search(r"QUARANTINE: Gatehouse [0-9a-zBC]{12}", listed), listed
            assert gate.wait_log("action=quarantine")
            release = re.search(r"`sendmail (-qQ[^`]*)` releases", DOC).group(1).split()
            sendmail.run(*release)
            assert wait_until(lambda: not any(n.startswith("hf") for n in sendmail.queue())), sendmail.queue()
            sendmail.run_queue()
            assert wait_until(lambda: len(backend.messages) == 2)


