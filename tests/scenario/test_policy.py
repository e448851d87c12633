"""Policies through the SMTP door: what each recipient is told, and what the backend gets."""
import re

import pytest
from fake_backend import FakeBackend
from gatehouse import Client, Gatehouse

ZONE = """\
example.net. 60 IN A 192.0.2.1
example.net. 60 IN TXT "v=spf1 ip4:127.0.0.0/8 -all"
forged.example. 60 IN A 192.0.2.1
forged.example. 60 IN TXT "v=spf1 -all"
"""
BODY = b"From: ada@example.net\r\nSubject: hello\r\n\r\nhi\r\n"


@pytest.fixture
def gate(tmp_path):
    """gate(text of policies and lists) → a running gateway with .backend."""
    started = []

    def start(extra, **settings):
        backend = FakeBackend()
        g = Gatehouse(tmp_path / "gate", backend=backend.port,
                      extra=extra + "\nnetworks { trusted = {10.0.0.1} internal = {10.0.0.1} }",
                      dns=f'zone-file = "{tmp_path / "zone"}"', **settings)
        (tmp_path / "zone").write_text(ZONE)
        g.backend = backend
        g.start()
        started.append(g)
        return g

    yield start
    for g in started:
        g.stop()
        g.backend.stop()


def send(g, sender="ada@example.net", rcpt=("bob@example.org",), body=BODY):
    """The replies to each RCPT, and the one to the content (None if there was none)."""
    with Client(g.port) as c:
        c.hello()
        assert c.code(f"MAIL FROM:<{sender}>") == 250
        replies = [c.cmd(f"RCPT TO:<{r}>") for r in rcpt]
        if not any(code == 250 for code, _ in replies):
            return replies, None
        assert c.code("DATA") == 354
        c.send(body + b".\r\n")
        return replies, c.reply()


def test_tag_subject_and_report(gate):
    g = gate('policy default { tag = 1 reject = off subject-tag = "[SPAM {score}]" scores = {"SPF_FAIL=2.5", "HELO_UNRESOLVABLE=0"} }\n'
             'filter iprev { enabled = off }')
    _, (code, text) = send(g, "eve@forged.example")
    assert code == 250
    mail = g.backend.messages[0]["data"]
    assert b"\r\nSubject: [SPAM 2.5] hello\r\n" in mail
    assert b"X-Spam-Flag: YES\r\n" in mail and b"X-Spam-Score: 2.5\r\n" in mail
    assert re.search(rb"X-Spam-Report:\r\n(\t.*\r\n)*\t\*  2\.5 SPF_FAIL .*\r\n", mail)
    send(g)
    assert b"\r\nSubject: hello\r\n" in g.backend.messages[1]["data"]
    assert b"X-Spam-Flag" not in g.backend.messages[1]["data"]


def test_refusal_text_is_a_setting_and_carries_the_id_once(gate):
    g = gate('policy default { actions = {"SPF_FAIL=reject"} '
             'replies = {"SPF_FAIL=550 5.7.23 {symbol} for {sender} from {client}, ask us about {id}"} }')
    replies, _ = send(g, "eve@forged.example")
    code, text = replies[0]
    assert code == 550
    assert re.fullmatch(r"5\.7\.23 SPF_FAIL for eve@forged\.example from 127\.0\.0\.1, ask us about \w{12}", text)
    assert g.backend.messages == []


def test_score_rejects_after_content(gate):
    g = gate('policy default { scores = {"SPF_FAIL=20"} }')
    replies, (code, text) = send(g, "eve@forged.example")
    assert replies[0][0] == 250 and code == 554 and text.startswith("5.7.1 Message refused as spam (")
    assert g.backend.messages == []
    assert g.wait_log(r'transaction .*action=reject .*policy=default why="score [0-9.]+, reject from 12\.0" hits=SPF_FAIL\(20\.00\),')


def test_deny_and_allow(gate, tmp_path):
    (tmp_path / "bad").write_text("# senders\nforged.example\nexample.net\n")
    g = gate(f'list bad {{ type = domains file = "{tmp_path}/bad" }}\n'
             'list good { type = domains entries = {example.net} }\n'
             'policy default { deny = {bad} allow = {good} replies = {"deny=550 5.7.1 Not from {sender}"} }')
    replies, _ = send(g, "eve@forged.example")
    assert replies[0][0] == 550 and replies[0][1].startswith("5.7.1 Not from eve@forged.example (")
    assert send(g)[1][0] == 250  # SPF passes: allowed
    replies, _ = send(g, "x@forged.example", rcpt=("postmaster@example.org",))
    assert replies[0][0] == 250


def test_forged_sender_is_not_allowed(gate):
    g = gate('list good { type = domains entries = {forged.example} }\n'
             'policy default { allow = {good} actions = {"SPF_FAIL=reject"} }')
    assert send(g, "eve@forged.example")[0][0][0] == 550


def test_discard_when_named(gate):
    g = gate('policy default { discard = 20 scores = {"SPF_FAIL=30"} }')
    assert send(g, "eve@forged.example")[1][0] == 250
    assert g.backend.messages == []
    assert g.wait_log("action=discard")


def test_different_actions_are_split(gate):
    g = gate('policy strict { recipients = {"strict@example.org"} quarantine = 3 }', )
    replies, last = send(g, rcpt=("bob@example.org", "strict@example.org", "eve@example.org"))
    assert [r[0] for r in replies] == [250, 452, 250]
    assert replies[1][1].startswith("4.5.3 ")
    assert last[0] == 250 and len(g.backend.messages[0]["rcpt"]) == 2


def test_different_thresholds_agree_or_come_again(gate):
    g = gate('policy strict { recipients = {"strict@example.org"} reject = 6 scores = {"SPF_FAIL=8"} }\n'
             'policy default { scores = {"SPF_FAIL=8"} }')
    both = ("bob@example.org", "strict@example.org")
    replies, last = send(g, rcpt=both)
    assert [r[0] for r in replies] == [250, 250] and last[0] == 250
    replies, last = send(g, "eve@forged.example", rcpt=both)
    assert [r[0] for r in replies] == [250, 250] and last[0] == 451 and last[1].startswith("4.5.3 ")
    assert len(g.backend.messages) == 1


def test_words_of_what_is_split(gate):
    g = gate('policy default { scores = {"SPF_FAIL=8"} replies = {"disagree=451 4.7.1 One at a time, {sender}"} }\n'
             'policy held { recipients = {held@example.org} quarantine = 3 '
             'replies = {"other-message=450 4.7.1 {recipient} later, says {policy}"} }\n'
             'policy strict { recipients = {strict@example.org} reject = 6 scores = {"SPF_FAIL=8"} }')
    replies, last = send(g, "eve@forged.example", rcpt=("bob@example.org", "held@example.org", "strict@example.org"))
    assert replies[1][0] == 450 and re.match(r"4\.7\.1 held@example\.org later, says held \(\w{12}\)", replies[1][1])
    assert last[0] == 451 and last[1].startswith("4.5.3 Recipients' policies differ")  # the strictest's words
    g.stop()
    g.conf.write_text(g.text.replace("policy strict { ", 'policy strict { replies = {"disagree=451 4.7.1 One at a time, {sender}"} '))
    g.start()
    _, last = send(g, "ada@forged.example", rcpt=("bob@example.org", "strict@example.org"))
    assert last[0] == 451 and last[1].startswith("4.7.1 One at a time, ada@forged.example (")


def test_shadow_policy_is_only_noted(gate):
    g = gate('policy try { shadow = on recipients = {"@example.org"} reject = 6 scores = {"SPF_FAIL=8"} }')
    assert send(g, "eve@forged.example")[1][0] == 250
    assert g.wait_log("policy=default .*shadow_policy=try would=reject")


REDIRECT = ('policy default { redirect = 6 redirect-to = spam@example.org scores = {"SPF_FAIL=8"} }\n'
            'policy own { recipients = {own@example.org} redirect = 6 redirect-to = mine@example.org scores = {"SPF_FAIL=8"} }\n'
            'filter iprev { enabled = off }')


def test_redirect(gate):
    g = gate(REDIRECT)
    forged = b"X-Gatehouse-Original-To: <root@example.org>\r\n" + BODY
    replies, last = send(g, "eve@forged.example", rcpt=("bob@example.org", "own@example.org", "eve@example.org"), body=forged)
    assert [r[0] for r in replies] == [250, 452, 250]  # another address is another action
    assert last[0] == 250
    (mail,) = g.backend.messages
    assert mail["rcpt"] == [b"RCPT TO:<spam@example.org>"] and mail["mail"].startswith(b"MAIL FROM:<eve@forged.example>")
    assert re.findall(rb"(?m)^X-Gatehouse-.*", mail["data"]) == [b"X-Gatehouse-Original-To: <bob@example.org>\r",
                                                                b"X-Gatehouse-Original-To: <eve@example.org>\r"]
    assert b"X-Spam-Flag: YES\r\n" in mail["data"]
    assert g.wait_log(r'transaction .*action=redirect .*why="score [0-9.]+, redirect from 6\.0" redirect=spam@example\.org')
    assert send(g, "eve@forged.example", rcpt=("own@example.org",))[1][0] == 250
    assert g.backend.messages[1]["rcpt"] == [b"RCPT TO:<mine@example.org>"]
    assert send(g)[1][0] == 250
    assert g.backend.messages[2]["rcpt"] == [b"RCPT TO:<bob@example.org>"] and b"X-Gatehouse-" not in g.backend.messages[2]["data"]
    assert g.status()["redirected"] == 2


def test_redirect_of_a_symbol(gate):
    g = gate('policy default { redirect-to = spam@example.org actions = {"SPF_FAIL=redirect"} }')
    assert send(g, "eve@forged.example")[1][0] == 250
    assert g.backend.messages[0]["rcpt"] == [b"RCPT TO:<spam@example.org>"]
    assert g.wait_log("action=redirect .*why=SPF_FAIL redirect=spam@example.org")


@pytest.mark.parametrize("reply,want", [(b"550 5.1.1 Who\r\n", 451), (b"450 4.2.1 Later\r\n", 451), ("close", 451)])
def test_redirect_that_is_not_taken_keeps_the_mail_with_the_sender(gate, reply, want):
    g = gate(REDIRECT)
    g.backend.script["RCPT"] = [b"250 2.1.5 Ok\r\n", reply]
    replies, last = send(g, "eve@forged.example")
    assert replies[0][0] == 250 and last[0] == want
    assert g.backend.messages == []


def test_redirect_to_the_backend_of_its_domain(gate, tmp_path):
    with FakeBackend() as other:
        g = gate(f'backend other {{ address = 127.0.0.1:{other.port} domains = {{spam.example.org}} }}\n'
                 'policy default { redirect = 6 redirect-to = all@spam.example.org scores = {"SPF_FAIL=8"} }')
        assert send(g, "eve@forged.example")[1][0] == 250
        assert g.backend.messages == [] and other.messages[0]["rcpt"] == [b"RCPT TO:<all@spam.example.org>"]


def test_replies_of_several_lines(gate):
    g = gate('policy default { replies = {"SPF_FAIL=550 5.7.23 Not from {client}:\\nsee %s\\nor call us ({id})"} '
             'actions = {"SPF_FAIL=reject"} }')
    replies, _ = send(g, "eve@forged.example")
    assert replies[0][0] == 550
    assert re.fullmatch(r"5\.7\.23 Not from [0-9.]+:\n5\.7\.23 see %s\n5\.7\.23 or call us \([0-9a-zBC]{12}\)", replies[0][1])


CODES = """\
nomail.example. 60 IN MX 0 .
nomail.example. 60 IN TXT "v=spf1 ip4:127.0.0.1 -all"
half.example. 60 IN MX 0 .
half.example. 60 IN MX 10 mx.half.example.
strict.example. 60 IN A 192.0.2.1
broken.example. 60 IN TXT "v=spf1 nonsense -all"
_dmarc.strict.example. 60 IN TXT "v=DMARC1; p=reject"
;! slow.example SERVFAIL
"""


@pytest.mark.parametrize("sender,policy,want", [
    ("eve@nomail.example", "", (550, "5.7.27 Sender's domain nomail.example takes no mail")),
    ("eve@nomail.example", 'replies = {"SENDER_NULL_MX=550 5.7.1 Not from {sender}"}', (550, "5.7.1 Not from eve@nomail.example")),
    ("eve@half.example", "", (250, "")),
    ("<>", "", (250, "")),
    ("eve@forged.example", 'actions = {"SPF_FAIL=reject"}', (550, "5.7.23 ")),
    ("eve@slow.example", "", (451, "4.7.24 ")),
    ("ada@strict.example", 'actions = {"DMARC_FAIL_REJECT=reject"}', (550, "5.7.26 ")),
    ("ada@example.net", 'actions = {"IPREV_NONE=reject"}', (550, "5.7.25 ")),
    ("eve@nomail.example", 'actions = {"SENDER_NULL_MX=defer"}', (451, "4.7.27 ")),
    ("eve@forged.example", 'actions = {"SPF_FAIL=defer"}', (451, "4.7.23 ")),
    ("eve@broken.example", 'actions = {"SPF_PERMERROR=reject"}', (550, "5.7.24 ")),
    ("ada@example.net", 'actions = {"DKIM_NONE=reject"}', (550, "5.7.20 ")),
    ("ada@example.net", 'actions = {"CONTENT_LONG_LINE=reject"}', (250, "")),
])
def test_codes(gate, tmp_path, sender, policy, want):
    g = gate(f"policy default {{ {policy} }}\nfilter spf {{ on-error = defer }}")
    (tmp_path / "zone").write_text(ZONE + CODES)
    g.stop()
    g.start()
    sender = "" if sender == "<>" else sender
    replies, last = send(g, sender, body=BODY.replace(b"ada@example.net", (sender or "ada@example.net").encode()))
    code, text = replies[0] if replies[0][0] != 250 else last
    assert code == want[0] and text.startswith(want[1]), (code, text)
    if code != 250:
        assert re.search(r"\(\w{12}\)$", text)
