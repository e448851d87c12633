"""Every action: what the sender is told, and what becomes of the mail; of two the stronger one."""
import itertools
import re
import subprocess

import pytest
from fake_backend import FakeBackend
from gatehouse import Client, Gatehouse

# Mildest first: of two the later one is done.
ACTIONS = ["none", "tag", "greylist", "redirect", "quarantine", "defer", "reject", "discard"]
RULES = "".join(f"body ON_{a.upper()} /word-{a}/\nscore ON_{a.upper()} 0.01\n" for a in ACTIONS)
POLICY = ('policy default { tag = off reject = off redirect-to = spam@example.org actions = {%s} }\n'
          % ", ".join(f'"ON_{a.upper()}={a}"' for a in ACTIONS) +
          'policy grey { recipients = {grey@example.org} tag = off greylist = 5 redirect = 7 redirect-to = spam@example.org\n'
          '  quarantine = 9 reject = 11 discard = 13 }\n'
          'networks { trusted = {10.0.0.1} internal = {10.0.0.1} }\nfilter greylist { enabled = on }\nfilter iprev { enabled = off }\n')
SCORES = "".join(f"body SCORE_{n} /score-{n}\\b/\nscore SCORE_{n} {n}\n" for n in (4, 5, 7, 9, 11, 13))


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("actions")
    (folder / "own.cf").write_text(RULES + SCORES)
    with FakeBackend() as backend, Gatehouse(folder / "gate", backend=backend.port, extra=POLICY,
                                             rules=f'rules {{ paths = {{"{folder}/own.cf"}} }}') as g:
        g.backend = backend
        yield g


def outcome(g, words, rcpt="bob@example.org"):
    """(reply, what became of it)"""
    before, held = len(g.backend.messages), quarantine(g)
    with Client(g.port) as c:
        c.hello()
        code, text = c.mail(rcpt, body=b"From: ada@example.net\r\nSubject: x\r\n\r\n" + " ".join(words).encode() + b"\r\n")
    assert re.search(r"\(\w{12}\)$", text), "each answer carries an id"
    new = g.backend.messages[before:]
    if new:
        assert len(new) == 1 and quarantine(g) == held
        to = new[0]["rcpt"][0].split(b"<")[1].split(b">")[0].decode()
        return code, text, "tagged" if b"X-Spam-Flag: YES" in new[0]["data"] and to == rcpt else to
    return code, text, "held" if quarantine(g) > held else "nowhere"


def quarantine(g):
    folder = g.state / "quarantine"
    return sum(1 for p in folder.glob("2*/*")) if folder.exists() else 0


EXPECTED = {
    "none": (250, "2.0.0 taken", "bob@example.org"),
    "tag": (250, "2.0.0 taken", "tagged"),
    "greylist": (451, "4.7.1 Greylisted, please try again in ", "nowhere"),
    "redirect": (250, "2.0.0 taken", "spam@example.org"),
    "quarantine": (250, "2.0.0 Ok: held for inspection", "held"),
    "defer": (451, "4.7.1 Please try again later", "nowhere"),
    "reject": (554, "5.7.1 Message refused as spam", "nowhere"),
    "discard": (250, "2.0.0 Ok", "nowhere"),
}


@pytest.mark.parametrize("action", EXPECTED)
def test_action_of_a_symbol(gate, action):
    code, text, fate = outcome(gate, [f"word-{action}"])
    want = EXPECTED[action]
    assert (code, fate) == (want[0], want[2]) and text.startswith(want[1])


@pytest.mark.parametrize("mild,strong", itertools.combinations(EXPECTED, 2))
def test_of_two_the_stronger(gate, mild, strong):
    code, text, fate = outcome(gate, [f"word-{mild}", f"word-{strong}"])
    assert (code, fate) == (EXPECTED[strong][0], EXPECTED[strong][2])


@pytest.mark.parametrize("score,action", [(4, "none"), (5, "greylist"), (7, "redirect"), (9, "quarantine"), (11, "reject"),
                                          (13, "discard")])
def test_level(gate, score, action):
    code, text, fate = outcome(gate, [f"score-{score}"], "grey@example.org")
    if action == "greylist":
        assert (code, fate) == (451, "nowhere") and re.match(r"4\.7\.1 Greylisted, please try again in \d+ seconds", text)
    else:
        want = EXPECTED[action][2]
        assert (code, fate) == (EXPECTED[action][0], "grey@example.org" if want == "bob@example.org" else want)


def test_what_was_done_is_logged_and_counted(gate):
    before = gate.status()
    for action in EXPECTED:
        outcome(gate, [f"word-{action}"])
    after = gate.status()
    grown = {k: after[k] - before[k] for k in ("messages", "accepted", "tagged", "redirected", "quarantined", "deferred", "rejected")}
    assert grown == {"messages": 8, "accepted": 3, "tagged": 1, "redirected": 1, "quarantined": 1, "deferred": 2, "rejected": 1}
    log = gate.log()
    for action in set(EXPECTED) - {"none"}:
        assert f" action={action} " in log


def test_milter_and_scan_judge_alike(gate, tmp_path):
    for action in set(EXPECTED) - {"greylist"}: # scan has no memory of senders
        (tmp_path / "mail").write_text(f"Subject: x\n\nword-{action}\n")
        done = subprocess.run([gate.program, "scan", "-c", str(gate.conf), "--json", "--client", "192.0.2.1", "--from", "a@example.net",
                               "--rcpt", "bob@example.org", str(tmp_path / "mail")], capture_output=True, text=True, timeout=60)
        assert f'"action":"{"accept" if action == "none" else action}"' in done.stdout.replace(": ", ":")
