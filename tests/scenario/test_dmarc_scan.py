"""The suites of DMARC and forged From through the command line."""
import json
import os
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
PROGRAM = TOP / os.environ.get("GATEHOUSE", "build/gatehouse")
ATTACKER = "192.0.2.66"
ATTACK_ZONE = "".join(f'{name}. 60 IN TXT "v=spf1 ip4:{ATTACKER} -all"\n' for name in
                      ["attack.com", "33.attack.com", "helo.attack.com", "any.attack.com", "a.attack.com",
                       "attacker.example"]) + """\
_dmarc.attack.com. 60 IN TXT "v=DMARC1; p=none"
_dmarc.attacker.example. 60 IN TXT "v=DMARC1; p=none"
_dmarc.legitimate.com. 60 IN TXT "v=DMARC1; p=reject"
"""
CONFIG = "hostname = mx.victim.com\nrelay {{ domains = {{victim.com}} }}\n{}\n"

# rspamd's symbol → our result and disposition
SYMBOLS = {
    "DMARC_POLICY_ALLOW": ("pass", "none"), "DMARC_POLICY_SOFTFAIL": ("fail", "none"),
    "DMARC_POLICY_QUARANTINE": ("fail", "quarantine"), "DMARC_POLICY_REJECT": ("fail", "reject"),
    "DMARC_DNSFAIL": ("temperror", "none"), "DMARC_NA": ("none", "none"),
}


def scan(folder, zone, mail, *options, settings=""):
    (folder / "zone").write_text(zone)
    (folder / "conf").write_text(CONFIG.format(settings))
    command = [PROGRAM, "scan", "-c", folder / "conf", "--zone", folder / "zone", "--time", "1700561400", "--json",
               *options, "-"]
    out = subprocess.run(command, input=mail, stdout=subprocess.PIPE, timeout=60, check=False)
    if out.returncode == 64:  # a reverse-path that no door takes
        return {"action": "reject", "hits": []}
    assert out.returncode in (0, 1), out
    return json.loads(out.stdout)


def is_seen(result):
    return result["action"] == "reject" or any(h["score"] >= 0.5 for h in result["hits"])


def test_espoofer(tmp_path, data):
    folder = data / "from_spoof" / "espoofer" / "rendered"
    cases = json.loads((folder / "cases.json").read_text())
    missed, refused = [], 0
    for case in cases:
        options = ["--client", ATTACKER, "--helo", case["helo"], "--from", case["mailfrom"].strip("<>")]
        if case["id"].startswith("client_"):
            options += ["--user", "attacker@example.com"]
        got = scan(tmp_path, ATTACK_ZONE, (folder / case["eml"]).read_bytes(), *options)
        refused += got["action"] == "reject"
        if not is_seen(got):
            missed.append(case["id"])
    print(f"# count: espoofer by scan, refused: {refused} of {len(cases)}")
    assert not missed and len(cases) >= 22


def test_mailsploit(tmp_path, data):
    cases = json.loads((data / "from_spoof/mailsploit/rendered/from_headers.json").read_text())
    missed = []
    for case in cases:
        mail = case["from_header"].encode() + b"\r\nTo: <victim@victim.com>\r\n\r\nHi\r\n"
        got = scan(tmp_path, ATTACK_ZONE, mail, "--client", ATTACKER, "--helo", "attacker.example",
                   "--from", "user@attacker.example")
        if not is_seen(got):
            missed.append(case["name"])
    print(f"# count: mailsploit by scan, seen: {len(cases) - len(missed)} of {len(cases)}")
    assert not missed and len(cases) >= 13


def zone_lines(record):
    name, kind, rcode = record["name"], record["type"].upper(), record["rcode"]
    if rcode in ("timeout", "servfail"):
        yield f";! {name} {rcode.upper()}"
    for reply in record["replies"] if rcode == "noerror" else []:
        if kind == "TXT":
            reply = " ".join('"' + reply[i:i + 200].replace("\\", "\\\\").replace('"', '\\"') + '"'
                             for i in range(0, len(reply) or 1, 200))
        yield f"{name}. {kind} {reply}{'.' if kind in ('MX', 'PTR') else ''}"


def wanted(case):
    for what, arguments in case["expect"]:
        if what.startswith("Expect"):
            for word in [what.split()[-1], *arguments]:
                if word in SYMBOLS:
                    return SYMBOLS[word]
    return None


def test_rspamd(tmp_path, data):
    """They are of RFC 7489's time: so by the list of public suffixes."""
    suite = json.loads((data / "dmarc/rspamd/expected.json").read_text())
    zone = "\n".join(line for record in suite["dns"] for line in zone_lines(record)) + "\n"
    wrong, total = [], 0
    for case in suite["cases"]:
        mail = data / "dmarc/rspamd/messages" / case["mail"]
        want = wanted(case)
        if want is None or not mail.is_file():
            continue
        total += 1
        sender = case["from"] if "@" in case["from"] else ""
        got = scan(tmp_path, zone, mail.read_bytes(), "--client", case["ip"] or "192.0.2.200", "--helo", "client.example",
                   "--from", sender, settings="filter dmarc { method = psl }")["dmarc"]
        if (got["result"], got["disposition"]) != want:
            wrong.append(f"{case['case']}: {got}, want {want}")
    print(f"# count: DMARC of rspamd by scan, method = psl: {total - len(wrong)} of {total}")
    assert not wrong and total > 10
