"""What Postfix and Sendmail both do with a milter: TLS, submission, another milter beside, patience."""
import re
import smtplib
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import certificates  # noqa: E402
from fake_backend import FakeBackend  # noqa: E402
from fake_clamd import FakeClamd  # noqa: E402
from gatehouse import Client, free_port  # noqa: E402
from milter import MilterGate, main_cf  # noqa: E402
from postfix import Postfix  # noqa: E402
from sendmail import Sendmail  # noqa: E402

STRANGERS = "networks { trusted = {10.0.0.1}  internal = {10.0.0.1} }\n"
MAIL = b"From: ann@example.net\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-Id: <1@x>\r\nSubject: hello\r\n\r\nhi\r\n"


@pytest.fixture(name="place")
def folder_for_servers():
    with tempfile.TemporaryDirectory(prefix="gh-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def input_filter(address, timeouts="C:10s;S:60s;R:60s;E:2m", name="gatehouse"):
    return f"INPUT_MAIL_FILTER(`{name}', `S={address}, F=T, T={timeouts}')dnl\n"


def send(port, body=MAIL):
    with Client(port, timeout=60) as c:
        c.hello()
        return c.mail(body=body, sender="ann@example.net")


def over_tls(port):
    """Replies to two recipients whose policies differ, and to the content."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as s:
        s.starttls(context=context)
        s.ehlo("client.example.net")
        assert s.docmd("MAIL FROM:<ann@example.net>")[0] == 250
        codes = [s.docmd(f"RCPT TO:<{who}@example.org>")[0] for who in ("bob", "strict")]
        assert s.docmd("DATA")[0] == 354
        s.send(MAIL + b".\r\n")
        return [*codes, s.getreply()[0]]


def test_tls_and_submission_are_known_by_macros(place):
    """A daemon for our own users: one policy for all recipients, the strictest, as behind a submission listener."""
    cert, key = certificates.make(place)
    key.chmod(0o600)
    strict = 'policy strict { recipients = {strict@example.org}  actions = {"DKIM_NONE=reject"} }'
    postfix_submission, sendmail_submission = free_port(), free_port()
    tls_cf = f"smtpd_tls_security_level = may\nsmtpd_tls_cert_file = {cert}\nsmtpd_tls_key_file = {key}\n"
    submission = f"127.0.0.1:{postfix_submission} inet n - n - - smtpd -o milter_macro_daemon_name=ORIGINATING"
    with MilterGate(place / "gate", extra=STRANGERS + strict) as gate, FakeBackend() as backend, \
            Postfix(place / "pf", extra=main_cf(gate.unix, more=tls_cf), services=submission) as postfix, \
            Sendmail(place / "sm", backend.port, "", filters=input_filter(gate.unix) + f"""\
define(`confSERVER_CERT', `{cert}')dnl
define(`confSERVER_KEY', `{key}')dnl
define(`confCACERT', `{cert}')dnl
define(`confCACERT_PATH', `{place}')dnl
DAEMON_OPTIONS(`Name=MSA, Addr=127.0.0.1, Port={sendmail_submission}')dnl""") as sendmail:
        for port, want in ((postfix.port, [250, 452, 250]), (sendmail.port, [250, 452, 250]),
                           (postfix_submission, [250, 250, 550]), (sendmail_submission, [250, 250, 550])):
            at = len(gate.lines)
            assert over_tls(port) == want
            trace_id = re.search(r" id=(\S+)", gate.wait_log("event=transaction", since=at)).group(1)
            why = subprocess.run([gate.program, "why", "-c", str(gate.conf), trace_id], capture_output=True, text=True).stdout
            assert re.search(r"^client .* tls=TLSv1\.[23] ", why, re.M), why


def heads(mail):
    return re.split(rb"\r?\n(?=\S)", re.split(rb"\r?\n\r?\n", mail)[0])


@pytest.mark.parametrize("first", [True, False])
def test_another_milter_that_adds_fields_of_the_same_name(place, first):
    """Places are counted among the fields of a name: those that another milter put there are among them, or are not."""
    forged = (b"Authentication-Results: third.example; spf=pass\r\nAuthentication-Results: gate.example.org; spf=pass forged\r\n"
              b"X-Spam-Status: forged\r\nAuthentication-Results: fourth.example; spf=pass\r\n")
    other = MilterGate(place / "other", extra=STRANGERS)
    other.conf.write_text(other.text.replace("gate.example.org", "other.example"))
    with other, MilterGate(place / "gate", extra=STRANGERS) as gate, FakeBackend() as backend:
        order = [other.unix, gate.unix] if first else [gate.unix, other.unix]
        filters = "".join(input_filter(address, name=f"filter{n}") for n, address in enumerate(order))
        with Postfix(place / "pf", extra=main_cf(", ".join(order))) as postfix, \
                Sendmail(place / "sm", backend.port, "", filters=filters) as sendmail:
            assert send(postfix.port, forged + MAIL)[0] == 250 and send(sendmail.port, forged + MAIL)[0] == 250
            end = time.time() + 20
            while time.time() < end and not backend.messages:
                time.sleep(0.02)
            for mail in (postfix.wait_mails(1)[0], backend.messages[0]["data"]):
                results = [re.match(rb"Authentication-Results: ([\w.]+)", h).group(1) for h in heads(mail) if h.startswith(b"Auth")]
                ours = [b"gate.example.org", b"other.example"]
                assert results == (ours if first else ours[::-1]) + [b"third.example", b"fourth.example"], mail
                assert b"forged" not in mail


def test_servers_wait_as_long_as_they_hear_of_us(place):
    """A scanner that never answers, and servers whose patience is shorter than our deadline: they get our answer."""
    replies = {}

    def one(name, port):
        replies[name] = send(port)

    with FakeClamd(place / "clamd") as clamd, FakeBackend() as backend, \
            MilterGate(place / "gate", limits="end-deadline = 11s", extra=STRANGERS + f"""
filter clamd {{ enabled = on  timeout = 60s  address = "unix:{place}/clamd" }}""") as gate, \
            Postfix(place / "pf", extra=main_cf(gate.unix, more="milter_content_timeout = 9s\nmilter_command_timeout = 9s")) as postfix, \
            Sendmail(place / "sm", backend.port, "", filters=input_filter(gate.unix, "C:10s;S:9s;R:9s;E:2m")) as sendmail:
        clamd.behave = "silent"
        threads = [threading.Thread(target=one, args=a) for a in (("Postfix", postfix.port), ("Sendmail", sendmail.port))]
        for t in threads:
            t.start()
        for t in threads:
            t.join(60)
    for name, (code, text) in replies.items():
        assert code == 451 and text.startswith("4.7.0 Temporary failure: deadline ("), (name, text)
    assert len(replies) == 2
