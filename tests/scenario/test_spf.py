"""The openspf suites through `gatehouse spf --zone`."""
import json
import os
import subprocess

import pytest

import spf_suite

PROGRAM = spf_suite.TOP / os.environ.get("GATEHOUSE", "build/gatehouse")
needs_data = pytest.mark.skipif(not spf_suite.SUITES.is_dir(), reason="no ../shared/data/spf")

# What these suites want otherwise than RFC 7208 does.
NOT_RFC7208 = {
    "rfc4408-tests.yml": {},
    "test.yml": {
        "default-modifier": "default= of early drafts is an unknown modifier, which is ignored (RFC 7208 6)",
        "default-modifier-harsh": "the same; and \"ambiguous\" is no result of RFC 7208",
    },
}


def check(zone_file, client, helo, sender, *more):
    out = subprocess.run(
        [PROGRAM, "spf", "--zone", zone_file, "--client", client, "--helo", helo, "--from", sender, "--json",
         *more], stdout=subprocess.PIPE, check=True, timeout=30).stdout
    return json.loads(out)


def wanted(value):
    return value if isinstance(value, list) else [value]


def run_suite(suite, tmp_path, *more):
    """Names of the cases that don't come out as the suite says, with what came instead; and how many there are."""
    bad, count = {}, 0
    for text, title, test in spf_suite.cases(suite):
        zone_file = tmp_path / "zone"
        zone_file.write_text(text, encoding="ascii")
        got = check(zone_file, str(test["host"]), test["helo"], test["mailfrom"], *more)
        count += 1
        explanation = test.get("explanation")
        if got["result"] not in wanted(test["result"]):
            bad[title] = f"{got['result']} ({got['problem'] or got['mechanism']}), not {test['result']}"
        elif explanation is not None and got["explanation"] != ("" if explanation == "DEFAULT" else explanation):
            bad[title] = f"explanation {got['explanation']!r}, not {explanation!r}"
    return bad, count


@needs_data
def test_rfc7208_suite(tmp_path, capsys):
    bad, count = run_suite("rfc7208-tests.yml", tmp_path)
    with capsys.disabled():
        print(f"\n# count: {count - len(bad)} of {count} rfc7208-tests.yml")
    assert bad == {} and count == 203


@needs_data
def test_rfc7208_suite_by_scan(tmp_path, capsys):
    mail, zone_file, bad, count = tmp_path / "mail", tmp_path / "zone", {}, 0
    mail.write_bytes(b"From: a@x.example\r\n\r\nhi\r\n")
    (tmp_path / "no-rules.cf").write_text("")
    for text, title, test in spf_suite.cases("rfc7208-tests.yml"):
        zone_file.write_text(text, encoding="ascii")
        out = subprocess.run(
            [PROGRAM, "scan", "--rules", tmp_path / "no-rules.cf", "--zone", zone_file, "--client", str(test["host"]),
             "--helo", test["helo"], "--from", test["mailfrom"], "--json", mail], stdout=subprocess.PIPE, timeout=30).stdout
        got, count, explanation = json.loads(out)["spf"], count + 1, test.get("explanation")
        if got["result"] not in wanted(test["result"]):
            bad[title] = f"{got['result']}, not {test['result']}"
        elif explanation is not None and got["explanation"] != ("" if explanation == "DEFAULT" else explanation):
            bad[title] = f"explanation {got['explanation']!r}, not {explanation!r}"
    with capsys.disabled():
        print(f"\n# count: {count - len(bad)} of {count} rfc7208-tests.yml by scan")
    assert bad == {} and count == 203


@needs_data
@pytest.mark.parametrize("suite", sorted(NOT_RFC7208))
def test_older_suites(suite, tmp_path, capsys):
    bad, count = run_suite(suite, tmp_path)
    with capsys.disabled():
        print(f"\n# count: {count - len(bad)} of {count} {suite}")
        for title, what in sorted(bad.items()):
            print(f"#   {title}: {what}: {NOT_RFC7208[suite].get(title, 'UNEXPLAINED')}")
    assert set(bad) == set(NOT_RFC7208[suite])


@needs_data
def test_libspf2_engine(tmp_path, capsys):
    """Wrapped, it passes all; docs/authentication.md says where else it differs."""
    bad, count = run_suite("rfc7208-tests.yml", tmp_path, "--engine", "libspf2")
    with capsys.disabled():
        print(f"\n# count: {count - len(bad)} of {count} rfc7208-tests.yml with libspf2")
        for title, what in sorted(bad.items()):
            print(f"#   {title}: {what}")
    assert not bad


ZONE = """\
xn--bcher-kva.example TXT "v=spf1 exists:%{o} -all"
xn--bcher-kva.example A 192.0.2.1
a.org TXT "v=spf1 mx include:%{d2r}.b.org -all"
a.org MX 0 m.a.org
m.a.org A 192.0.2.1
;! slow.org TIMEOUT
"""


def test_output(tmp_path):
    zone_file = tmp_path / "zone"
    zone_file.write_text(ZONE, encoding="ascii")
    got = check(zone_file, "192.0.2.1", "h.org", "joe@a.org", "--receiver", "mx.our.org")
    assert got.pop("received_spf").startswith("Received-SPF: pass (mx.our.org: a.org designates 192.0.2.1 ")
    assert got == {"result": "pass", "domain": "a.org", "explanation": "", "mechanism": "mx", "problem": "",
                   "identity": "mailfrom", "sender": "joe@a.org", "lookups": 1}
    assert check(zone_file, "192.0.2.2", "h.org", "joe@b\u00fccher.example")["result"] == "pass"
    got = check(zone_file, "192.0.2.2", "slow.org", "")
    assert (got["result"], got["identity"], got["problem"]) == ("temperror", "helo", "slow.org: timeout")
    assert check(zone_file, "192.0.2.2", "h.org", "joe@a.org")["result"] == "permerror"


@pytest.mark.parametrize("arguments, status", [
    (["--client", "192.0.2.1"], 64),
    (["--client", "192.0.2.300", "--from", "a@b.org"], 64),
    (["--client", "192.0.2.1", "--from", "a@b.org", "--engine", "x"], 64),
    (["--client", "192.0.2.1", "--from", "a@b.org", "more"], 64),
    (["--help"], 0),
])
def test_usage(arguments, status):
    run = subprocess.run([PROGRAM, "spf", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    assert run.returncode == status
    assert b"gatehouse" in (run.stdout if status == 0 else run.stderr)


def test_settings_and_terminal(tmp_path):
    """The configuration's zone, limits and engine; for people, without what a terminal would act on."""
    (tmp_path / "zone").write_text('a.org TXT "v=spf1 a a a -all exp=e.org"\na.org A 192.0.2.1\n'
                                   'e.org TXT "%{l}"\n', encoding="ascii")
    conf = tmp_path / "gatehouse.conf"
    arguments = [PROGRAM, "spf", "-c", conf, "--client", "192.0.2.2", "--helo", "h.org", "--from", "x\x1b[2J@a.org"]

    def run(lookups):
        conf.write_text(f'dns {{ zone-file = "{tmp_path}/zone" }}\nfilter spf {{ lookups = {lookups} }}\n',
                        encoding="ascii")
        return subprocess.run(arguments, stdout=subprocess.PIPE, check=True).stdout
    assert b"permerror" in run(2)
    out = run(3)
    assert b"explanation  x?[2J" in out and b"\x1b" not in out
    conf.write_text("filter spf { lookups = none }\n", encoding="ascii")
    assert subprocess.run(arguments, stderr=subprocess.PIPE, check=False).returncode == 78


def test_broken_zone(tmp_path):
    zone_file = tmp_path / "zone"
    zone_file.write_text("a.org TXT \"x\"\nb.org A nonsense\n", encoding="ascii")
    run = subprocess.run([PROGRAM, "spf", "--zone", zone_file, "--client", "192.0.2.1", "--from", "a@b.org"],
                         stderr=subprocess.PIPE, check=False)
    assert run.returncode == 65 and f"{zone_file}:2: ".encode() in run.stderr
