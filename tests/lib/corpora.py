"""The mail corpora of the test data, unpacked once under build/, and ways to send them."""
import base64
import queue
import re
import tarfile
import threading
from pathlib import Path

from gatehouse import Client

TOP = Path(__file__).resolve().parent.parent.parent


def unpack(data):
    """The folder with all of them, one subfolder each."""
    folder = TOP / "build" / "corpora"
    for archive in sorted((data / "corpora").glob("*/*.tar.xz")):
        target = folder / archive.parent.name
        mark = target / ".complete"
        if mark.exists():
            continue
        target.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive) as tar:
            tar.extractall(target)
        mark.touch()
    return folder


def sample(data, count):
    """That many mails from all over, as a client may send them: CRLF, no NUL, no mbox line."""
    files = [f for f in sorted(unpack(data).glob("*/**/*")) if f.is_file() and not f.name.startswith(".")]
    step = len(files) / count
    return [as_a_client_has_it(files[int(n * step)].read_bytes()) for n in range(count)]


def as_a_client_has_it(raw):
    raw = re.sub(rb"\r\n|\r|\n", b"\r\n", raw.replace(b"\0", b""))
    if raw.startswith(b"From "):
        raw = raw.split(b"\r\n", 1)[1]
    return raw if raw.endswith(b"\r\n") else raw + b"\r\n"


def untouched(raw):
    """Would a mail server in front leave it as it is? It mends or cuts some before it shows them to a milter."""
    head, blank, _ = raw.partition(b"\r\n\r\n")
    lines = re.sub(rb"\r\n[ \t]+", b" ", head).split(b"\r\n")
    plain = all(re.match(rb"[!-9;-~]+:", line) for line in lines) and not re.search(rb"\r\n[ \t]*\r\n", head + b"\r\n")
    return bool(blank) and plain and max(map(len, raw.split(b"\r\n"))) <= 990 and len(raw) <= 300000


class Signer:
    """Signs for pass.example, selector s1. record: its key, for a zone."""

    def __init__(self):
        from cryptography.hazmat.primitives import serialization as s
        from cryptography.hazmat.primitives.asymmetric import rsa
        key = rsa.generate_private_key(65537, 2048)
        self.pem = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.TraditionalOpenSSL, s.NoEncryption())
        public = key.public_key().public_bytes(s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo)
        self.record = f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"

    def sign(self, raw, headers):
        import dkim
        return dkim.sign(raw, b"s1", b"pass.example", self.pem, canonicalize=(b"relaxed", b"simple"),
                         include_headers=headers) + raw

    def verify(self, raw):
        import dkim
        d = dkim.DKIM(raw, minkey=1024)
        ours = next(n for n, (name, value) in enumerate(
            (h for h in d.headers if h[0].lower() == b"dkim-signature")) if b"d=pass.example" in value)
        return d.verify(ours, dnsfunc=lambda name, timeout=5: self.record.encode())


def send_all(port, mails, sessions=6, each=12, sender="ann@pass.example"):
    """Several sessions at a time, each with some mails; the replies in the mails' order."""
    todo, replies = queue.SimpleQueue(), [None] * len(mails)
    for n in range(len(mails)):
        todo.put(n)

    def session():
        with Client(port, timeout=60) as c:
            c.hello()
            for _ in range(each):
                try:
                    n = todo.get_nowait()
                except queue.Empty:
                    return False
                replies[n] = c.mail(sender=sender, body=re.sub(rb"(?m)^\.", b"..", mails[n]))
                if replies[n][0] != 250:
                    c.cmd("RSET")
        return True

    def run():
        while session():
            pass
    threads = [threading.Thread(target=run, daemon=True) for _ in range(sessions)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert None not in replies, "a session broke off"
    return replies


def numbered_and_signed(mails, signer, may=lambda raw: True):
    """Each with its number; every other one that no server touches is signed. Returns them and the numbers of these."""
    headers = [b"from", b"subject", b"date", b"x-number", b"mime-version", b"content-type"]
    ready, signed = [], set()
    for n, raw in enumerate(mails):
        raw = b"X-Number: %d\r\n" % n + raw
        if n % 2 == 0 and untouched(raw) and re.search(rb"(?im)^From:", raw) and may(raw):
            raw = signer.sign(raw, headers)
            signed.add(n)
        ready.append(raw)
    return ready, signed


def check_delivered(mails, replies, delivered, signer, signed):
    """All that was taken is there, once, with our fields; all that was not was refused by us or by the server itself, and
    signatures hold. Returns how many verified."""
    codes = {}
    for n, (code, text) in enumerate(replies):
        codes.setdefault(code, []).append((n, text))
    print({k: len(v) for k, v in codes.items()})
    assert set(codes) <= {250, 550, 554}, {k: v[:3] for k, v in codes.items()}
    there = {}
    for mail in delivered:
        there.setdefault(int(re.search(rb"(?m)^X-Number: (\d+)\r?$", mail).group(1)), []).append(mail)
    assert sorted(there) == [n for n, _ in codes[250]]
    assert all(len(m) == 1 for m in there.values())
    assert all(len(re.findall(rb"(?m)^X-Spam-Status: ", m.split(b"\nX-Number", 1)[0])) == 1 for m in delivered)
    verified = 0
    for n in sorted(signed & set(there)):
        mail = there[n][0]
        assert re.search(rb"dkim=pass[^;]*header\.d=pass\.example", mail.split(b"\nX-Number", 1)[0]), (n, mail[:1500])
        assert signer.verify(mail), (n, mail[:1500])
        verified += 1
    return verified
