"""A private Postfix: own configuration, queue and data, next to nobody's."""
import os
import pwd
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from gatehouse import free_port, wait_for_port

MAIN = """
compatibility_level = 3.6
queue_directory = {d}/queue
data_directory = {d}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = backend.example.org
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = {mynetworks}
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_recipient_restrictions =
virtual_mailbox_domains = {domains}
virtual_mailbox_base = {d}/mail
virtual_mailbox_maps = static:box/
virtual_mailbox_limit = 0
mailbox_size_limit = 0
message_size_limit = 60000000
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
alias_maps =
alias_database =
local_recipient_maps =
maillog_file = {log}
maillog_file_prefixes = /var
smtpd_authorized_xclient_hosts = {xclient}
smtpd_authorized_xforward_hosts = 127.0.0.0/8
smtpd_peername_lookup = no
smtp_host_lookup = native
disable_dns_lookups = yes
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_error_sleep_time = 0
default_process_limit = 100
strict_rfc821_envelopes = no
local_header_rewrite_clients =
always_add_missing_headers = no
smtpd_forbid_bare_newline = no
{extra}
"""

MASTER = """
{port} inet n - n - - smtpd
{services}
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
"""


class Postfix:
    """with Postfix(folder) as p: … p.port … p.mails()

    Mail to any address of domains lands in one maildir. services: further
    lines of master.cf; extra: of main.cf.
    """

    def __init__(self, folder, domains="example.org", extra="", services="", mynetworks="192.0.2.0/32", xclient=""):
        if os.geteuid() != 0 or not shutil.which("postfix"):
            pytest.skip("skipped: Postfix is not installed, or this is not root")
        self.folder = Path(folder)
        self.port = free_port()
        for sub in ("", "queue", "data", "conf", "mail"):
            (self.folder / sub).mkdir(parents=True, exist_ok=True)
        user = pwd.getpwnam("nobody")
        os.chown(self.folder / "mail", user.pw_uid, user.pw_gid)
        os.chown(self.folder / "data", pwd.getpwnam("postfix").pw_uid, -1)
        self.log = Path("/var/log") / f"gatehouse-test-{self.port}.log"
        self.log.touch()
        self.log.chmod(0o666)  # postsuper has given root up when it finds a killed cleanup's file, and would say so
        self.conf = self.folder / "conf"
        (self.conf / "main.cf").write_text(MAIN.format(d=self.folder, domains=domains, uid=user.pw_uid, gid=user.pw_gid,
                                                       extra=extra, mynetworks=mynetworks, xclient=xclient, log=self.log))
        (self.conf / "master.cf").write_text(MASTER.format(port=f"127.0.0.1:{self.port}", services=services))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.stop()
        self.log.unlink(missing_ok=True)

    def postfix(self, *args):
        return subprocess.run(["postfix", "-c", str(self.conf), *args], capture_output=True, text=True)

    def start(self):
        """Again for a while: the last daemons of a stopped one may still be at the queue."""
        end = time.time() + 20
        while (p := self.postfix("start")).returncode != 0 and time.time() < end:
            time.sleep(0.5)
        assert p.returncode == 0, p.stderr + p.stdout + self.log_text()
        assert wait_for_port(self.port), self.log_text()

    def stop(self):
        self.postfix("stop")

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def files(self):
        new = self.folder / "mail" / "box" / "new"
        return list(new.iterdir()) if new.is_dir() else []

    def wait_mails(self, count, seconds=60):
        end = time.time() + seconds
        while time.time() < end and len(self.files()) < count:
            time.sleep(0.1)
        return [f.read_bytes() for f in self.files()]

    def wait_idle(self, seconds=60):
        """Until the queue is empty."""
        end = time.time() + seconds
        while time.time() < end:
            p = subprocess.run(["postqueue", "-c", str(self.conf), "-j"], capture_output=True, text=True)
            if not p.stdout.strip():
                return True
            time.sleep(0.2)
        print("still queued:\n" + p.stdout + self.log_text()[-3000:])
        return False
