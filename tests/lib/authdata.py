"""The public suites of signed mail, as files and zones for `gatehouse` to read."""
import re
from pathlib import Path

import yaml


def crlf(data):
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def txt(name, value):
    strings = [value[i:i + 200] for i in range(0, len(value), 200)] or [""]
    quoted = " ".join('"' + s.replace("\\", "\\\\").replace('"', '\\"') + '"' for s in strings)
    return f"{name}. TXT {quoted}\n"


def fake_dns(file):
    """perl-Mail-DKIM's FAKE_DNS.dat as a zone file."""
    out = []
    for line in file.read_text().splitlines():
        name, _, value = line.partition(" ")
        value = value.strip()
        if not name or name.startswith("#"):
            continue
        if value == "NXDOMAIN":
            out.append(f";! {name} NXDOMAIN\n")
        elif value.startswith("~~"):
            out.append(f";! {name} {'TIMEOUT' if 'timed out' in value else 'SERVFAIL'}\n")
        else:
            out.append(txt(name, "" if value == '""' else value))
    return "".join(out)


def dns_files(folder):
    """blaze's NAME.dns files as a zone file."""
    return "".join(txt(f.name[:-4], f.read_text().strip().removeprefix("txt:")) for f in sorted(Path(folder).glob("*.dns")))


def arc_scenarios(file):
    """Yields (zone text, [(name, message, cv)]) of valimail's suite."""
    for doc in yaml.safe_load_all(file.read_text()):
        if not doc:
            continue
        zone = "".join(txt(name, re.sub(r"\s", "", value)) for name, value in (doc.get("txt-records") or {}).items())
        yield zone, [(name, t["message"] or "", (t["cv"] or "").strip()) for name, t in doc["tests"].items()]
