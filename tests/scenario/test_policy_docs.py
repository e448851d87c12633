"""Each configuration of the administrator's guide is read without an error."""
import json
import re
import subprocess
from pathlib import Path

import pytest
from gatehouse import PROGRAM, TOP

BLOCKS = re.findall(r"(?ms)^## ([^\n]*)\n(?:(?!^## ).)*?^```conf\n(.*?)^```", Path(TOP, "docs/policy.md").read_text())
ALL = re.findall(r"(?ms)^```conf\n(.*?)^```", Path(TOP, "docs/policy.md").read_text())


def test_none_is_missed():
    assert len(BLOCKS) == len(ALL) >= 12


@pytest.mark.parametrize("title,text", BLOCKS, ids=[b[0] for b in BLOCKS])
def test_loads(tmp_path, title, text):
    conf = tmp_path / "gatehouse.conf"
    conf.write_text(text)
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
