"""The rules that Gatehouse ships: all of them run, their tests hold, honest
mail passes, and lures are seen through charsets, encodings and disguises."""
import base64
import json
import os
import quopri
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from corpora import unpack

TOP = Path(__file__).resolve().parent.parent.parent
GATEHOUSE = os.environ.get("GATEHOUSE", TOP / "build/gatehouse")
SHIPPED = TOP / "rules/shipped"
SAMPLE = 300
NAME_PREFIX = ("GH_", "__GH_")


def run(*args):
    return subprocess.run([GATEHOUSE, *map(str, args)], capture_output=True, text=True, errors="replace", timeout=300)


@pytest.fixture(scope="module")
def report():
    p = run("check", "--json", "--rules", SHIPPED)
    return json.loads(p.stdout)


def test_every_rule_is_supported(report):
    assert report["ok"], report["errors"]
    rules = report["rules"]["list"]
    assert len([r for r in rules if r["visible"]]) >= 60
    assert [r for r in rules if r["status"] != "supported"] == []


def test_names_have_our_prefix(report):
    assert [r["name"] for r in report["rules"]["list"] if not r["name"].startswith(NAME_PREFIX)] == []


def test_every_visible_rule_has_description_and_score():
    listed = [json.loads(line) for line in run("rules", "list", "--json", "--rules", SHIPPED).stdout.splitlines()]
    scored = {line.split()[1] for f in SHIPPED.glob("*.cf") for line in f.read_text().splitlines()
              if line.startswith("score")}
    assert [r["name"] for r in listed if not r["describe"]] == []
    assert {r["name"] for r in listed} == scored


def test_every_pattern_has_tests():
    """One text that hits and one that doesn't, but for rules no text can be tried on."""
    kinds, tests = {}, {}
    for file in SHIPPED.glob("*.cf"):
        for line in file.read_text().splitlines():
            words = line.split(None, 3)
            if len(words) > 2 and words[0] in ("header", "body", "rawbody", "uri", "full", "mimeheader", "skeleton"):
                kinds[words[1]] = words[2]
            elif words[:1] == ["test"]:
                tests.setdefault(words[1], set()).add(words[2])
    untried = {n for n, what in kinds.items() if not what.startswith(("exists:", "eval:"))
               and tests.get(n, set()) != {"ok", "fail"} and not n.startswith("__GH_PART_")
               and n not in ("GH_SUBJECT_EMPTY", "__GH_PHP_SCRIPT")}
    assert untried == set()


def test_test_lines_hold():
    p = run("rules", "test", "--rules", SHIPPED)
    assert p.returncode == 0, p.stdout + p.stderr


def test_spamassassin_accepts_the_files(tmp_path):
    settings = Path("/etc/spamassassin")
    if shutil.which("spamassassin") is None or not list(settings.glob("*.pre")):
        pytest.skip("skipped: SpamAssassin is not installed")
    for file in [*settings.glob("*.pre"), *SHIPPED.glob("*.cf")]:
        shutil.copy(file, tmp_path)
    p = subprocess.run(["spamassassin", "--lint", "--local", f"--siteconfigpath={tmp_path}", "-p", "/dev/null",
                        "-C", "/usr/share/spamassassin"], capture_output=True, text=True, timeout=300)
    assert p.returncode == 0, p.stderr
    assert "GH_" not in p.stderr


def test_overrides_are_read_after(tmp_path):
    (tmp_path / "local.cf").write_text("score GH_CASINO 0.5\nshadow GH_LOAN\n")
    listed = run("rules", "list", "--json", "--rules", SHIPPED, "--rules", tmp_path).stdout.splitlines()
    score = {r["name"]: r["score"] for r in map(json.loads, listed)}
    assert score["GH_CASINO"] == 0.5
    assert "shadow" in run("rules", "explain", "GH_LOAN", "--rules", SHIPPED, "--rules", tmp_path).stdout


# ---- whole mails ----

def scan(folder):
    zone = folder.parent / "empty.zone"
    zone.write_text("")
    p = run("scan", "--json", "--zone", zone, "--rules", SHIPPED, folder)
    assert p.returncode in (0, 1), p.stderr
    mails = map(json.loads, p.stdout.splitlines())
    return {Path(m["file"]).name: m for m in mails}


def test_honest_mail_is_not_refused(data, tmp_path):
    corpora = unpack(data)
    labels = (data / "corpora/spamassassin-public/labels.tsv").read_text().splitlines()
    old = [corpora / "spamassassin-public" / line.split("\t")[2] for line in labels if line.startswith("ham\teasy")]
    new = sorted((corpora / "lists-modern-ham").rglob("*.eml"))
    picker = random.Random(7)
    folder = tmp_path / "mail"
    folder.mkdir()
    for i, path in enumerate(picker.sample(old, SAMPLE // 2) + picker.sample(new, SAMPLE // 2)):
        shutil.copy(path, folder / f"{i:04}.eml")
    mails = scan(folder)
    assert len(mails) == SAMPLE
    assert [m["file"] for m in mails.values() if m["action"] in ("reject", "quarantine", "discard")] == []
    rules = {n: sum(h["score"] for h in m["hits"] if h["symbol"].startswith("GH_")) for n, m in mails.items()}
    tagged = [n for n, score in rules.items() if score >= 5]
    assert len(tagged) <= SAMPLE // 100, tagged


HEAD = ("From: =?utf-8?q?Ann_Writer?= <ann@example.com>\r\nTo: bob@example.org\r\nSubject: {subject}\r\n"
        "Date: Fri, 01 Mar 2024 12:00:00 +0000\r\nMessage-ID: <20240301120000.1@example.com>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/{kind}; charset={charset}\r\n"
        "Content-Transfer-Encoding: {encoding}\r\n\r\n")

# name, rule, lure, honest text of the same script, charset it is tried in beside UTF-8
LURES = [
    ("persian", "GH_FA_ACCOUNT", "کاربر گرامی، حساب کاربری شما مسدود شده است.",
     "صورت حساب ماه گذشته را پیوست کردم. با سپاس", "windows-1256"),
    ("persian-prize", "GH_FA_PRIZE", "تبریک! شما برنده خوش‌شانس قرعه‌کشی ما شدید.",
     "جایزه ادبی امسال به نویسنده جوان رسید.", None),
    ("arabic", "GH_AR_ACCOUNT", "عزيزي العميل، تم تعليق حسابك البنكي مؤقتا.",
     "تم تحديث الموقع أمس وشكرا لكم على المتابعة.", "windows-1256"),
    ("arabic-parcel", "GH_AR_PARCEL", "شحنتك في انتظار دفع الرسوم الجمركية.",
     "وصلت الشحنة إلى الميناء في الموعد.", "iso-8859-6"),
    ("gujarati", "GH_GU_ACCOUNT", "પ્રિય ગ્રાહક, તમારું બેંક ખાતું બંધ કરવામાં આવ્યું છે.",
     "મારું ગામ નદી પાસે છે અને ત્યાં મેળો ભરાય છે.", None),
    ("gujarati-prize", "GH_GU_PRIZE", "અભિનંદન, તમે 25 લાખની લોટરી જીત્યા છો.",
     "ગઈકાલે ગામમાં વરસાદ થયો.", None),
    ("kazakh", "GH_KK_ACCOUNT", "Құрметті клиент, сіздің шотыңыз уақытша бұғатталды.",
     "Шот туралы хабарлама хатқа қоса беріледі, рахмет.", "kz-1048"),
    ("kazakh-prize", "GH_KK_PRIZE", "Құттықтаймыз! Сіз миллион теңге ұтып алдыңыз.",
     "Биыл әдеби сыйлық жас ақынға тапсырылды.", "kz-1048"),
    ("cyrillic", "GH_RU_ACCOUNT", "Уважаемый клиент, ваш аккаунт заблокирован. Подтвердите пароль.",
     "Мы создали аккаунт для нового сотрудника, спасибо.", "koi8-r"),
    ("cyrillic-money", "GH_RU_MONEY", "Поздравляем, вы выиграли приз! Заработок в интернете без вложений.",
     "Рубль вчера подешевел к доллару, приз получил художник.", "windows-1251"),
    ("hindi", "GH_HI_LURE", "प्रिय ग्राहक, आपका बैंक खाता बंद कर दिया गया है।",
     "मेरा गाँव नदी के पास है।", None),
]

# name, rule, text in disguise, the same said openly and honestly
DISGUISES = [
    ("zero-width", "GH_DISGUISED_LURE", "Please ver\u200bify yo\u200bur acc\u200bount.",
     "We will check the accounts of the club tomorrow."),
    ("homoglyph", "GH_DISGUISED_LURE", "Please vеrify yоur аccount.", "Please read the minutes of the meeting."),
    ("mathematical", "GH_DISGUISED_LURE", "𝗖𝗼𝗻𝗳𝗶𝗿𝗺 𝘆𝗼𝘂𝗿 𝗽𝗮𝘆𝗺𝗲𝗻𝘁", "The payment of the fee is due in May."),
    ("marks", "GH_DISGUISED_LURE", "V\u0337e\u0337rify your a\u0337c\u0337c\u0337ount", "Zoë, the café is naïve."),
    ("brand", "GH_DISGUISED_WORD", "Greetings from РауРаl.", "Greetings from PayPal."),
    ("persian-arabic-letters", "GH_FA_ACCOUNT", "حساب كاربري شما مسدود شده است", "صورت حساب ماه گذشته"),
    ("persian-tatweel", "GH_FA_ACCOUNT", "حسـاب کاربـری شما مسـدود شده است", "صورت حســاب ماه گذشته"),
    ("cyrillic-latin", "GH_RU_ACCOUNT", "Bаш aккaунт зaблoкирoвaн", "Наш аккаунт создан"),
]


def encoded(text, charset, encoding, html):
    body = f"<html><body><p>{text}</p></body></html>" if html else text + "\n"
    octets = body.encode("kz1048" if charset == "kz-1048" else charset)
    if encoding == "base64":
        octets = base64.encodebytes(octets).replace(b"\n", b"\r\n")
    elif encoding == "quoted-printable":
        octets = quopri.encodestring(octets).replace(b"\n", b"\r\n")
    head = HEAD.format(subject="Message", kind="html" if html else "plain", charset=charset, encoding=encoding)
    return head.encode() + octets


def in_charset(text, charset):
    """Whether it can be written so; Persian lacks its yeh in windows-1256 and writes the Arabic one."""
    if charset in ("windows-1256", "iso-8859-6"):
        text = text.replace("ی", "ي").replace("‌", " ")
    text.encode("kz1048" if charset == "kz-1048" else charset)
    return text


def variants(text, charset):
    yield "8bit", encoded(text, "utf-8", "8bit", False)
    yield "base64", encoded(text, "utf-8", "base64", False)
    yield "qp-html", encoded(text, "utf-8", "quoted-printable", True)
    if charset:
        other = in_charset(text, charset)
        yield charset, encoded(other, charset, "8bit", False)
        yield charset + "-base64", encoded(other, charset, "base64", True)


@pytest.fixture(scope="module")
def composed(tmp_path_factory):
    """{"name.variant.lure": hits}, all of them in one scan."""
    folder = tmp_path_factory.mktemp("composed") / "mail"
    folder.mkdir()
    for name, _, lure, honest, charset in [*LURES, *((*d, None) for d in DISGUISES)]:
        for kind, text in (("lure", lure), ("honest", honest)):
            for variant, mail in variants(text, charset):
                (folder / f"{name}.{variant}.{kind}").write_bytes(mail)
    return {name: {h["symbol"] for h in m["hits"]} for name, m in scan(folder).items()}


@pytest.mark.parametrize("name,rule", [(case[0], case[1]) for case in [*LURES, *DISGUISES]])
def test_lures_hit_and_honest_text_does_not(composed, name, rule):
    lures = {n: hits for n, hits in composed.items() if n.startswith(name + ".") and n.endswith(".lure")}
    honest = {n: hits for n, hits in composed.items() if n.startswith(name + ".") and n.endswith(".honest")}
    assert len(lures) >= 3 and len(lures) == len(honest)
    assert [n for n, hits in lures.items() if rule not in hits] == []
    texts = ("GH_FA_", "GH_AR_", "GH_RU_", "GH_KK_", "GH_GU_", "GH_HI_", "GH_DISGUISED_")
    assert {n: hits for n, hits in honest.items() if any(h.startswith(texts) for h in hits)} == {}


# ---- with what is known of the sender ----

THREAT = "Your account has been suspended. Please verify your account."
ADVANCE = ("I am the widow of the late minister and have a fund of USD 10.5 million in the bank. "
           "I need a beneficiary as next of kin; you will get 30 percent of the sum.")


@pytest.mark.parametrize("zone,symbol", [
    ('example.com. 60 IN TXT "v=spf1 -all"\n', "SPF_FAIL"),
    ('example.com. 60 IN TXT "v=spf1 ~all"\n_dmarc.example.com. 60 IN TXT "v=DMARC1; p=none"\n', "DMARC_FAIL_NONE"),
])
@pytest.mark.parametrize("text,rule", [(THREAT, "GH_FAILED_LURE"), (ADVANCE, "GH_FAILED_MONEY"), (None, "GH_FAILED_BRAND")])
def test_metas_over_authentication(tmp_path, zone, symbol, text, rule):
    head = HEAD.format(subject="Notice", kind="plain", charset="utf-8", encoding="8bit")
    if text is None:
        head = head.replace("=?utf-8?q?Ann_Writer?= <ann@example.com>", "PayPal Support <service@paypal.com>")
        zone = zone.replace("example.com", "paypal.com")
    (tmp_path / "mail.eml").write_text(head + (text or "Hello.") + "\r\n", newline="")
    sender = "service@paypal.com" if text is None else "ann@example.com"
    for name, records, wanted in (("failing", zone, True), ("without", "", False),
                                  ("passing", zone.replace("-all", "+all").replace("~all", "+all"), False)):
        (tmp_path / "zone").write_text(records)
        p = run("scan", "--json", "--zone", tmp_path / "zone", "--client", "203.0.113.9", "--helo", "a.example.net",
                "--from", sender, "--rules", SHIPPED, tmp_path / "mail.eml")
        hits = {h["symbol"] for h in json.loads(p.stdout)["hits"]}
        assert (rule in hits, symbol in hits) == (wanted, wanted), (name, sorted(hits))
