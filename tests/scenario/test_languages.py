"""A sentence in seven languages, in each charset, transfer encoding and header encoding that mail is written in: one rule
sees it in all of them, and what it saw is shown as people read it."""
import base64
import json
import quopri
import subprocess
from email.parser import BytesParser
from email.policy import default as email_policy
from pathlib import Path
from urllib.parse import quote

import pytest
from gatehouse import PROGRAM, Client, Gatehouse

SENTENCES = {
    "FA": ("برنده جایزه بزرگ شدید", ["utf-8"]),
    "AR": ("لقد ربحت الجائزة الكبرى", ["utf-8", "windows-1256", "iso-8859-6"]),
    "GU": ("તમે મોટું ઇનામ જીત્યા છો", ["utf-8"]),
    "KK": ("Сіз үлкен сыйлық ұтып алдыңыз", ["utf-8", "ptcp154"]),
    "RU": ("Вы выиграли большой приз", ["utf-8", "windows-1251", "koi8-r", "iso-8859-5"]),
    "ZH": ("您赢得了大奖", ["utf-8", "gb18030", "gb2312"]),
    "TW": ("您贏得了大獎", ["utf-8", "big5"]),
}
RULES = """\
body {0}_BODY /{1}/
rawbody {0}_RAWBODY /{1}/
header {0}_SUBJECT Subject =~ /{1}/
header {0}_NAME From:name =~ /{1}/
header {0}_TO To:addr =~ /{1}/
mimeheader {0}_TYPE Content-Type =~ /name="{1}/
mimeheader {0}_DISPOSITION Content-Disposition =~ /filename="{1}\\.pdf"$/
mimeheader {0}_RAW Content-Disposition:raw =~ /{1}/
uri {0}_URI m,{2},
if can(Gatehouse::skeleton)
skeleton {0}_SKELETON /{1}/
endif
"""
SEEN = {"BODY", "SUBJECT", "NAME", "TYPE", "DISPOSITION", "SKELETON"}
TRANSFER = {
    "base64": lambda octets: base64.encodebytes(octets).replace(b"\n", b"\r\n"),
    "quoted-printable": lambda octets: quopri.encodestring(octets).replace(b"\n", b"\r\n"),
    "8bit": lambda octets: octets + b"\r\n",
}


def word(text, charset, how):
    octets = text.encode(charset)
    coded = base64.b64encode(octets).decode() if how == "B" else "".join(f"={o:02X}" for o in octets)
    return f"=?{charset}?{how}?{coded}?="


def file_name(text, charset, cut):
    """RFC 2231, whole or cut where a character of several octets may be."""
    coded = [f"%{o:02X}" for o in text.encode(charset)]
    if not cut:
        return f"filename*={charset}''{''.join(coded)}.pdf"
    return f"filename*0*={charset}''{''.join(coded[:7])};\r\n filename*1*={''.join(coded[7:])};\r\n filename*2=.pdf"


def mail(text, charset, transfer, how):
    head = (f"From: {word(text, charset, how)} <a@b.example>\r\nTo: x@example.org\r\n"
            f"Subject: {word(text, charset, how)}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
            f"--b\r\nContent-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {transfer}\r\n\r\n")
    tail = (f"\r\n--b\r\nContent-Type: application/pdf; name=\"{word(text, charset, how)}\"\r\nContent-Disposition: "
            f"attachment; {file_name(text, charset, how == 'Q')}\r\n\r\nx\r\n--b--\r\n")
    return head.encode() + TRANSFER[transfer](text.encode(charset)) + tail.encode()


@pytest.fixture(name="scan")
def scanner(tmp_path):
    (tmp_path / "r.cf").write_text("".join(RULES.format(name, text, text.replace(" ", "(?: |%20)")) for name, (text, _) in SENTENCES.items()))
    (tmp_path / "conf").write_text(f'rules {{ paths = {{"{tmp_path}/r.cf"}} }}\n')

    def run(mails):
        for name, octets in mails.items():
            (tmp_path / name).write_bytes(octets)
        p = subprocess.run([PROGRAM, "scan", "-c", tmp_path / "conf", "--offline", "--json", *(tmp_path / m for m in mails)],
                           capture_output=True, text=True, timeout=120, check=False)
        assert p.stderr == ""
        reports = [json.loads(line) for line in p.stdout.splitlines()]
        return {r["file"].rsplit("/", 1)[1]: {h["symbol"]: h["evidence"] for h in r["hits"] if h["symbol"][2:3] == "_"}
                for r in reports}
    return run


def test_every_encoding(scan):
    mails = {f"{name} {charset} {transfer} {how}": mail(text, charset, transfer, how)
             for name, (text, charsets) in SENTENCES.items() for charset in charsets for transfer in TRANSFER for how in "BQ"}
    found = scan(mails)
    assert len(found) == len(mails) == 96
    for label, hits in found.items():
        name, charset = label.split()[:2]
        # rawbody is before the charset is undone.
        seen = SEEN | {"RAWBODY"} if charset == "utf-8" else SEEN
        assert set(hits) == {f"{name}_{kind}" for kind in seen}, label
        for symbol, evidence in hits.items():
            if not symbol.endswith("_SKELETON"):
                assert SENTENCES[name][0] in evidence, (label, symbol, evidence)


def test_smtputf8(scan):
    """Header fields and addresses in plain UTF-8 (RFC 6532)."""
    text = SENTENCES["ZH"][0]
    found = scan({"mail": f"From: {text} <{text}@例子.测试>\r\nTo: {text}@例子.测试\r\nSubject: {text}\r\n"
                          f"Content-Type: text/plain; charset=utf-8\r\n\r\nhttp://例子.中国/{text}\r\n".encode()})["mail"]
    assert set(found) == {"ZH_" + kind for kind in ("BODY", "RAWBODY", "SUBJECT", "NAME", "TO", "URI", "SKELETON")}


def test_links_with_their_letters_encoded(scan):
    mails = {name: f"Subject: x\r\nContent-Type: text/html\r\n\r\n<a href='https://www.example.com/{quote(text)}?q=1'>x</a>\r\n"
             .encode() for name, (text, _) in SENTENCES.items()}
    for name, hits in scan(mails).items():
        assert set(hits) == {f"{name}_URI"} and SENTENCES[name][0] in hits[f"{name}_URI"].replace("%20", " ")


@pytest.mark.parametrize("name", SENTENCES)
def test_fields_that_are_added(tmp_path, name):
    """Subject and report of what is tagged are ASCII, and read as they were written."""
    text = SENTENCES[name][0]
    rules = tmp_path / "r.cf"
    rules.write_text(f"body FOUND /{text}/\ndescribe FOUND {text}: {text} {text}\nscore FOUND 2\n")
    with Gatehouse(tmp_path / "g", rules=f'rules {{ paths = {{"{rules}"}} }}',
                   extra=f'policy default {{ tag = 1 subject-tag = "[{text} {{score}}]" }}') as g:
        for subject in (word(text, "utf-8", "Q"), "plain"):
            with Client(g.port) as c:
                c.hello()
                mail_text = (f"From: ada@example.net\r\nSubject: {subject}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
                             f"{text}\r\n")
                assert c.mail(body=mail_text.encode())[0] == 250
    subjects = []
    for path in (g.maildir / "new").iterdir():
        octets = path.read_bytes()
        assert octets.partition(b"\n\n" if b"\r" not in octets else b"\r\n\r\n")[0].isascii()
        made = BytesParser(policy=email_policy).parsebytes(octets)
        subjects.append(made["Subject"])
        assert f'[body: "{text}"]' in made["X-Spam-Report"] and f"FOUND {text}: " in made["X-Spam-Report"]
    assert sorted(subjects) == sorted([f"[{text} 2.0] {text}", f"[{text} 2.0] plain"])


def test_converters_are_there_before_the_first_mail(tmp_path):
    """glibc reads them from files, which a sandboxed worker should not, and the first mail should not wait for."""
    with Gatehouse(tmp_path) as g:
        maps = Path(f"/proc/{g.worker_pids()[0]}/maps").read_text()
    assert "/gconv/BIG5" in maps and "/gconv/GB18030" in maps
