"""What filters report and what rule files say of it: metas see the filters' symbols behind every door,
and a fact counts once, whoever tells it."""
import json
import os
import subprocess
from pathlib import Path

import pytest
from fake_clamd import FakeClamd
from gatehouse import PROGRAM, Client, Gatehouse

STOCK = Path("/usr/share/spamassassin")
ZONE = """\
fail.example. 60 IN TXT "v=spf1 -all"
_dmarc.fail.example. 60 IN TXT "v=DMARC1; p=reject"
9.113.0.203.bl.example. 60 IN A 127.0.0.2
"""
RULES = r"""
header   __LURE            Subject =~ /invoice/
meta     ACME_SPF          SPF_FAIL && __LURE
score    ACME_SPF          3
meta     ACME_NOT_SPF      !SPF_FAIL
meta     ACME_SUM          SPF_FAIL + DMARC_FAIL_REJECT + IPREV_NONE + NOBODY_SAYS > 2
meta     ACME_LISTED       DNSBL_BL
meta     ACME_VIRUS        CLAMD_FOUND
meta     ACME_OF_META      ACME_SPF && !ACME_NOT_SPF
meta     ACME_ANY          rules_matching(SPF_*) > 0
"""
MAIL = b"From: Eve <eve@fail.example>\r\nTo: bob@example.org\r\nSubject: your invoice\r\n\r\nPay.\r\n"


def result_of(folder, rules, config="", mail=MAIL, zone=ZONE):
    """What `scan` says with these rules (text, or a path)."""
    (folder / "zone").write_text(zone)
    (folder / "conf").write_text(f"hostname = gate.example.org\nrelay {{ domains = {{example.org}} }}\n{config}\n")
    if isinstance(rules, str):
        (folder / "rules.cf").write_text(rules)
        rules = folder / "rules.cf"
    (folder / "mail.eml").write_bytes(mail)
    p = subprocess.run([PROGRAM, "scan", "-c", folder / "conf", "--zone", folder / "zone", "--client", "203.0.113.9",
                        "--helo", "host.fail.example", "--from", "eve@fail.example", "--json", "--rules", rules,
                        folder / "mail.eml"], capture_output=True, text=True, timeout=120)
    assert p.returncode in (0, 1), p.stderr
    return json.loads(p.stdout)


def hits_of(*args, **options):
    """symbol → hit"""
    hits = result_of(*args, **options)["hits"]
    names = [h["symbol"] for h in hits]
    assert len(names) == len(set(names)), "a symbol hits once"
    return {h["symbol"]: h for h in hits}


def test_metas_see_filters(tmp_path):
    hits = hits_of(tmp_path, RULES, "dnslist bl { zone = bl.example probe = off }")
    assert {"SPF_FAIL", "DNSBL_BL", "DMARC_FAIL_REJECT"} <= set(hits)
    assert {"ACME_SPF", "ACME_SUM", "ACME_LISTED", "ACME_OF_META", "ACME_ANY"} <= set(hits)
    assert not {"ACME_NOT_SPF", "ACME_VIRUS"} & set(hits)
    assert hits["ACME_SPF"]["score"] == 3


def test_a_score_of_zero_takes_a_meta_out(tmp_path):
    """It doesn't hit, and is nothing to those that name it; four scores are for four sets."""
    hits = hits_of(tmp_path, RULES + """
meta     ACME_ZERO         __LURE
score    ACME_ZERO         0
meta     ACME_OTHER_SET    __LURE && !ACME_VIRUS
score    ACME_OTHER_SET    0 0 1 1
meta     ACME_OF_ZERO      ACME_ZERO || ACME_OTHER_SET
meta     ACME_NOT_ZERO     __LURE && !ACME_ZERO && !ACME_OTHER_SET
""")
    assert "ACME_NOT_ZERO" in hits
    assert not {"ACME_ZERO", "ACME_OTHER_SET", "ACME_OF_ZERO"} & set(hits)


def test_metas_see_the_virus_scanner(tmp_path):
    with FakeClamd(tmp_path / "clamd", {b"Pay": "Test.Virus"}):
        hits = hits_of(tmp_path, RULES, f'filter clamd {{ enabled = yes  address = "unix:{tmp_path}/clamd" }}')
    assert {"CLAMD_FOUND", "ACME_VIRUS"} <= set(hits)


def test_filter_that_is_off_or_in_shadow_says_nothing(tmp_path):
    for how in ("enabled = off", "shadow = on"):
        hits = hits_of(tmp_path, RULES, f"filter spf {{ {how} }}")
        assert "ACME_NOT_SPF" in hits and "ACME_SPF" not in hits, how


def test_through_smtp(place):
    (place / "r.cf").write_text(RULES)
    with Gatehouse(place / "g", rules=f'rules {{ paths = {{"{place}/r.cf"}} }}', listen_settings="proxy-from = {127.0.0.1}",
                   extra="filter bots { enabled = off }") as gate:
        gate.zone.write_text(ZONE)
        gate.stop()
        gate.start()
        with Client(gate.port, greet=False) as c:
            c.send("PROXY TCP4 203.0.113.9 127.0.0.1 4321 25\r\n")
            c.reply()
            c.hello("host.fail.example")
            c.mail(sender="eve@fail.example", body=MAIL)
        line = gate.wait_log("event=transaction")
    assert "ACME_SPF(3" in line and "ACME_OF_META" in line and "ACME_NOT_SPF" not in line, line


def test_files_have_a_say_in_symbols(tmp_path):
    config = "policy default { tag = 3  reject = 50 }"
    zone = ZONE.replace("p=reject", "p=none")
    plain = result_of(tmp_path, "body X /zzz/\n", config, zone=zone)
    said = result_of(tmp_path, 'score SPF_FAIL 1.25\nshadow IPREV_NONE\naction DMARC_FAIL_NONE quarantine "held"\n',
                     config, zone=zone)
    assert plain["action"] == "tag" and said["action"] == "quarantine"
    assert {h["symbol"]: h["score"] for h in said["hits"]}["SPF_FAIL"] == 1.25
    assert abs(plain["score"] - said["score"] - (2.0 - 1.25) - 1.5) < 0.001


@pytest.mark.parametrize("score, own", [("score SPF_FAIL 0.5", 0.5), ("", 1.0)])
def test_a_rule_of_a_filters_name_counts_once(tmp_path, score, own):
    """The rule decides, its score counts, its definition need not be the filter's."""
    hits = hits_of(tmp_path, f"body SPF_FAIL /Pay/\n{score}\nmeta HAS SPF_FAIL\n")
    assert hits["SPF_FAIL"]["score"] == own and "HAS" in hits
    hits = hits_of(tmp_path, f"body SPF_FAIL /nothing like it/\n{score}\nmeta HAS SPF_FAIL\n")
    assert hits["SPF_FAIL"]["score"] == 0 and "HAS" not in hits
    hits = hits_of(tmp_path, f"body SPF_FAIL /Pay/\n{score}\n", zone="")
    assert hits["SPF_FAIL"]["score"] == own


def test_a_rule_that_does_not_run_leaves_the_word_to_the_filter(tmp_path):
    hits = hits_of(tmp_path, "header SPF_FAIL eval:no_such_function()\nscore SPF_FAIL 0.5\nmeta HAS SPF_FAIL\n")
    assert hits["SPF_FAIL"]["score"] == 0.5 and "HAS" in hits


@pytest.mark.skipif(not STOCK.is_dir(), reason="skipped: SpamAssassin is missing")
def test_stock_rules_and_filters_count_a_fact_once(tmp_path):
    hits = hits_of(tmp_path, STOCK)
    pairs = {"DMARC_FAIL_REJECT": "DMARC_REJECT", "IPREV_NONE": "RDNS_NONE"}
    for ours, theirs in pairs.items():
        assert hits[ours]["score"] == 0 and hits[theirs]["score"] > 0, (ours, theirs)
    assert hits["SPF_FAIL"]["score"] == 0.919
    # DMARC_NONE of the stock rules is a failure without a policy; ours is no policy.
    hits = hits_of(tmp_path, STOCK, zone="")
    assert hits["DMARC_NONE"]["score"] == 0 and "DMARC_MISSING" in hits


def test_explain_tells_where_a_symbol_comes_from(tmp_path):
    (tmp_path / "r.cf").write_text(RULES)
    out = subprocess.run([PROGRAM, "rules", "explain", "SPF_FAIL", "ACME_SPF", "--rules", tmp_path / "r.cf"],
                         capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"}).stdout
    assert "by filter spf" in out and "used by    ACME_SPF" in out and "SPF_FAIL                     filter" in out
