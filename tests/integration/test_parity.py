"""One behaviour behind every door: the same mails through the proxy, the milter
(in Postfix and in Sendmail) and `gatehouse scan` get the same action, score and hits."""
import json
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from corpora import sample, untouched
from fake_backend import FakeBackend
from gatehouse import PROGRAM, TOP, Client, Gatehouse
from milter import MilterGate, fields, main_cf
from postfix import Postfix
from sendmail import Sendmail

SAMPLE = int(os.environ.get("GATEHOUSE_PARITY", "500"))
ZONE = """\
pass.example. 60 IN TXT "v=spf1 ip4:192.0.2.7 ip4:127.0.0.1 -all"
pass.example. 60 IN A 192.0.2.7
soft.example. 60 IN TXT "v=spf1 ~all"
fail.example. 60 IN TXT "v=spf1 -all"
_dmarc.fail.example. 60 IN TXT "v=DMARC1; p=none"
neutral.example. 60 IN TXT "v=spf1 ?all"
mail.pass.example. 60 IN A 192.0.2.7
7.2.0.192.in-addr.arpa. 60 IN PTR mail.pass.example.
1.0.0.127.in-addr.arpa. 60 IN PTR mail.pass.example.
mail.pass.example. 60 IN A 127.0.0.1
9.2.0.192.in-addr.arpa. 60 IN PTR nowhere.example.
"""
# What remembers would judge the second door's mails otherwise than the first's.
SETTINGS = f"""
networks {{ trusted = {{10.0.0.1}}  internal = {{10.0.0.1}} }}
filter reputation {{ enabled = off }}
filter rate {{ enabled = off }}
filter greylist {{ enabled = off }}
filter bots {{ enabled = off }}
rules {{ paths = {{"{TOP / 'rules' / 'shipped'}", "{Path(__file__).with_name('parity.cf')}"}} }}
policy default {{ tag = 2  redirect = 4  redirect-to = spam@example.org  quarantine = 5.5  reject = 7 }}
"""
LIMITS = """received-headers = 200
  messages = 100000
  commands = 1000000"""
CLIENTS = ("192.0.2.7", "192.0.2.9", "198.51.100.3")
SENDERS = ("ann@pass.example", "bob@soft.example", "eve@fail.example", "dan@neutral.example", "", "x@nowhere.example")
HELOS = ("mail.pass.example", "other.example", "localhost")


@pytest.fixture(name="place", scope="module")
def readable_folder():
    with tempfile.TemporaryDirectory(prefix="gatehouse-parity-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "zone").write_text(ZONE)
        yield folder


@pytest.fixture(name="mails", scope="module")
def mails_with_envelopes(data):
    found = [m for m in sample(data, SAMPLE * 5 // 4) if untouched(m)][:SAMPLE]
    assert len(found) == SAMPLE
    return [{"n": n, "raw": raw, "client": CLIENTS[n % 3], "sender": SENDERS[n % 6], "helo": HELOS[n // 2 % 3]}
            for n, raw in enumerate(found)]


def send(port, mail, introduce, session):
    """The reply, or that to the recipient where it is refused."""
    with Client(port, greet=False) as c:
        introduce(c, mail)
        code, text = c.cmd(f"EHLO {mail['helo']}")
        assert code == 250, text
        session(c, mail)
        for line in (f"MAIL FROM:<{mail['sender']}>", "RCPT TO:<bob@example.org>", "DATA"):
            code, text = c.cmd(line)
            if code not in (250, 354):
                return code, text
        c.send(re.sub(rb"(?m)^\.", b"..", mail["raw"]) + b".\r\n")
        return c.reply()


def judged(hits):
    """Symbols with their scores, in any order: they come as answers do."""
    return sorted(re.findall(r"([A-Z_0-9a-z]+)\((-?[\d.]+)", hits))


def by_log(gate, mails, port, introduce=lambda c, m: c.reply(), session=lambda c, m: None):
    """What the door's log says of each mail."""
    verdicts = []
    for mail in mails:
        at = len(gate.lines)
        code, text = send(port, mail, introduce, session)
        line = gate.wait_log("event=(transaction|\"recipient refused\")", 20, since=at)
        assert line, (mail["n"], code, text)
        f = fields(line)
        if "action" in f:
            verdicts.append((f["action"], float(f["score"]), judged(f.get("hits", ""))))
        else:
            verdicts.append((f"{code} at RCPT", 0.0, []))
    return verdicts


def by_proxy(place, mails):
    with FakeBackend() as backend, Gatehouse(place / "proxy", backend=backend.port, extra=SETTINGS, limits=LIMITS,
                                             dns=f'zone-file = "{place / "zone"}"',
                                             listen_settings="proxy-from = {127.0.0.1}") as gate:
        time.sleep(0.5)

        def introduce(c, mail):
            c.send(f"PROXY TCP4 {mail['client']} 127.0.0.1 4321 25\r\n")
            c.reply()

        return by_log(gate, mails, gate.port, introduce)


def milter(place, name):
    return MilterGate(place / name, extra=SETTINGS, limits=LIMITS, dns=f'zone-file = "{place / "zone"}"')


def by_postfix(place, mails):
    with milter(place, "milter") as gate, \
            Postfix(place / "pf", extra=main_cf(gate.unix), xclient="127.0.0.0/8") as postfix:
        def session(c, mail):
            assert c.code(f"XCLIENT ADDR={mail['client']} PORT=4321 NAME=[UNAVAILABLE]") == 220
            assert c.code(f"EHLO {mail['helo']}") == 250

        return by_log(gate, mails, postfix.port, session=session)


def by_sendmail(place, mails):
    """Its clients are who connects: all of them 127.0.0.1."""
    with FakeBackend() as backend, milter(place, "milter-sm") as gate, \
            Sendmail(place / "sm", backend.port, gate.unix) as sendmail:
        return by_log(gate, mails, sendmail.port)


def by_scan(place, mails):
    """`gatehouse scan`, once for each envelope."""
    conf = place / "scan.conf"
    conf.write_text(f'hostname = gate.example.org\nrelay {{ domains = {{example.org}} }}\n'
                    f'dns {{ zone-file = "{place / "zone"}" }}\nlimits {{ {LIMITS} }}\n{SETTINGS}')
    groups, verdicts = {}, {}
    for mail in mails:
        folder = place / "mails"
        folder.mkdir(exist_ok=True)
        file = folder / f"{mail['n']:04}.eml"
        file.write_bytes(mail["raw"])
        groups.setdefault((mail["client"], mail["helo"], mail["sender"]), []).append(file)
    for (client, helo, sender), files in groups.items():
        p = subprocess.run([PROGRAM, "scan", "-c", conf, "--client", client, "--helo", helo, "--from", sender or "<>",
                            "--rcpt", "bob@example.org", "--json", *files], capture_output=True, text=True)
        assert p.returncode in (0, 1), p.stderr
        for line in p.stdout.splitlines():
            o = json.loads(line)
            hits = sorted((h["symbol"], f"{h['score']:.2f}") for h in o["hits"])
            verdicts[int(Path(o["file"]).stem)] = (o["action"], round(o["score"], 2), hits)
    return [verdicts[mail["n"]] for mail in mails]


METAS = {"PARITY_SPF_BAD", "PARITY_NAMELESS", "PARITY_NO_AUTHOR"}


def assert_alike(mails, one, other, names, metas=frozenset(METAS)):
    differ = [(mails[i]["n"], a, b) for i, (a, b) in enumerate(zip(one, other)) if a != b]
    for n, a, b in differ[:5]:
        print(f"mail {n}: {names[0]} {a[:2]}, {names[1]} {b[:2]}\n  only {names[0]}: {[h for h in a[2] if h not in b[2]]}"
              f"\n  only {names[1]}: {[h for h in b[2] if h not in a[2]]}")
    actions = {a: sum(v[0] == a for v in one) for a in {v[0] for v in one}}
    print(f"{len(mails)} mails by {names[0]} and {names[1]}: {len(differ)} differ; {actions}")
    assert len(mails) == SAMPLE and len(one) == len(other) == len(mails)
    assert len({h for v in one for h, _ in v[2]}) > 10
    assert metas <= {h for v in one for h, _ in v[2]}
    assert {"accept", "tag", "redirect", "quarantine", "reject"} <= set(actions), "a sample on which all is one shows nothing"
    assert not differ


@pytest.fixture(name="proxied", scope="module")
def proxy_verdicts(place, mails):
    return by_proxy(place, mails)


def test_postfix_milter_as_proxy(place, mails, proxied):
    assert_alike(mails, proxied, by_postfix(place, mails), ("proxy", "milter"))


def test_scan_as_proxy(place, mails, proxied):
    if subprocess.run([PROGRAM, "scan", "--help"], capture_output=True).returncode != 0:
        pytest.skip("skipped: no gatehouse scan")
    assert_alike(mails, proxied, by_scan(place, mails), ("proxy", "scan"))


def test_sendmail_milter_as_proxy(place, mails):
    local = [{**m, "client": "127.0.0.1"} for m in mails]
    folder = place / "local"
    folder.mkdir()
    (folder / "zone").write_text(ZONE)
    assert_alike(local, by_proxy(folder, local), by_sendmail(folder, local), ("proxy", "Sendmail's milter"),
                 METAS - {"PARITY_NAMELESS"})
