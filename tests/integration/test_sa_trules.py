"""The mails by which SpamAssassin's authors say whether a stock rule must hit:
t.rules/RULE/NAME, where a NAME that begins with "fp" must not. A .cf beside a
mail is read with the stock rules.

Rules that the installed stock files no longer hold, or that `check` does not
call supported, are counted apart. Where the rule has changed since the mail
was filed, SpamAssassin itself is asked: what it says today is then right.
"""
import json
import os
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent.parent
STOCK = Path("/usr/share/spamassassin")
PROGRAM = os.environ.get("GATEHOUSE", str(TOP / "build/gatehouse"))
CONFIG = "filter content { network = no  parts = yes }\n" + "".join(
    f"filter {f} {{ enabled = no }}\n" for f in ("spf", "dkim", "arc", "dmarc", "iprev", "dnsbl", "forged_from", "bots"))


def cases(data):
    """(rule, mail, its .cf as text, whether it must hit)"""
    for mail in sorted((data / "mime/spamassassin/t.rules").glob("*/*")):
        if mail.is_file() and mail.suffix != ".cf":
            extra = mail.with_name(mail.name + ".cf")
            yield (mail.parent.name, mail, extra.read_text() if extra.exists() else "",
                   not mail.name.startswith("fp"))


def hits_of(folder, mails, extra):
    """mail → its symbols. A "From " line would make it a mailbox of several."""
    copies = {}
    for i, mail in enumerate(mails):
        raw = mail.read_bytes()
        copy = folder / f"{i:03}.eml"
        copy.write_bytes(raw.split(b"\n", 1)[1] if raw.startswith(b"From ") else raw)
        copies[str(copy)] = mail
    (folder / "conf").write_text(CONFIG)
    (folder / "extra.cf").write_text(extra)
    p = subprocess.run([PROGRAM, "scan", "-c", folder / "conf", "--offline", "--json", "--rules", STOCK, "--rules",
                        folder / "extra.cf", *copies], capture_output=True, text=True, timeout=300)
    assert p.returncode in (0, 1), p.stderr
    return {copies[r["file"]]: {h["symbol"] for h in r["hits"]} for r in map(json.loads, p.stdout.splitlines())}


def by_spamassassin(folder, mail, extra):
    (folder / "extra.cf").write_text(extra)
    out = subprocess.run(["perl", TOP / "tests/integration/sa_hits.pl", STOCK, folder / "extra.cf"],
                         input=f"{mail}\n", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True,
                         env={**os.environ, "SA_HOME": str(folder), "LC_ALL": "C", "LANGUAGE": "C"}).stdout
    return {h.partition("=")[0] for h in out.partition("\t")[2].split()}


def test_mails_hit_or_miss_as_they_should(data, tmp_path, capsys):
    if not STOCK.is_dir():
        pytest.skip("skipped: SpamAssassin is missing")
    out = subprocess.run([PROGRAM, "rules", "list", "--all", "--json", "--rules", STOCK], stdout=subprocess.PIPE,
                         text=True, check=True).stdout
    status = {r["name"]: r["status"] for r in map(json.loads, out.splitlines())}
    groups = defaultdict(list)
    for rule, mail, extra, wanted in cases(data):
        groups[extra].append((rule, mail, wanted))
    right, unsupported, changed, wrong = 0, [], [], []
    for extra, group in groups.items():
        hits = hits_of(tmp_path, [mail for _, mail, _ in group], extra)
        for rule, mail, wanted in group:
            name = f"{rule}/{mail.name}"
            hit = rule in hits[mail]
            if status.get(rule) != "supported":
                unsupported.append(name)
            elif hit == wanted:
                right += 1
            elif hit == (rule in by_spamassassin(tmp_path, mail, extra)):
                changed.append(name)
            else:
                wrong.append(f"{name}: {'hits' if hit else 'misses'}")
    with capsys.disabled():
        print(f"\n# count: t.rules, as wanted: {right} of {right + len(wrong) + len(changed)}; as SpamAssassin "
              f"itself today: {len(changed)} ({', '.join(changed)}); not supported or gone: {len(unsupported)} "
              f"({', '.join(sorted({n.split('/')[0] for n in unsupported}))})")
    assert wrong == []
    assert right >= 80
