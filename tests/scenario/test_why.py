"""gatehouse why: each answer that isn't 250 can be explained by its id."""
import json
import re
import subprocess
import time

import pytest
from fake_backend import FakeBackend
from gatehouse import Client, Gatehouse

ZONE = """\
forged.example. 60 IN TXT "v=spf1 ip4:192.0.2.7 -all"
example.net. 60 IN A 192.0.2.1
"""
EXTRA = """policy default { scores = {"SPF_FAIL=15"} }
networks { trusted = {10.0.0.1} internal = {10.0.0.1} }
filter iprev { enabled = off }
"""


@pytest.fixture
def gate(tmp_path):
    with FakeBackend() as backend:
        (tmp_path / "zone").write_text(ZONE)

        def start(extra=EXTRA):
            g = Gatehouse(tmp_path / "gate", backend=backend.port, extra=extra, dns=f'zone-file = "{tmp_path / "zone"}"')
            g.backend = backend
            g.start()
            start.gates.append(g)
            return g

        start.gates = []
        yield start
        for g in start.gates:
            g.stop()


def why(g, *ids):
    done = subprocess.run([g.program, "why", "-c", str(g.conf), *ids], capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout


def id_of(text):
    return re.search(r"\((\w{12})\)", text)[1]


def send(g, sender="eve@forged.example", rcpt="bob@example.org"):
    with Client(g.port) as c:
        c.hello()
        return c.mail(rcpt, sender, b"Subject: x\r\n\r\nhi\r\n")


def test_reject_by_score(gate):
    g = gate()
    code, text = send(g)
    assert code == 554
    status, out = why(g, id_of(text))
    assert status == 0
    assert re.search(r"(?m)^= \w{12} \d{4}-.*Z reject$", out)
    assert re.search(r"(?m)^client  127\.0\.0\.1 helo=client\.example\.net listener=smtp", out)
    assert "sender  <eve@forged.example>\n" in out and "rcpt    <bob@example.org> accepted\n" in out
    assert "reply   554 5.7.1 Message refused as spam" in out
    assert re.search(r"(?m)^verdict reject score=\d+\.\d+ policy=default because=score \d+\.\d, reject from 12\.0$", out)
    assert re.search(r"(?m)^hit +SPF_FAIL +15\.000 (MAIL|mail) spf: ", out)
    assert re.search(r"(?m)^level   reject from 12\.0: reached by \d+\.\d+$", out)
    assert "if not  SPF_FAIL: accept\n" in out
    assert re.search(r'(?m)^asked   spf TXT forged\.example: found "v=spf1 ip4:192\.0\.2\.7 -all"', out)


def test_refused_recipients(gate):
    g = gate()
    with Client(g.port) as c:
        c.hello()
        c.cmd("MAIL FROM:<ada@example.net>")
        first = c.cmd("RCPT TO:<x@other.example>")
        second = c.cmd("RCPT TO:<y@other.example>")
    assert id_of(first[1]) == id_of(second[1])
    status, out = why(g, f"({id_of(first[1])})")
    assert status == 0 and out.count("recipient refused\n") == 2 and out.count("client  127") == 1
    assert "rcpt    <x@other.example>\n" in out and "rcpt    <y@other.example>\n" in out
    assert "if not  RELAY_DENIED: accept\n" in out and "verdict reject " in out


def test_accepted_too_and_unknown(gate):
    g = gate()
    code, text = send(g, "ada@example.net")
    assert code == 250
    assert "verdict accept" in why(g, id_of(text))[1]
    assert why(g, "000000000000") == (66, "")


def test_bounded(gate):
    g = gate()
    g.stop()
    g.lines.clear()
    g.conf.write_text(g.text.replace("state {", "state { journal-size = 200k"))
    g.start()
    for _ in range(150):
        last = send(g)[1]
    folder = g.state / "journal"
    assert sum(p.stat().st_size for p in folder.iterdir()) < 300_000
    assert (folder / "0.log.1").exists()
    assert why(g, id_of(last))[0] == 0


def test_a_journal_cut_off_by_a_crash_goes_on(gate):
    g = gate()
    code, text = send(g)
    log = g.state / "journal" / "0.log"
    g.stop()
    g.lines.clear()
    log.write_bytes(log.read_bytes() + b"= f00000000000 2026 reject\nclient  half a li")
    g.start()
    code2, text2 = send(g)
    assert why(g, id_of(text))[0] == 0 and why(g, id_of(text2))[0] == 0


def shadow(g, *args, status=0):
    done = subprocess.run([g.program, "shadow", *args[:1], "-c", str(g.conf), *args[1:]] if args else
                          [g.program, "shadow", "-c", str(g.conf)], capture_output=True, text=True, timeout=30)
    assert done.returncode == status, done.stderr
    return done.stdout


SHADOWS = """policy default { scores = {"SPF_FAIL=15"} reject = off deny = {bad} allow = {good} }
list bad { type = domains entries = {example.net} shadow = on }
list good { type = networks entries = {192.0.2.0/24} }
policy trial { shadow = on recipients = {"@example.org"} reject = 10 scores = {"SPF_FAIL=15"} }
networks { trusted = {10.0.0.1} internal = {10.0.0.1} }
filter iprev {
  shadow = on  # for a week
  fail = reject
}
filter bots { shadow = on }
"""


def test_shadow_summary(gate):
    g = gate(SHADOWS)
    for _ in range(3):
        assert send(g)[0] == 250
    code, text = send(g, "ada@example.net")
    assert code == 250 and "shadow  list bad would have: reject\n" in why(g, id_of(text))[1]
    assert g.wait_log("shadow_list=bad would=reject")
    out = shadow(g)
    assert out.startswith("4 entries")
    assert re.search(r"(?m)^ +0 +3 +0 +3  policy trial would have: reject$", out)
    assert re.search(r"(?m)^ +1 +0 +1 +0  list bad would have: reject$", out)
    assert re.search(r"(?m)^ +1 +3 +0 +0  IPREV_NONE$", out)
    assert "SPF_FAIL" not in out
    rows = {r["name"]: r for r in json.loads(shadow(g, "--json"))["shadow"]}
    assert rows["list bad would have: reject"]["refused_ham"] == 1


def test_shadow_counts_what_a_symbol_would_refuse(gate, tmp_path):
    (tmp_path / "own.cf").write_text("body HI /hi/\nscore HI 9\nif can(Gatehouse::shadow)\nshadow HI OTHER # both\nendif\n"
                                     "body OTHER /nothere/\n")
    g = gate(f"""policy default {{ reject = 8 }}
rules {{ paths = {{"{tmp_path}/own.cf"}} }}
networks {{ trusted = {{10.0.0.1}} internal = {{10.0.0.1}} }}
filter iprev {{ enabled = off }}
filter spf {{ enabled = off }}
""")
    code, text = send(g)
    assert code == 250 and "shadow  symbol HI would have: reject\n" in why(g, id_of(text))[1]
    assert re.search(r"(?m)^ +1 +0 +1 +0  HI$", shadow(g))
    out = shadow(g, "promote", "HI")
    assert f"rule HI, {tmp_path}/own.cf:4\n-shadow HI OTHER # both\n+shadow OTHER # both\n" in out and "--write" in out
    assert "shadow HI OTHER" in (tmp_path / "own.cf").read_text()
    shadow(g, "promote", "--write", "HI")
    assert "\nshadow OTHER # both\nendif\n" in (tmp_path / "own.cf").read_text()
    shadow(g, "promote", "HI", status=66)
    subprocess.run([g.program, "reload", "-c", str(g.conf)], check=True, capture_output=True)
    assert g.wait_log("event=reload")
    end = time.time() + 20
    while send(g)[0] == 250 and time.time() < end:
        time.sleep(0.2)
    assert send(g)[0] == 554
    shadow(g, "promote", "--write", "rule OTHER")
    assert "shadow" not in (tmp_path / "own.cf").read_text().replace("Gatehouse::shadow", "")


@pytest.mark.parametrize("name,was,now", [
    ("trial", "policy trial { shadow = on rec", "policy trial { shadow = off rec"),
    ("policy trial", "policy trial { shadow = on rec", "policy trial { shadow = off rec"),
    ("bad", "{example.net} shadow = on }", "{example.net} shadow = off }"),
    ("iprev", "  shadow = on  # for a week\n", "  shadow = off  # for a week\n"),
    ("IPREV_NONE", "  shadow = on  # for a week\n", "  shadow = off  # for a week\n"),
])
def test_promote(gate, name, was, now):
    g = gate(SHADOWS)
    before = g.conf.read_text()
    shadow(g, "promote", name)
    assert g.conf.read_text() == before
    shadow(g, "promote", "--write", name)
    assert g.conf.read_text() == before.replace(was, now) != before
    shadow(g, "promote", "--write", name, status=66)


def test_promote_does_not_guess(gate):
    g = gate(SHADOWS + "policy bots { shadow = on clients = {192.0.2.1} }\nlist two { type = domains shadow = on } policy x { shadow = on users = {x} }\npolicy quoted { shadow = \"on\" users = {y} }\n")
    assert shadow(g, "promote", "bots", status=64) == ""
    assert "filter bots, " in shadow(g, "promote", "filter bots")
    before = g.conf.read_text()
    assert "by hand" in shadow(g, "promote", "--write", "two", status=69)  # two on one line
    assert "by hand" in shadow(g, "promote", "--write", "quoted", status=69)
    assert g.conf.read_text() == before


def test_what_is_refused_outside_of_a_message_has_an_id(place):
    with FakeBackend() as b, Gatehouse(place / "g", backend=b.port, limits="errors = 4") as gate:
        with Client(gate.port) as c:
            c.cmd("HELO mail.example.net")
            code, text = c.cmd("MAIL TO:<x@example.net>")
            session = re.search(r"\((\w{12})\)$", text)[1]
            assert code == 501
            told = [c.cmd("RCPT TO:<bob@example.org>"), c.cmd("FOO"), c.cmd("DATA"), c.cmd("BAR")]
            assert [code for code, _ in told] == [503, 500, 503, 421]
            assert all(text.endswith(f"({session})") for _, text in told)
        p = subprocess.run([gate.program, "why", "-c", str(gate.conf), session], capture_output=True, text=True)
        assert p.returncode == 0, p.stderr
        assert re.search(rf"^= {session} \S+Z session$", p.stdout, re.M) and "helo=mail.example.net" in p.stdout
        assert re.search(r"^reply   501 5\.5\.4 ", p.stdout, re.M) and "reply   503" in p.stdout
        assert p.stdout.count("\nreply ") == 3, "a session's mistakes don't fill the journal"


def test_a_refused_login_has_an_id(place):
    ehlo = FakeBackend.EHLO.replace(b"250 ENH", b"250-AUTH PLAIN\r\n250 ENH")
    no = b"535-5.7.8 Wrong name or password\r\n535 5.7.8 Ask the help desk\r\n"
    with FakeBackend({"AUTH": no}, ehlo=ehlo) as b, Gatehouse(
            place / "g", backend=b.port, listen_settings="role = submission auth-without-tls = on") as gate:
        with Client(gate.port) as c:
            c.hello()
            code, text = c.cmd("AUTH PLAIN AGFkYQBzZWNyZXQ=")
            assert code == 535
            session = re.fullmatch(r"5\.7\.8 Wrong name or password\n5\.7\.8 Ask the help desk \((\w{12})\)", text)[1]
        status, out = why(gate, session)
        assert status == 0 and "reply   535 5.7.8 Wrong name" in out and "AGFkYQ" not in out and "secret" not in out


def test_promote_in_included_files(gate, tmp_path):
    (tmp_path / "own.cf").write_text("include more/a.cf\nbody HI /hi/\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more/a.cf").write_text("include b.cf # and not here\ninclude b.cf\n")
    (tmp_path / "more/b.cf").write_text("if can(Gatehouse::shadow)\nshadow HI\nendif\n")
    (tmp_path / "policies.conf").write_text("policy trial {\n  shadow = on\n  recipients = {bob@example.org}\n}\n")
    g = gate(f'include "{tmp_path}/policies.conf"\nrules {{ paths = {{"{tmp_path}/own.cf"}} }}\n')
    shadow(g, "promote", "--write", "HI", "trial")
    assert (tmp_path / "more/b.cf").read_text() == "if can(Gatehouse::shadow)\nendif\n"
    assert "  shadow = off\n" in (tmp_path / "policies.conf").read_text()
