"""filter content: who takes mails apart and who reads HTML can be chosen, and sound mail is judged alike."""
import json
import subprocess

import pytest
from gatehouse import PROGRAM

MAIL = """From: Ann <ann@example.net>
To: bob@example.org
Date: Sun, 22 Nov 2026 10:00:00 +0000
Message-ID: <1@example.net>
Subject: lunch
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

<p>The soup=
 is <b>hot</b>. <span style=3D"display:none">a secret</span></p>
--b
Content-Type: text/plain; name="note.txt"
Content-Transfer-Encoding: base64

Ym9uIGFwcGV0aXQ=
--b--
"""
RULES = r"""body SOUP_IS_HOT /The soup is hot/
score SOUP_IS_HOT 1
body BON_APPETIT /bon appetit/
score BON_APPETIT 1
mimeheader HAS_NOTE Content-Type =~ /note\.txt/
score HAS_NOTE 1
"""
# GMime stops at the first padding; what follows is read by us and by mail readers.
PADDED = MAIL.replace("Ym9uIGFwcGV0aXQ=", "Ym9uIA==\nYXBwZXRpdA==")


def symbols(folder, mail, settings):
    (folder / "r.cf").write_text(RULES)
    (folder / "mail.eml").write_text(mail)
    (folder / "g.conf").write_text(f"hostname = g.example.org\nrelay {{ domains = {{example.org}} }}\n"
                                   f"filter content {{ {settings} }}\n")
    p = subprocess.run([PROGRAM, "scan", "--offline", "--json", "-c", folder / "g.conf", "--rules", folder / "r.cf",
                        folder / "mail.eml"], capture_output=True, text=True)
    report = json.loads(p.stdout.splitlines()[0])
    return sorted(h["symbol"] for h in report["hits"] if h["symbol"] in RULES)


@pytest.mark.parametrize("settings", ["", "mime-engine = gmime", "html-engine = libxml2",
                                      "mime-engine = gmime  html-engine = libxml2"])
def test_sound_mail(tmp_path, settings):
    assert symbols(tmp_path, MAIL, settings) == ["BON_APPETIT", "HAS_NOTE", "SOUP_IS_HOT"]


@pytest.mark.parametrize("settings", ["", "mime-engine = gmime"])
def test_bodies_are_decoded_leniently_by_either(tmp_path, settings):
    assert "BON_APPETIT" in symbols(tmp_path, PADDED, settings)


def test_unknown_engine(tmp_path):
    conf = tmp_path / "g.conf"
    conf.write_text("hostname = g.example.org\nrelay { domains = {example.org} }\nfilter content {\n  html-engine = gecko\n}\n")
    p = subprocess.run([PROGRAM, "check", "-c", conf], capture_output=True, text=True)
    assert p.returncode == 78 and f"{conf}:4" in p.stdout + p.stderr
