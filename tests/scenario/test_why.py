"""gatehouse why: each answer that isn't 250 can be explained by its id."""
import re
import subprocess

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


def test_shadow_summary(gate):
    g = gate("""policy default { scores = {"SPF_FAIL=15"} reject = off }
policy trial { shadow = on recipients = {"@example.org"} reject = 10 scores = {"SPF_FAIL=15"} }
networks { trusted = {10.0.0.1} internal = {10.0.0.1} }
filter iprev { shadow = on }
""")
    for _ in range(3):
        assert send(g)[0] == 250
    assert send(g, "ada@example.net")[0] == 250
    done = subprocess.run([g.program, "shadow", "-c", str(g.conf)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and done.stdout.startswith("4 entries")
    assert re.search(r"(?m)^ +0 +3  policy trial would have: reject$", done.stdout)
    assert re.search(r"(?m)^ +1 +3  IPREV_NONE$", done.stdout)
    assert "SPF_FAIL" not in done.stdout
