"""Rules made up from the words of mail, in the shapes and the mix of types of a rule set that is given."""
import random
import re
from collections import Counter

RULE = re.compile(r"^\s*(body|rawbody|uri|header|full|mimeheader)\s+\w+\s+\S", re.M)
WORD = re.compile(rb"(?<![A-Za-z=+/])[A-Za-z]{4,12}(?![A-Za-z=+/])")

SHAPES = {
    "body": (r"/\b{} {} {}\b/i", r"/\b(?:{}|{}) (?:\w+ ){{0,3}}{}\b/i", r"/\b{}(?:ed|ing|s)? (?:{}|{}|{})\b/i", r"/{}[\s.,]+{}/i"),
    "rawbody": (r"/<a [^>]{{0,60}}{}[^>]{{0,60}}{}/i", r"/\b{}\s{{1,4}}{}\s{{1,4}}{}\b/i"),
    "uri": (r"m{{{}-?{}\.(?:com|net|info)\b}}i", r"m{{/{}/.{{0,40}}{}\.(?:php|html)}}i"),
    "header": (r"Subject =~ /\b{} {}\b/i", r"From =~ /\b{}\.?{}\@/i", r"X-Mailer =~ /^{} {}/", r"Subject =~ /\b(?:{}|{})\W+{}/i"),
    "full": (r"/{}\s+{}\s+{}/",),
    "mimeheader": (r"Content-Type =~ /name=\W?{}.{}\.(?:zip|exe|js)/i",),
}


def vocabulary(mails):
    """Words of several mails each."""
    seen = Counter()
    for mail in mails:
        seen.update({w.lower() for w in WORD.findall(mail)})
    return sorted(w.decode() for w, n in seen.items() if n >= 3)


def generate(rule_files, mails, times, seed=1):
    """Text of times as many pattern rules as the files hold."""
    types = [m for path in rule_files for m in RULE.findall(path.read_text(errors="replace"))]
    words, picker = vocabulary(mails), random.Random(seed)
    lines = []
    for n in range(times * len(types)):
        kind = types[n % len(types)]
        shape = picker.choice(SHAPES[kind])
        lines.append(f"{kind} GENERATED_{n} " + shape.format(*picker.sample(words, shape.count("{}"))))
        lines.append(f"score GENERATED_{n} 0.1")
    return "\n".join(lines) + "\n"
