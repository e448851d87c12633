"""gatehouse check and the program's own options, from outside."""
import json
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent.parent
GATEHOUSE = TOP / "build/gatehouse"


def run(*args):
    p = subprocess.run([GATEHOUSE, *map(str, args)], capture_output=True, text=True, timeout=60)
    return p.returncode, p.stdout, p.stderr


def check_json(*args):
    code, out, err = run("check", "--json", *args)
    assert out.count("\n") == 1 and err == ""
    report = json.loads(out)
    assert report["ok"] == (code == 0) and code in (0, 78)
    return report


@pytest.fixture
def conf(tmp_path):
    def write(text, name="gatehouse.conf"):
        path = tmp_path / name
        path.write_text(text)
        return path
    return write


GOOD = """hostname = mx.example.org
user = nobody
listen smtp { address = 0.0.0.0:25 }
backend main { address = 127.0.0.1:10025  client-info = xclient }
relay { domains = {example.org} }
"""


def test_good(conf):
    path = conf(GOOD)
    report = check_json("-c", path)
    assert report["errors"] == [] and report["warnings"] == []
    assert report["relay"]["leaks"] == 0 and report["relay"]["probes"] > 100
    assert report["rules"]["total"] == 0 and report["rules"]["list"] == []
    code, out, err = run("check", "-c", path)
    assert code == 0 and err == "" and "The configuration is good." in out


def test_errors(conf):
    path = conf(GOOD + "\nlimits { recipients = none\n  sesions = 5 }\n")
    report = check_json("--config", path)
    assert [(e["file"], e["line"]) for e in report["errors"]] == [(str(path), 7), (str(path), 8)]
    assert "did you mean 'sessions'" in report["errors"][1]["message"]
    assert report["relay"]["probes"] == 0
    code, out, err = run("check", "-c", path)
    assert code == 78 and "good" not in out
    assert err.splitlines()[0] == f"{path}:7: recipients: 'none' is not a whole number"


def test_open_relay(conf):
    path = conf(GOOD.replace("{example.org} }", "{example.org}\n networks = {0.0.0.0/0} }"))
    report = check_json("-c", path)
    assert report["relay"]["leaks"] > 0 and report["relay"]["list"][0]["reason"] == "relay.networks has 0.0.0.0/0"
    assert [(e["line"], e["message"][:10]) for e in report["errors"]] == [(6, "open relay")]
    assert any("0.0.0.0/0" in w["message"] for w in report["warnings"])
    assert run("check", "-c", path)[0] == 78


def test_what_is_said_in_vain(conf, tmp_path):
    (tmp_path / "own.cf").write_text("body PILLS /pills/\n")
    path = conf(GOOD + f"""rules {{ paths = {{"{tmp_path}/own.cf"}} }}
dnslist own {{ zone = bl.example.org }}
policy default {{
  scores = {{"SPF_FIAL=3", "SPF_FAIL=2", "PILLS=1", "DNSBL_OWN=1"}}
  actions = {{"PILS=reject"}}
  replies = {{"reject=550 5.7.1 no", "rejct=550 5.7.1 no"}}
  greylist = 3
  subject-tag = "[{{score}} {{scor}}]"
}}
policy two {{ clients = {{192.0.2.0/24}} replies = {{"reject=550 5.7.1 {{id}} {{recpient}}"}} }}
policy three {{ clients = {{192.0.3.0/24}} actions = {{"SPF_FAIL=greylist"}} }}
filter sender_login {{
  permit = {{"ada ada@example.org", "bob: bob", "eve:", "*: {{login}}", "x: @example.org y@example.org"}}
}}
filter forged_from {{ names = {{"PayPal", "Post: post", "Bank: bank.example"}} }}
""")
    report = check_json("-c", path)
    assert report["ok"]
    got = [(w["line"], w["message"]) for w in report["warnings"]]
    assert got == [
        (9, "scores: nothing sets the symbol SPF_FIAL; did you mean SPF_FAIL?"),
        (10, "actions: nothing sets the symbol PILS; did you mean PILLS?"),
        (11, "replies: nothing sets the symbol rejct; did you mean reject?"),
        (13, "subject-tag: {scor} stands for nothing, and is said as it is"),
        (12, got[4][1]),
        (15, "replies: {recpient} stands for nothing, and is said as it is"),
        (16, got[6][1]),
        (18, "permit: 'ada ada@example.org' has no \"name:\" in front: it does nothing"),
        (18, "permit: 'bob: bob' holds what can't match: it does nothing"),
        (18, "permit: 'eve:' has nothing behind its colon: it does nothing"),
        (20, "names: 'Post: post' holds what can't match: it does nothing"),
    ]
    assert got[6][1] == got[4][1] and got[4][1].startswith("greylist: filter greylist is off")
    path = conf(path.read_text() + "filter greylist { enabled = on }\n")
    assert not any("greylist" in w["message"] for w in check_json("-c", path)["warnings"])


def test_warning_is_no_error(conf):
    path = conf(GOOD.replace("client-info = xclient", "client-info = none"))
    report = check_json("-c", path)
    assert report["ok"] and [w["line"] for w in report["warnings"]] == [4]
    assert "mynetworks" in report["warnings"][0]["message"]
    code, _, err = run("check", "-c", path)
    assert code == 0 and f"{path}:4: warning: backend main" in err


def test_rules(conf, tmp_path):
    conf("body A_RULE /abc/\nscore A_RULE 2\nheader B_RULE eval:no_such_function()\n", "a.cf")
    conf("body C_RULE /def/\n", "c.cf")
    report = check_json("--rules", tmp_path / "a.cf", tmp_path / "c.cf")
    rules = {r["name"]: r for r in report["rules"]["list"]}
    assert report["rules"]["total"] == 3 and set(rules) == {"A_RULE", "B_RULE", "C_RULE"}
    assert report["rules"]["supported"] + report["rules"]["approximate"] + report["rules"]["unsupported"] == 3
    assert rules["A_RULE"]["status"] == "supported" and rules["A_RULE"]["type"] == "body"
    assert rules["A_RULE"]["visible"] and rules["A_RULE"]["reason"] == ""
    assert rules["B_RULE"]["status"] == "unsupported" and rules["B_RULE"]["reason"]
    again = check_json("--rules", tmp_path / "a.cf", "--rules", tmp_path / "c.cf")
    assert again["rules"] == report["rules"]
    code, out, _ = run("check", "--rules", tmp_path / "a.cf")
    assert "B_RULE: " in out and "A_RULE" not in out
    assert "A_RULE" in run("check", "-v", "--rules", tmp_path / "a.cf")[1]


def test_rules_from_configuration(conf, tmp_path):
    conf("body A_RULE /abc/\nbody BROKEN /(/\n", "a.cf")
    path = conf(GOOD + f"rules {{ paths = {{'{tmp_path}/a.cf',\n '{tmp_path}/missing.cf'}} }}\n")
    report = check_json("-c", path)
    assert {"A_RULE", "BROKEN"} == {r["name"] for r in report["rules"]["list"]}
    assert (str(path), 6) in {(e["file"], e["line"]) for e in report["errors"]}
    assert any("missing.cf" in e["message"] for e in report["errors"])


def test_missing_files(conf):
    path = conf(GOOD + "tls default {\n certificate = /nonexistent/c.pem }\n")
    assert [e["line"] for e in check_json("-c", path)["errors"]] == [7]
    path = "/nonexistent/gatehouse.conf"
    assert check_json("-c", path)["errors"][0] == {"file": path, "line": 0,
                                                   "message": "No such file or directory"}


def test_octets_in_errors(conf, tmp_path):
    path = tmp_path / "x.conf"
    path.write_bytes(b'hostname = "a\\x1b[31m"\n')
    report = check_json("-c", path)
    assert "\x1b[31m" in report["errors"][0]["message"]
    assert "\x1b" not in run("check", "-c", path)[2]


def test_reference():
    code, out, err = run("check", "--reference")
    assert code == 0 and err == ""
    assert ".It Ic message-size No = Ar" in out and ".Ss filter spf { }" in out
    lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning"], input=out, capture_output=True, text=True)
    assert lint.stdout == "" and lint.returncode == 0
    text = subprocess.run(["mandoc", "-T", "ascii"], input=out, capture_output=True, text=True).stdout
    assert "Largest message" in text
