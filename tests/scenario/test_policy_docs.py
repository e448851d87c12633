"""Each configuration of the administrator's guide and of the recipes is read without an error."""
import json
import re
import subprocess
from pathlib import Path

import pytest
from certificates import make
from gatehouse import PROGRAM, TOP

TEXT = "".join(Path(TOP, "docs", name).read_text() for name in ("policy.md", "recipes.md"))
BLOCKS = re.findall(r"(?ms)^## ([^\n]*)\n(?:(?!^## ).)*?^```conf\n(.*?)^```", TEXT)
ALL = re.findall(r"(?ms)^```conf\n(.*?)^```", TEXT)
WHOLE = ("In front of Postfix, on the same machine", "In front of Exchange", "In front of a hosted service",
         "Outbound: what users and servers of ours send", "Only tagging", "A host of mailing lists")


def test_none_is_missed():
    assert len(BLOCKS) == len(ALL) >= 20
    assert set(WHOLE) <= {title for title, _ in BLOCKS}


@pytest.mark.parametrize("title,text", BLOCKS, ids=[b[0] for b in BLOCKS])
def test_loads(tmp_path, title, text):
    conf = tmp_path / "gatehouse.conf"
    cert, key = make(tmp_path)
    if "tls = starttls" in text and "tls default" not in text:
        text += f'tls default {{ certificate = "{cert}" key = "{key}" }}\n'
    if "listen" in text and "backend " not in text:
        text += "backend main { address = 127.0.0.1:10025 }\n"
    conf.write_text(text.replace("/etc/ssl/mx.pem", str(cert)).replace("/etc/ssl/mx.key", str(key)))
    done = subprocess.run([PROGRAM, "check", "-c", str(conf), "--json"], capture_output=True, text=True, timeout=60)
    report = json.loads(done.stdout)
    assert report["ok"] and report["errors"] == [], report["errors"]
    assert done.returncode == 0
    assert [w for w in report["warnings"] if "nothing sets" in w["message"]] == []
    if "listen" in text:
        assert report["relay"]["leaks"] in (0, [])


@pytest.mark.parametrize("setting", re.findall(r"[a-z]+(?:-[a-z]+)+", " ".join(ALL)))
def test_setting_is_in_the_reference(setting):
    manual = subprocess.run([PROGRAM, "check", "--reference"], capture_output=True, text=True).stdout
    known = manual.replace("\\-", "-").replace("\\&", "")
    named = {"spamhaus-zen", "example-org"}
    assert setting in known or setting in named


def test_symbols_are_there():
    source = "".join(p.read_text() for p in Path(TOP, "filters").glob("*.c"))
    symbols = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)=', " ".join(ALL)))
    assert symbols and [s for s in symbols if f'"{s}"' not in source] == []
