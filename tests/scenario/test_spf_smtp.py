"""What SPF finds, said through the SMTP door, with answers from a name server."""
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import dnsserver  # noqa: E402
from gatehouse import Client, Gatehouse  # noqa: E402

ZONE = """
1.0.0.127.in-addr.arpa PTR client.example.net
client.example.net A 127.0.0.1
pass.org TXT "v=spf1 ip4:127.0.0.1 -all"
fail.org TXT "v=spf1 -all exp=why.fail.org"
why.fail.org TXT "%{c} is not ours"
soft.org TXT "v=spf1 ~all"
broken.org TXT "v=spf1 nonsense"
;! fails.org SERVFAIL
;@ silent.org drop 1000
"""
REFUSE = "filter spf { fail = reject  permerror = reject  on-error = defer }"
STRANGERS = "networks { trusted = {192.0.2.0/24} }\n"


@pytest.fixture(name="dns", scope="module")
def dns_server():
    server = dnsserver.Server(ZONE)
    yield f"forward = {{127.0.0.1@{server.port}}}  dnssec = no  timeout = 2s"
    server.close()


def rcpt(port, sender, rcpt_to="bob@example.org"):
    with Client(port) as c:
        c.hello()
        assert c.cmd(f"MAIL FROM:<{sender}>")[0] == 250
        return c.cmd(f"RCPT TO:<{rcpt_to}>")


def test_refusals(tmp_path, dns):
    with Gatehouse(tmp_path / "g", dns=dns, extra=STRANGERS + REFUSE) as g:
        assert rcpt(g.port, "a@pass.org")[0] == 250
        assert rcpt(g.port, "a@soft.org")[0] == 250
        assert rcpt(g.port, "a@nowhere.org")[0] == 250
        code, text = rcpt(g.port, "a@fail.org")
        assert code == 550 and text.startswith("5.7.23 fail.org does not let 127.0.0.1 send its mail (SPF)")
        assert "The domain fail.org explains: 127.0.0.1 is not ours" in text
        code, text = rcpt(g.port, "a@broken.org")
        assert code == 550 and text.startswith("5.7.24 ")
        code, text = rcpt(g.port, "a@fails.org")
        assert code == 451 and text.startswith("4.7.24 ")
        assert rcpt(g.port, "a@fail.org", "postmaster@example.org")[0] == 250
        start = time.monotonic()
        assert rcpt(g.port, "a@silent.org")[0] == 451
        assert time.monotonic() - start < 15


def test_a_fail_alone_is_delivered(tmp_path, dns):
    with Gatehouse(tmp_path / "g", dns=dns, extra=STRANGERS) as g:
        with Client(g.port) as c:
            c.hello()
            code, text = c.mail(sender="a@fail.org", body=b"From: a@fail.org\r\nSubject: t\r\n\r\nhello\r\n")
            assert code == 250, text
        assert len(g.delivered()) == 1


def test_own_clients_are_passed_over(tmp_path, dns):
    with Gatehouse(tmp_path / "g", dns=dns, extra=STRANGERS + REFUSE, networks="127.0.0.0/8") as g:
        assert rcpt(g.port, "a@fail.org")[0] == 250
