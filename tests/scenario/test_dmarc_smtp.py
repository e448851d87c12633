"""What DMARC and the checks of From find, said through the SMTP door, with
answers from a name server that behaves as name servers do."""
import json
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import dnsserver  # noqa: E402
from gatehouse import Client, Gatehouse  # noqa: E402

LONG = " ".join('"x=' + "y" * 200 + ';"' for _ in range(300))
ZONE = f"""
1.0.0.127.in-addr.arpa PTR client.example.net
client.example.net A 127.0.0.1
pass.org TXT "v=spf1 ip4:127.0.0.1 -all"
_dmarc.reject.org TXT "v=DMARC1; p=reject; np=none"
reject.org A 192.0.2.1
mail.reject.org A 192.0.2.2
reject.org TXT "v=spf1 ip4:127.0.0.1 -all"
_dmarc.quarantine.org TXT "v=DMARC1; p=quarantine"
_dmarc.none.org TXT "v=DMARC1; p=none"
_dmarc.long.org TXT ( "v=DMARC1; p=reject;" {LONG} )
_dmarc.cut.org TXT "v=DMARC1; p=reject"
;@ _dmarc.cut.org truncate
_dmarc.loop.org CNAME x.loop.org
x.loop.org CNAME _dmarc.loop.org
;! _dmarc.fails.org SERVFAIL
;@ _dmarc.silent.org drop 1000
;@ silent.org drop 1000
"""
STRANGERS = "networks { trusted = {192.0.2.0/24} }\n"


@pytest.fixture(name="dns", scope="module")
def dns_server():
    server = dnsserver.Server(ZONE)
    yield f"forward = {{127.0.0.1@{server.port}}}  dnssec = no  timeout = 2s"
    server.close()


def send(port, from_field, sender="a@pass.org"):
    with Client(port) as c:
        c.hello()
        return c.mail(sender=sender, body=from_field.encode() + b"\r\nSubject: t\r\n\r\nhello\r\n")


def test_policies(tmp_path, dns):
    with Gatehouse(tmp_path / "g", dns=dns, extra=STRANGERS + "filter dmarc { on-error = defer }") as g:
        code, text = send(g.port, "From: a@reject.org")
        assert code == 550 and text.startswith("5.7.26 reject.org asks that mail in its name"), text
        code, text = send(g.port, "From: a@reject.org", sender="b@reject.org")
        assert code == 250, text
        assert send(g.port, "From: a@mail.reject.org", sender="b@reject.org")[0] == 250
        assert send(g.port, "From: a@mail.reject.org")[0] == 550
        assert send(g.port, "From: a@nothing.reject.org")[0] == 250  # np=none
        assert send(g.port, "From: a@none.org")[0] == 250
        assert send(g.port, "From: a@nowhere.org")[0] == 250
        assert send(g.port, "From: a@long.org")[0] == 550
        assert send(g.port, "From: a@cut.org")[0] == 550
        code, text = send(g.port, "From: a@fails.org")
        assert code == 451 and text.startswith("4.7.0 ")
        assert send(g.port, "From: a@loop.org")[0] == 451


def test_one_slow_name_costs_its_time_once(tmp_path, dns):
    with Gatehouse(tmp_path / "g", dns=dns, extra=STRANGERS + "filter dmarc { on-error = defer }") as g:
        start = time.monotonic()
        assert send(g.port, "From: a@silent.org")[0] == 451
        assert time.monotonic() - start < 15


def test_settings(tmp_path, dns):
    extra = STRANGERS + "filter dmarc { reject = score  local-override = {quarantine.org} }"
    with Gatehouse(tmp_path / "g", dns=dns, extra=extra) as g:
        assert send(g.port, "From: a@reject.org")[0] == 250
        assert send(g.port, "From: a@quarantine.org")[0] == 250
        assert send(g.port, "From: a@fails.org")[0] == 250


def test_forged_from(tmp_path, dns):
    with Gatehouse(tmp_path / "g", dns=dns, extra=STRANGERS) as g:
        for field in ["From: a@pass.org\r\nFrom: b@reject.org", "From: a@pass.org, b@reject.org",
                      "From: <a@pass.org> <b@reject.org>", "From\r\n : a@pass.org"]:
            code, text = send(g.port, field)
            assert code == 550 and text.startswith("5.7.1 From is not acceptable: "), (field, text)
        assert send(g.port, "From: a@pass.org")[0] == 250


def test_espoofer(tmp_path, data):
    """The attacks that come from outside, as published; the attacker's own domains pass SPF."""
    folder = data / "from_spoof" / "espoofer" / "rendered"
    names = ["attack.com", "33.attack.com", "helo.attack.com", "any.attack.com", "a.attack.com"]
    zone = "".join(f'{name}. 60 IN TXT "v=spf1 ip4:127.0.0.1 -all"\n' for name in names)
    (tmp_path / "zone").write_text(zone + '_dmarc.legitimate.com. 60 IN TXT "v=DMARC1; p=reject"\n')
    cases = [c for c in json.loads((folder / "cases.json").read_text()) if not c["id"].startswith("client_")]
    let_in = []
    with Gatehouse(tmp_path / "g", dns=f'zone-file = "{tmp_path / "zone"}"', extra=STRANGERS,
                   domains="victim.com") as g:
        for case in cases:
            mail = (folder / case["eml"]).read_bytes().rstrip(b"\r\n") + b"\r\n"
            with Client(g.port) as c:
                c.hello()
                code, text = c.mail(rcpt="victim@victim.com", sender=case["mailfrom"].strip("<>"), body=mail)
            if code < 500:
                let_in.append(f"{case['id']}: {code} {text}")
    print(f"# count: espoofer attacks refused at the SMTP door: {len(cases) - len(let_in)} of {len(cases)}")
    assert not let_in
