"""gatehouse replay: a session of then under the rules of today."""
import json
import re
import subprocess

import pytest
from fake_backend import FakeBackend
from gatehouse import Client, Gatehouse

ZONE = """\
forged.example. 60 IN TXT "v=spf1 ip4:192.0.2.7 -all"
example.net. 60 IN A 192.0.2.1
2.2.0.192.bl.example. 60 IN A 127.0.0.2
"""
RULES = "body PILLS /cheap pills/\nscore PILLS 3\nheader SUBJ Subject =~ /offer/\nscore SUBJ 1\n"
NETWORKS = "networks { trusted = {10.0.0.1} internal = {10.0.0.1} }\nfilter iprev { enabled = off }\n"
BODY = b"From: eve@forged.example\r\nSubject: an offer\r\n\r\ncheap pills\r\n..dot\r\n"


@pytest.fixture
def gate(tmp_path):
    with FakeBackend() as backend:
        (tmp_path / "zone").write_text(ZONE)
        (tmp_path / "rules").mkdir()
        (tmp_path / "rules" / "own.cf").write_text(RULES)

        def start(policy='policy default { scores = {"SPF_FAIL=15"} }', keep="refused", more=""):
            g = Gatehouse(tmp_path / "gate", backend=backend.port, extra=policy + "\n" + NETWORKS + more,
                          dns=f'zone-file = "{tmp_path / "zone"}"', rules=f'rules {{ paths = {{"{tmp_path}/rules"}} }}')
            g.text = g.text.replace("state {", f"state {{ keep-mail = {keep} keep-size = 400k")
            g.conf.write_text(g.text)
            g.backend = backend
            g.start()
            start.gates.append(g)
            return g

        start.gates = []
        yield start
        for g in start.gates:
            g.stop()


def replay(g, *args, conf=None):
    done = subprocess.run([g.program, "replay", "-c", str(conf or g.conf), *args], capture_output=True, text=True, timeout=60)
    assert done.stderr == "" or done.returncode > 1, done.stderr
    return done.returncode, done.stdout


def send(g, sender="eve@forged.example", rcpt="bob@example.org", body=BODY):
    with Client(g.port) as c:
        c.hello()
        code, text = c.mail(rcpt, sender, body)
        return code, re.search(r"\((\w{12})\)", text)[1]


def changed(g, tmp_path, old, new):
    conf = tmp_path / "other.conf"
    assert old in g.text
    conf.write_text(g.text.replace(old, new))
    return conf


def test_the_same_without_network(gate, tmp_path):
    g = gate()
    code, mail = send(g)
    assert code == 554
    (tmp_path / "zone").write_text("nothing.example. 60 IN A 192.0.2.1\n")
    status, out = replay(g, f"({mail})")
    assert status == 0 and "the same findings\n" in out and "mail    kept\n" in out and out.endswith("the same outcome\n"), out
    assert "not recorded" not in out and "then    reject " in out and "now     reject " in out


def test_another_configuration(gate, tmp_path):
    g = gate()
    _, mail = send(g)
    conf = changed(g, tmp_path, "SPF_FAIL=15", "SPF_FAIL=2")
    status, out = replay(g, mail, conf=conf)
    assert status == 1 and out.endswith("ANOTHER OUTCOME\n")
    assert re.search(r"(?m)^then    reject +1[0-9.]+  554 5\.7\.1 Message refused", out)
    assert re.search(r"(?m)^now     tag +[0-9.]+  no refusal$", out)
    assert re.search(r"(?m)^changed SPF_FAIL +15\.000 -> 2\.000 ", out)
    status, out = replay(g, "--json", mail, conf=conf)
    got = json.loads(out)
    assert status == 1 and got["same"] is False and got["now"]["action"] == "tag" and got["then"]["action"] == "reject"
    assert [(s["symbol"], s["difference"]) for s in got["symbols"]] == [("SPF_FAIL", "changed")]


def test_another_rule_directory(gate, tmp_path):
    g = gate()
    _, mail = send(g)
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "own.cf").write_text("rawbody DOT /^\\.dot/m\nscore DOT 4\nheader SUBJ Subject =~ /offer/\nscore SUBJ 1\n")
    status, out = replay(g, "--rules", str(tmp_path / "new"), mail)
    assert status == 0
    assert re.search(r"(?m)^gained  DOT +4\.000", out) and re.search(r"(?m)^lost    PILLS +3\.000", out) and "SUBJ" not in out


def test_questions_that_were_not_asked(gate, tmp_path):
    g = gate()
    _, mail = send(g)
    conf = changed(g, tmp_path, "policy default {", "filter greylist { enabled = on mode = always }\n"
                   "dnslist bl { zone = bl.example }\nnetworks { }\npolicy default {".replace("networks { }\n", ""))
    status, out = replay(g, mail, conf=conf)
    assert "not recorded: store grey:" in out
    assert status == 1 and "GREYLIST_WAIT" in out and "now     greylist" in out


@pytest.mark.parametrize("keep", ["off", "refused"])
def test_without_the_mail(gate, tmp_path, keep):
    g = gate('policy default { reject = 25 scores = {"SPF_FAIL=15"} }', keep=keep)
    code, mail = send(g)
    assert code == 250
    conf = changed(g, tmp_path, "reject = 25", "reject = 18")
    status, out = replay(g, mail, conf=conf)
    assert status == 1 and "now     reject" in out and "the same findings" in out  # PILLS is taken from the record
    assert "mail    not there: what was found in it then is taken as it was\n" in out
    (tmp_path / "mail").write_bytes(BODY.replace(b"cheap pills", b"good day").replace(b"\n..", b"\n."))
    status, out = replay(g, "--mail", str(tmp_path / "mail"), mail, conf=conf)
    assert status == 0 and re.search(r"(?m)^lost    PILLS", out) and "now     tag" in out


def test_refused_recipients(gate, tmp_path):
    g = gate()
    with Client(g.port) as c:
        c.hello()
        c.cmd("MAIL FROM:<ada@example.net>")
        c.cmd("RCPT TO:<x@other.example>")
        _, text = c.cmd("RCPT TO:<y@third.example>")
    mail = re.search(r"\((\w{12})\)", text)[1]
    status, out = replay(g, mail)
    assert status == 0 and out.count("then refused, now refused") == 2, out
    status, out = replay(g, mail, conf=changed(g, tmp_path, "domains = {example.org}", "domains = {example.org, third.example}"))
    assert status == 1 and "rcpt    <y@third.example> then refused, now accepted\n" in out
    assert "rcpt    <x@other.example> then refused, now refused\n" in out


def test_greylisted_as_it_was(gate):
    g = gate(more="filter greylist { enabled = on mode = always }\n")
    with Client(g.port) as c:
        c.hello()
        c.cmd("MAIL FROM:<ada@example.net>")
        code, text = c.cmd("RCPT TO:<bob@example.org>")
    assert code == 451
    mail = re.search(r"\((\w{12})\)", text)[1]
    status, out = replay(g, mail)
    assert status == 0 and "now     greylist" in out and "not recorded" not in out


def test_from_the_quarantine(gate, tmp_path):
    g = gate('policy default { quarantine = 10 reject = off scores = {"SPF_FAIL=15"} }', keep="off")
    code, mail = send(g)
    assert code == 250
    status, out = replay(g, mail)
    assert status == 0 and "mail    in the quarantine\n" in out and "the same findings" in out, out


def test_a_record_of_another_machine(gate, tmp_path):
    g = gate(keep="off")
    _, mail = send(g)
    record = subprocess.run([g.program, "why", "-c", str(g.conf), "--record", mail], capture_output=True, text=True).stdout
    assert "\n@s " in record and "\n@a " in record
    (tmp_path / "record").write_text(record)
    conf = changed(g, tmp_path, f'directory = "{g.state}"', f'directory = "{tmp_path}/elsewhere"')
    assert replay(g, mail, conf=conf)[0] == 66
    status, out = replay(g, str(tmp_path / "record"), conf=conf)
    assert status == 0 and out.startswith(mail) and "the same findings" in out, out
    for bad in ("", "nothing", "= x y z\n", "= \n@s\n@a\n@h\n@r\n@v\n", "= a b c\n@s 1\n@r 9 x\n@a 7 7 7 7\n@h 1 2 3 4 5 6 7\n"):
        (tmp_path / "record").write_text(bad)
        assert replay(g, str(tmp_path / "record"), conf=conf)[0] in (0, 1, 66)


def test_copies_are_bounded(gate):
    g = gate(keep="all")
    body = BODY + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 400
    last = [send(g, "ada@example.net", body=body)[1] for _ in range(40)][-1]
    files = list((g.state / "kept").iterdir())
    assert sum(p.stat().st_size for p in files) < 500_000 and (g.state / "kept" / last) in files
    assert oct((g.state / "kept" / last).stat().st_mode)[-3:] == "600"
    assert replay(g, last)[0] == 0


def test_unknown(gate):
    g = gate()
    assert replay(g, "000000000000")[0] == 66
    assert replay(g)[0] == 64
    _, mail = send(g)
    out = subprocess.run([g.program, "why", "-c", str(g.conf), mail], capture_output=True, text=True).stdout
    assert not re.search("(?m)^@", out) and "verdict reject" in out
