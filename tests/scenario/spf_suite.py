"""Reads the openspf test suites (YAML) and writes their zone data as zone files."""
import os
from pathlib import Path

import yaml

TOP = Path(__file__).resolve().parent.parent.parent
SHARED = Path(os.environ.get("GATEHOUSE_SHARED", TOP / "../shared"))
SUITES = SHARED / "data/spf/pyspf"


def escape(octets, special=b""):
    return "".join(chr(c) if 32 < c < 127 and c not in b'\\";()@' + special else f"\\{c:03d}" for c in octets)


def name(text):
    return escape(text.encode("latin-1").rstrip(b"."), b"$") + "." if text else "."


def strings(value):
    parts = [value] if isinstance(value, str) else value
    return " ".join('"' + escape(p.encode("utf-8")) + '"' for p in parts) or '""'


def rdata(rtype, value):
    if rtype in ("TXT", "SPF"):
        return strings(value)
    if rtype == "MX":
        return f"{value[0]} {name(value[1])}"
    return name(value) if rtype in ("PTR", "CNAME", "NS") else str(value)


def zone(zonedata):
    """SPF records stand for TXT too, unless the name has TXT of its own (the
    suite's convention); a TIMEOUT is for the types behind which it stands."""
    lines = []
    for owner, entries in zonedata.items():
        has_txt = any(isinstance(e, dict) and "TXT" in e for e in entries)
        for e in entries:
            if e == "TIMEOUT":
                lines.append(f";! {name(owner)} TIMEOUT")
                continue
            (rtype, value), = e.items()
            if value == "NONE":
                continue
            lines.append(f"{name(owner)} 300 IN {rtype} {rdata(rtype, value)}")
            if rtype == "SPF" and not has_txt:
                lines.append(f"{name(owner)} 300 IN TXT {rdata('TXT', value)}")
    return "\n".join(lines) + "\n"


def cases(suite):
    """(scenario's zone, test's name, test) of all that can be run."""
    for document in yaml.safe_load_all((SUITES / suite).read_text(encoding="utf-8")):
        if document and "tests" in document:
            text = zone(document["zonedata"])
            for title, test in document["tests"].items():
                yield text, title, test
