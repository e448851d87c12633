"""What `check`, `rules` and `scan` tell of rules, and what a rule finds in a mail that went through other hands."""
import json
import subprocess

import pytest
from gatehouse import PROGRAM, Client, Gatehouse

RULES = """\
body   PLAIN   /plain words/
score  PLAIN   1
body   EVIL    /^(?:a+|b+)+\\d$/
header ENV     EnvelopeFrom =~ /\\S/
score  ENV     1
header WHEN    eval:no_such_function()
meta   BOTH    PLAIN && ENV
"""
MAIL = b"Return-Path: <list@example.net>\r\nReceived: from a [192.0.2.1] by b with IMAP (%s)\r\n\tfor c; Tue, 8 Oct 2002 " \
       b"12:27:18 +0100\r\nX-Sender: ann@example.org\r\nSubject: t\r\n\r\nplain words\r\n\r\n" + b"a" * 60 + b"x\r\n"


@pytest.fixture(name="folder")
def with_rules(tmp_path):
    (tmp_path / "r.cf").write_text(RULES)
    (tmp_path / "conf").write_text("rules { rule-budget = 2ms }\n")
    (tmp_path / "mail.eml").write_bytes(MAIL.replace(b"%s", b"agent"))
    return tmp_path


def run(*args):
    return subprocess.run([PROGRAM, *map(str, args)], capture_output=True, text=True, timeout=60)


def test_check_reports_rule_by_rule(folder):
    p = run("check", "-c", folder / "conf", "--rules", folder / "r.cf", "--json")
    rules = json.loads(p.stdout)["rules"]
    by_name = {r["name"]: r for r in rules["list"]}
    assert rules["total"] == 5 and rules["unsupported"] == 1 and rules["by_type"]["body"] == 2
    assert by_name["WHEN"]["status"] == "unsupported" and "no_such_function" in by_name["WHEN"]["reason"]
    assert by_name["BOTH"]["status"] == "supported"
    kinds = {(n["name"], n["kind"]) for n in rules["notes"]}
    assert kinds == {("EVIL", "may-take-long"), ("EVIL", "no-score"), ("WHEN", "no-score"), ("BOTH", "no-score")}
    text = run("check", "-c", folder / "conf", "--rules", folder / "r.cf", "-v").stdout
    assert "note: EVIL: repeats a repetition" in text and "types: 1 header, 2 body, 1 meta, 1 header eval" in text


def test_scan_tells_the_slowest_rules(folder):
    p = run("scan", "-c", folder / "conf", "--offline", "--rules", folder / "r.cf", "--slowest", "3", folder / "mail.eml")
    lines = [line.split() for line in p.stderr.splitlines()]
    at = next(i for i, line in enumerate(lines) if line[:2] == ["slowest", "rules"])
    assert lines[at + 1][0] == "EVIL" and lines[at + 1][-1] == "1", p.stderr


@pytest.mark.parametrize("agent, found", [(b"agent", True), (b"fetchmail-5.9.0", False)])
def test_reverse_path_that_fetchmail_made_up(folder, agent, found):
    """Where list software wrote X-Sender, fetchmail takes that for the reverse-path."""
    (folder / "mail.eml").write_bytes(MAIL.replace(b"%s", agent))
    p = run("scan", "-c", folder / "conf", "--offline", "--json", "--rules", folder / "r.cf", folder / "mail.eml")
    assert ("ENV" in {h["symbol"] for h in json.loads(p.stdout)["hits"]}) == found


# ---- what rule files do beyond a score ----

DEEDS = """\
body   NO      /refuse me/
body   LATER   /wait a while/
body   ASIDE   /put aside/
body   QUIET   /only watched/
body   TRIED   /in trial/
body   HEAVY   /heavy words/
score  HEAVY   20
score  TRIED   20
if can(Gatehouse::action)
action NO      reject "We do not take this"
action LATER   defer "Come again"
action ASIDE   quarantine
action QUIET   reject "never said"
shadow QUIET TRIED
endif
"""


def test_actions_and_shadow_over_smtp(place):
    (place / "r.cf").write_text(DEEDS)
    with Gatehouse(place / "g", rules=f'rules {{ paths = {{"{place}/r.cf"}} }}',
                   extra="policy default { quarantine = 50  reject = 12 }") as gate:
        replies = {}
        for words in ("refuse me", "wait a while", "put aside", "only watched", "in trial", "heavy words", "nothing"):
            with Client(gate.port) as c:
                c.hello()
                replies[words] = c.mail(body=b"Subject: t\r\n\r\n" + words.encode() + b"\r\n")
        assert replies["refuse me"][0] == 554 and replies["refuse me"][1].startswith("5.7.1 We do not take this")
        assert replies["wait a while"][0] == 451 and replies["wait a while"][1].startswith("4.7.1 Come again")
        assert replies["heavy words"][0] == 554
        assert {replies[w][0] for w in ("put aside", "only watched", "in trial", "nothing")} == {250}
        delivered = b"".join(gate.delivered())
        assert b"put aside" not in delivered and b"only watched" in delivered and b"in trial" in delivered
        line = next(x for x in gate.lines if "QUIET" in x and "event=transaction" in x)
        assert "action=accept" in line


def test_rules_do_not_see_the_words_of_other_filters(folder):
    (folder / "r.cf").write_text("header A X-Spam-Flag =~ /YES/\nheader B exists:X-Spam-Status\nheader C ALL =~ /spam-/i\n"
                                 "header D ALL =~ /^Subject: t$/m\nheader E X-Spam-Relays-Untrusted =~ /192/\n")
    (folder / "mail.eml").write_bytes(b"X-Spam-Flag: YES\r\nx-spam-status: No\r\n" + MAIL.replace(b"IMAP", b"SMTP"))
    p = run("scan", "-c", folder / "conf", "--offline", "--json", "--rules", folder / "r.cf", folder / "mail.eml")
    assert {h["symbol"] for h in json.loads(p.stdout)["hits"]} & set("ABCDE") == {"D", "E"}


def test_mistakes_are_told_at_their_lines(folder):
    (folder / "two.cf").write_text("include one.cf\n")
    (folder / "one.cf").write_text("body A /open(/\nbody B /[z-a]/\nbody C /*x/\nbody D /(?<=a+)b/\nbody E /shut)/\n"
                                   "body F /[x/\nbody G /x\\\\/\ninclude two.cf\ninclude none.cf\ninclude\nbody H /^*a/\n"
                                   "body I eval:unheard_of()\nbdoy J /x/\n")
    p = run("check", "--rules", folder / "one.cf")
    assert p.returncode == 78
    where = {line.split(": ")[0][len(f"{folder}/"):]: line.split(": ", 1)[1] for line in p.stderr.splitlines()
             if line.startswith(f"{folder}/")}
    assert list(where) == ["two.cf:1", "one.cf:9", "one.cf:10", "one.cf:13", "one.cf:1", "one.cf:2", "one.cf:3",
                           "one.cf:5", "one.cf:6"]
    assert where["two.cf:1"] == f"{folder}/one.cf: includes itself"
    assert where["one.cf:9"] == f"{folder}/none.cf: No such file or directory"
    assert where["one.cf:13"] == 'unknown directive "bdoy": did you mean "body"?'
    assert where["one.cf:10"] == "include without the name of a file"
    assert where["one.cf:1"] == "A: pattern, at offset 5: missing closing parenthesis"
    # Unsupported ones are no mistakes.
    (folder / "one.cf").write_text("body D /(?<=a+)b/\nbody H /^*a/\nbody I eval:unheard_of()\n")
    assert run("check", "--rules", folder / "one.cf").returncode == 0
