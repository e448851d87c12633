"""gatehouse.conf(5) is printed from the tables that read the configuration: the copy in docs/ is that of this program, and
each setting the program knows stands in it."""
import json
import re
import subprocess

import pytest
from gatehouse import PROGRAM, TOP


@pytest.fixture(scope="module")
def printed():
    return subprocess.run([PROGRAM, "check", "--reference"], capture_output=True, text=True, check=True).stdout


def test_the_page_is_not_stale(printed):
    assert (TOP / "docs/gatehouse.conf.5").read_text() == printed, "run `make docs`"


def settings_in_source():
    """(file, key) of every row of a table of settings."""
    for path in sorted([*TOP.glob("policy/config_tables.c"), *TOP.glob("filters/*.c")]):
        text = path.read_text()
        for key in re.findall(r'^\s*\{ "([a-z0-9-]+)", SETTING_', text, re.M):
            yield path.name, key
        for key in re.findall(r'\.name = "([a-z0-9-]+)", \.type = SETTING_', text):
            yield path.name, key


def test_every_setting_stands_in_it(printed):
    keys = set(re.findall(r"^\.It Ic (?:Qq )?([a-z0-9-]+)", printed, re.M))
    found = list(settings_in_source())
    assert len(found) > 120, "the tables are written otherwise: this test looks for nothing"
    assert not [x for x in found if x[1] not in keys]


@pytest.mark.parametrize("page", sorted((TOP / "docs").glob("*.[58]")), ids=lambda p: p.name)
def test_manual_pages_are_well_formed(page):
    out = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", str(page)], capture_output=True, text=True)
    assert out.returncode == 0, out.stdout


def test_examples_of_the_rule_language_hold(tmp_path):
    """Its examples are rules without a mistake, whose own tests hold."""
    text = (TOP / "docs/gatehouse-rules.5").read_text()
    blocks = re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed", text, re.M | re.S)
    rules = [b.replace("\\e", "\\") for b in blocks if not re.match(r"rules \{|ifplugin|score", b)]
    (tmp_path / "examples.cf").write_text("\n".join(rules))
    out = subprocess.run([PROGRAM, "check", "--json", "--rules", tmp_path / "examples.cf"], capture_output=True, text=True)
    report = json.loads(out.stdout)
    assert report["ok"] and report["rules"]["total"] >= 6, report["errors"]
    assert report["rules"]["supported"] == report["rules"]["total"]
    out = subprocess.run([PROGRAM, "rules", "test", "--rules", tmp_path / "examples.cf"], capture_output=True, text=True)
    assert out.returncode == 0 and out.stdout.startswith("2 passed, 0 failed"), out.stdout


def test_it_can_be_read(printed, tmp_path):
    page = tmp_path / "gatehouse.conf.5"
    page.write_text(printed)
    out = subprocess.run(["mandoc", "-T", "lint", "-W", "error", str(page)], capture_output=True, text=True)
    assert out.returncode == 0, out.stdout
    text = subprocess.run(["mandoc", "-T", "ascii", str(page)], capture_output=True, text=True, check=True).stdout
    assert len(text.splitlines()) > 500
