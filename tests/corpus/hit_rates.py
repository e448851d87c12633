#!/usr/bin/python3
"""Hit rates of the rules on labelled mail: for each rule the share of ham,
spam and phish that it hits, and what the scores make of it altogether.

    tests/corpus/hit_rates.py [--rules PATH]... [--mails N | --all] [--misses FILE] [--markdown]

Mail is read as its lists got it: List-* and X-Spam-* fields, which tell where
a corpus comes from, are taken out. No DNS: every name is unknown.
"""
import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests" / "lib"))
from corpora import unpack  # noqa: E402

SHARED = Path(os.environ.get("GATEHOUSE_SHARED", TOP.parent / "shared"))
GROUPS = ("modern-ham", "sa-ham", "sa-hard-ham", "sa-spam", "phishing-pot")
HAM, BAD = GROUPS[:2], GROUPS[3:]
TELLS = re.compile(rb"(?:list-[a-z-]+|x-spam-[a-z-]+):", re.I)
HAM_LIMIT = 0.5  # percent of either ham that a rule may hit and score more than
LOW_SCORE = 0.1


def labelled(data):
    """{group: [path]}"""
    corpora = unpack(data)
    groups = defaultdict(list)
    groups["modern-ham"] = sorted((corpora / "lists-modern-ham").rglob("*.eml"))
    groups["phishing-pot"] = sorted((corpora / "phishing_pot").rglob("*.eml"))
    names = {"spam": "sa-spam", "ham": "sa-ham"}
    for line in (data / "corpora/spamassassin-public/labels.tsv").read_text().splitlines():
        label, part, path = line.split("\t")[:3]
        group = "sa-hard-ham" if part.startswith("hard") else names[label]
        groups[group].append(corpora / "spamassassin-public" / path)
    return groups


def sample(groups, wanted):
    if wanted is None:
        return groups
    share = wanted / sum(map(len, groups.values()))
    picker = random.Random(1)
    return {g: picker.sample(paths, max(1, round(len(paths) * share))) for g, paths in groups.items()}


def without_tells(mail):
    """The mail without the fields that tell its corpus."""
    end = re.search(rb"\r?\n\r?\n", mail)
    head, rest = (mail[:end.start()], mail[end.start():]) if end else (mail, b"")
    fields = re.split(rb"\r?\n(?![ \t])", head)
    return b"\n".join(f for f in fields if not TELLS.match(f)) + rest


def scan(folder, rules):
    zone = folder / "empty.zone"
    zone.write_text("")
    command = [os.environ.get("GATEHOUSE", TOP / "build/gatehouse"), "scan", "--json", "--zone", zone]
    for path in rules:
        command += ["--rules", path]
    p = subprocess.run([*command, folder / "mail"], capture_output=True, text=True, errors="replace")
    if p.returncode not in (0, 1):
        sys.exit(f"gatehouse scan: {p.returncode} {p.stderr}")
    return [json.loads(line) for line in p.stdout.splitlines()]


def rule_scores(rules):
    command = [os.environ.get("GATEHOUSE", TOP / "build/gatehouse"), "rules", "list", "--json"]
    for path in rules:
        command += ["--rules", path]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {r["name"]: r["score"] for r in map(json.loads, out.splitlines())}


def results(groups, rules):
    """[(group, path, {symbol: score})]"""
    found = []
    with tempfile.TemporaryDirectory() as temp:
        folder = Path(temp)
        (folder / "mail").mkdir()
        origin = {}
        for group, paths in groups.items():
            for i, path in enumerate(paths):
                copy = folder / "mail" / f"{group}-{i:05}.eml"
                copy.write_bytes(without_tells(path.read_bytes()))
                origin[copy.name] = group, path
        for mail in scan(folder, rules):
            group, path = origin[Path(mail["file"]).name]
            found.append((group, path, {h["symbol"]: h["score"] for h in mail["hits"]}))
    return found


def percent(part, whole):
    return 100 * part / whole if whole else 0.0


def descriptions(rules):
    command = [os.environ.get("GATEHOUSE", TOP / "build/gatehouse"), "rules", "list", "--json"]
    for path in rules:
        command += ["--rules", path]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {r["name"]: r["describe"] for r in map(json.loads, out.splitlines())}


def print_markdown(found, scores, count, describe):
    """docs/shipped-rules.md"""
    hits = defaultdict(Counter)
    for group, _, symbols in found:
        for symbol in symbols:
            hits[symbol][group] += 1
    print("# The shipped rules\n\nPercent of mails that each hits, as `make rates` prints it:\n"
          + ", ".join(f"{count[g]:,} {g}" for g in GROUPS) + ". No DNS:\nwhat rests on SPF, DKIM or DMARC failing "
          "hits nothing here. The rules were tuned on these mails.\n")
    print("| rule | score | " + " | ".join(GROUPS) + " | what it finds |\n|---|---:|" + "---:|" * len(GROUPS) + "---|")
    for rule, score in scores.items():
        rates = (percent(hits[rule][g], count[g]) for g in GROUPS)
        print(f"| {rule} | {score:g} | " + " | ".join(f"{r:.2f}" if r else "" for r in rates) + f" | {describe[rule]} |")


def print_rules(found, scores, count):
    hits = defaultdict(Counter)
    for group, _, symbols in found:
        for symbol in symbols:
            hits[symbol][group] += 1
    print(f"{'rule':30}{'score':>7}" + "".join(f"{g:>14}" for g in GROUPS))
    too_much = []
    for rule, score in scores.items():
        rates = [percent(hits[rule][g], count[g]) for g in GROUPS]
        of_ham = max(percent(hits[rule][g], count[g]) for g in HAM)
        wrong = of_ham > HAM_LIMIT and score > LOW_SCORE
        print(f"{rule:30}{score:7.2f}" + "".join(f"{r:13.2f}%" for r in rates) + ("  <- too much ham" if wrong else ""))
        if wrong:
            too_much.append(rule)
    return too_much


def print_totals(found, scores, count):
    print(f"\n{'score of these rules alone':30}{'':7}" + "".join(f"{g:>14}" for g in GROUPS))
    for limit in (3, 5, 8, 12):
        over = Counter(g for g, _, s in found if sum(v for k, v in s.items() if k in scores) >= limit)
        print(f"{f'at {limit} and more':37}" + "".join(f"{percent(over[g], count[g]):13.2f}%" for g in GROUPS))
    over = Counter(g for g, _, s in found if sum(s.values()) >= 5)
    print(f"{'at 5 and more, all filters':37}" + "".join(f"{percent(over[g], count[g]):13.2f}%" for g in GROUPS))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", action="append", help="default: rules/shipped")
    parser.add_argument("--mails", type=int, default=1500, help="how many are sampled; default 1500")
    parser.add_argument("--all", action="store_true", help="every mail there is")
    parser.add_argument("--markdown", action="store_true", help="the rules as docs/shipped-rules.md has them")
    parser.add_argument("--misses", help="write what is judged wrongly at 5 to this file")
    args = parser.parse_args()
    data = SHARED / "data"
    if not data.is_dir():
        print(f"skipped: no test data at {data}")
        return 0
    rules = args.rules or [TOP / "rules/shipped"]
    scores = rule_scores(rules)
    groups = sample(labelled(data), None if args.all else args.mails)
    found = results(groups, rules)
    count = Counter(g for g, _, _ in found)
    if args.markdown:
        print_markdown(found, scores, count, descriptions(rules))
        return 0
    print(f"{len(found)} mails: " + ", ".join(f"{count[g]} {g}" for g in GROUPS) + "\n")
    too_much = print_rules(found, scores, count)
    print_totals(found, scores, count)
    if args.misses:
        with open(args.misses, "w") as out:
            for group, path, symbols in found:
                score = sum(v for k, v in symbols.items() if k in scores)
                if (score >= 5) != (group in BAD):
                    names = " ".join(sorted(symbols))
                    out.write(f"{group} {score:.1f} {path} {names}\n")
    return 1 if too_much else 0


if __name__ == "__main__":
    sys.exit(main())
