"""The same rules on the same mails by SpamAssassin and by us.

Debian's SpamAssassin with its stock rules, local tests only, against the
command line with the same files: for rules that `gatehouse check` calls
supported the hits are the same on at least 99.5 % of the pairs of mail and
rule where either hits. What differs is printed by rule.

    GATEHOUSE_AGREEMENT=COUNT     more mails (`make agreement`: 1,000, minutes)
"""
import collections
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests/lib"))
STOCK = Path("/usr/share/spamassassin")
SHARED = Path(os.environ.get("GATEHOUSE_SHARED", TOP.parent / "shared"))
GATEHOUSE = TOP / "build/gatehouse"
CORPORA = ["spamassassin-public", "phishing_pot", "lists-modern-ham"]
COUNT = int(os.environ.get("GATEHOUSE_AGREEMENT", "150"))
PROCESSES = 2
AGREEMENT = 0.995

# Rules that differ for a reason that stands: rule → why.
NOFRAMES = "text in <noframes>, which readers don't show"
BAD_FROM = "a From that no grammar allows"
CAPTURE = "a capture of To that SpamAssassin hands to no uri rule"
EMPTY = "\"from <unknown> (<unknown> [])\": no relay here, an unreadable one there"
KNOWN = {
    "GB_CUSTOM_HTM_URI": CAPTURE, "__GB_CUSTOM_HTM_URI2": CAPTURE,
    "UNPARSEABLE_RELAY": EMPTY, "__UNPARSEABLE_RELAY_COUNT": EMPTY,
    "__ENV_AND_HDR_FROM_MATCH": BAD_FROM, "__LCL__ENV_AND_HDR_FROM_MATCH": BAD_FROM,
    "__FROM_MISSP_EH_MATCH": BAD_FROM, "FROM_MISSP_EH_MATCH": BAD_FROM,
    "__FROM_ADDR_WS": BAD_FROM, "FROM_ADDR_WS": BAD_FROM, "__FROM_FULL_NAME": BAD_FROM,
    "__URI_MAILTO": NOFRAMES, "__BODY_URI_ONLY": NOFRAMES, "__PASSWORD": NOFRAMES, "__YOUR_PASSWORD": NOFRAMES,
    "__YOUR_PERSONAL": NOFRAMES, "__FILL_THIS_FORM_SHORT": NOFRAMES, "__FILL_THIS_FORM_SHORT2": NOFRAMES,
    "T_FILL_THIS_FORM_SHORT": NOFRAMES,
    "DATE_IN_PAST_96_XX": "the year 0102", "DATE_IN_PAST_12_24": "the year 0102",
}

CONFIG = """
filter content { network = no  parts = yes }
"""
# Names that filters of ours say too: not the rule's doing.
OWN_FILTERS = ["spf", "dkim", "arc", "dmarc", "iprev", "dnsbl", "rate", "reputation", "greylist", "forged_from"]


def unpack(name, folder):
    """The corpus' mails, unpacked once into build/."""
    out = folder / name
    if not out.exists():
        partial = folder / (name + ".part")
        partial.mkdir(parents=True, exist_ok=True)
        for tar in sorted((SHARED / "data/corpora" / name).glob("*.tar.xz")):
            subprocess.run(["tar", "-C", str(partial), "-xf", str(tar)], check=True)
        partial.rename(out)
    return sorted(p for p in out.rglob("*") if p.is_file() and p.suffix in (".eml", ".txt"))


def choose(count):
    """Every nth mail of each corpus, by the hash of its name."""
    folder = TOP / "build/corpora"
    chosen = []
    for i, name in enumerate(CORPORA):
        mails = sorted(unpack(name, folder), key=lambda p: hashlib.sha256(p.name.encode()).digest())
        chosen += mails[: (count + i) // len(CORPORA)]
    return chosen


def sa_version():
    out = subprocess.run(["spamassassin", "-V"], stdout=subprocess.PIPE, check=True).stdout
    return hashlib.sha256(out + b"".join(p.read_bytes() for p in sorted(STOCK.glob("*.cf")))).hexdigest()


def run_spamassassin(mails):
    """Lines "file<TAB>RULE=n …", by several processes."""
    script = TOP / "tests/integration/sa_hits.pl"
    with tempfile.TemporaryDirectory() as home:
        running = []
        for i in range(PROCESSES):
            path = Path(home) / f"out{i}"
            listed = Path(home) / f"in{i}"
            listed.write_text("".join(f"{m}\n" for m in mails[i::PROCESSES]))
            with path.open("wb") as out, listed.open("rb") as source:
                running.append((path, subprocess.Popen(
                    ["nice", "perl", str(script), str(STOCK)], stdin=source, stdout=out, stderr=subprocess.DEVNULL,
                    env={**os.environ, "SA_HOME": home, "LC_ALL": "C", "LANGUAGE": "C"})))
        for _, process in running:
            assert process.wait() == 0
        return "".join(path.read_text() for path, _ in running)


def by_spamassassin(mails):
    """mail → set of rules; kept in build/ as long as SpamAssassin is the same."""
    script = TOP / "tests/integration/sa_hits.pl"
    key = hashlib.sha256((sa_version() + script.read_text()).encode()).hexdigest()[:16]
    cache = TOP / f"build/sa-hits-{key}.txt"
    known = {}
    if cache.exists():
        for line in cache.read_text().splitlines():
            name, _, hits = line.partition("\t")
            known[name] = {h.partition("=")[0] for h in hits.split()}
    missing = [str(m) for m in mails if str(m) not in known]
    if missing:
        out = run_spamassassin(missing)
        with cache.open("a") as f:
            f.write(out)
        for line in out.splitlines():
            name, _, hits = line.partition("\t")
            known[name] = {h.partition("=")[0] for h in hits.split()}
    return {str(m): known[str(m)] for m in mails}


def by_gatehouse(mails):
    with tempfile.TemporaryDirectory() as tmp:
        config = Path(tmp) / "gatehouse.conf"
        config.write_text(CONFIG + "".join(f"filter {f} {{ enabled = no }}\n" for f in OWN_FILTERS))
        p = subprocess.run([str(GATEHOUSE), "scan", "-c", str(config), "--offline", "--json", "--rules", str(STOCK),
                            *map(str, mails)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert p.returncode in (0, 1), p.stderr
    return {r["file"]: {h["symbol"] for h in r["hits"]} for r in map(json.loads, p.stdout.splitlines())}


def supported():
    with tempfile.TemporaryDirectory() as tmp:
        config = Path(tmp) / "gatehouse.conf"
        config.write_text(CONFIG)
        out = subprocess.run([str(GATEHOUSE), "rules", "list", "--all", "--json", "-c", str(config), "--rules",
                              str(STOCK)], stdout=subprocess.PIPE, text=True, check=True).stdout
    rules = [json.loads(line) for line in out.splitlines()]
    return rules, {r["name"] for r in rules if r["status"] == "supported"}


def compare(count):
    mails = choose(count)
    rules, good = supported()
    theirs, ours = by_spamassassin(mails), by_gatehouse(mails)
    same, only_theirs, only_ours = 0, collections.Counter(), collections.Counter()
    examples = {}
    for mail in theirs:
        a, b = theirs[mail] & good, ours[mail] & good
        same += len(a & b)
        for rule in a - b:
            only_theirs[rule] += 1
            examples.setdefault(rule, mail)
        for rule in b - a:
            only_ours[rule] += 1
            examples.setdefault(rule, mail)
    return rules, same, only_theirs, only_ours, examples


def report(same, only_theirs, only_ours, examples):
    differences = sum(only_theirs.values()) + sum(only_ours.values())
    share = same / (same + differences)
    print(f"{same} pairs the same, {differences} differ: {100 * share:.3f} %")
    for rule in sorted(set(only_theirs) | set(only_ours), key=lambda r: -(only_theirs[r] + only_ours[r])):
        print(f"  {rule}: SpamAssassin alone {only_theirs[rule]}, we alone {only_ours[rule]}"
              f" ({KNOWN.get(rule, examples[rule])})")
    return share


def test_agreement():
    import pytest
    if not STOCK.is_dir() or not (SHARED / "data/corpora").is_dir():
        pytest.skip("SpamAssassin or the corpora are missing")
    _, same, only_theirs, only_ours, examples = compare(COUNT)
    assert same > 30 * COUNT
    assert report(same, only_theirs, only_ours, examples) >= AGREEMENT


def test_visible_rules_are_supported():
    import pytest
    if not STOCK.is_dir():
        pytest.skip("SpamAssassin is missing")
    rules, good = supported()
    visible = [r for r in rules if not r["name"].startswith("__")]
    assert len(visible) > 1000
    share = sum(r["name"] in good for r in visible) / len(visible)
    print(f"{100 * share:.1f} % of {len(visible)} visible rules are supported")
    assert share >= 0.9


if __name__ == "__main__":
    _, *result = compare(COUNT)
    sys.exit(report(*result) < AGREEMENT)
