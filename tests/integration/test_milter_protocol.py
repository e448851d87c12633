"""What no real server does: milter sessions scripted with miltertest against the running worker."""
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from milter import MilterGate  # noqa: E402

ZONE = """\
pass.example. 60 IN TXT "v=spf1 ip4:192.0.2.7 -all"
fail.example. 60 IN TXT "v=spf1 -all exp=why.fail.example"
why.fail.example. 60 IN TXT "100%% of it is forged"
"""
BEGIN = """
conn = mt.connect("SOCKET")
if conn == nil then error("connect") end
function expect(want)
	if mt.getreply(conn) ~= want then error("reply " .. mt.getreply(conn)) end
end
"""


@pytest.fixture(name="gate", scope="module")
def running(tmp_path_factory):
    if not shutil.which("miltertest"):
        pytest.skip("skipped: miltertest is not installed")
    folder = tmp_path_factory.mktemp("protocol")
    (folder / "zone").write_text(ZONE)
    with MilterGate(folder / "gate", dns=f'zone-file = "{folder / "zone"}"', extra="filter spf { fail = reject }") as g:
        yield g


def script(gate, text, address=None):
    p = subprocess.run(["miltertest", "-v"], timeout=60, capture_output=True, text=True,
                       input=(BEGIN + text + '\nmt.echo("all was run")\n').replace("SOCKET", address or f"unix:{gate.path}"))
    assert p.returncode == 0 and "all was run" in p.stdout, p.stdout + p.stderr
    return p.stdout


ENVELOPE = """
if mt.negotiate(conn, nil, nil, nil) ~= nil then error("negotiate") end
mt.conninfo(conn, "mail.pass.example", "192.0.2.7")
mt.helo(conn, "mail.pass.example")
mt.mailfrom(conn, "<ann@pass.example>")
mt.rcptto(conn, "<bob@example.org>")
expect(SMFIR_CONTINUE)
"""


def test_fields_are_added_and_forged_ones_removed(gate):
    script(gate, ENVELOPE + """
mt.header(conn, "From", " ann@pass.example")
mt.header(conn, "Authentication-Results", " gate.example.org; spf=pass")
mt.eoh(conn)
mt.bodystring(conn, "hi\\r\\n")
mt.eom(conn)
expect(SMFIR_CONTINUE)
if not mt.eom_check(conn, MT_HDRINSERT, "Authentication-Results") then error("not added") end
if not mt.eom_check(conn, MT_HDRINSERT, "X-Spam-Status") then error("not added") end
if not mt.eom_check(conn, MT_HDRDELETE, "Authentication-Results") then error("not removed") end
mt.disconnect(conn)
""")


def test_reply_of_many_lines(gate):
    script(gate, ENVELOPE.replace("ann@pass.example", "eve@fail.example").replace("expect(SMFIR_CONTINUE)", "") + """
expect(SMFIR_REPLYCODE)
mt.disconnect(conn)
""")
    line = gate.wait_log("recipient refused")
    assert "5.7.23" in line and "100% of it is forged" in line


def test_abort_then_another_mail(gate):
    at = len(gate.lines)
    script(gate, ENVELOPE + """
mt.rcptto(conn, "<carl@example.org>")
expect(SMFIR_CONTINUE)
mt.abort(conn)
mt.mailfrom(conn, "<>")
mt.rcptto(conn, "<bob@example.org>")
expect(SMFIR_CONTINUE)
mt.disconnect(conn)
""")
    assert gate.wait_log("action=abort.*", since=at)


def test_vanishing_amid_everything(gate):
    for cut in ('mt.header(conn, "From", " x")', 'mt.header(conn, "From", " x")\nmt.eoh(conn)',
                'mt.eoh(conn)\nmt.bodystring(conn, "half")', ""):
        script(gate, ENVELOPE + cut + "\nmt.disconnect(conn, false)\n")
    end = time.time() + 5
    while time.time() < end and gate.status()["sessions_now"] > 0:
        time.sleep(0.05)
    assert gate.status()["sessions_now"] == 0


def test_rubbish_on_the_socket(gate):
    pids = set(gate.worker_pids())
    for junk in (b"", b"GET / HTTP/1.0\r\n\r\n", b"\0\0\0\0", b"\xff\xff\xff\xffO", b"\0\0\0\1Z", b"\0\0\0\5OAAAA",
                 b"\0\0\0\15O\0\0\0\6\0\0\1\xff\0\x1f\xff\xff\0\0\0\1E", b"\0\0\0\2B\0" * 50):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(2)
            s.connect(str(gate.path))
            s.sendall(junk)
            s.shutdown(socket.SHUT_WR)
            try:
                while s.recv(4096):
                    pass
            except OSError:
                pass
    script(gate, ENVELOPE + "mt.disconnect(conn)\n")
    assert set(gate.worker_pids()) == pids, gate.log()[-2000:]


def test_over_tcp(gate):
    script(gate, ENVELOPE + "mt.disconnect(conn)\n", f"inet:{gate.inet_port}@127.0.0.1")
    assert not re.search(r"level=error", gate.log())
