"""Private instances of other servers: Dovecot (LMTP, SASL) and Exim."""
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gatehouse import TOP, free_port, wait_for_port

# Without the penalty for wrong passwords: it would hold an answer back for up to 15 s, and Postfix waits for 10.
DOVECOT = """
base_dir = {d}/run
state_dir = {d}/run
log_path = {d}/log
ssl = no
protocols = lmtp
default_vsz_limit = 512 M
auth_failure_delay = 0
auth_mechanisms = plain login scram-sha-1 scram-sha-256
auth_username_chars =
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {d}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={d}/mail/%n allow_all_users=yes
}}
mail_location = maildir:{d}/mail/box
mail_uid = nobody
mail_gid = nogroup
first_valid_uid = 1
recipient_delimiter =
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
service auth {{
  unix_listener {d}/auth-client {{
    mode = 0666
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""


class Dovecot:
    """with Dovecot(folder) as d: LMTP at d.port, SASL at d.sasl (user ada, password secret)."""

    def __init__(self, folder):
        if os.geteuid() != 0 or not shutil.which("dovecot"):
            pytest.skip("skipped: Dovecot is not installed, or this is not root")
        self.folder, self.port = Path(folder), free_port()
        self.sasl = self.folder / "auth-client"
        for sub in ("", "run", "mail"):
            (self.folder / sub).mkdir(parents=True, exist_ok=True)
            (self.folder / sub).chmod(0o755)
        shutil.chown(self.folder / "mail", "nobody", "nogroup")
        (self.folder / "users").write_text("ada:{PLAIN}secret\n")
        (self.folder / "users").chmod(0o644)
        self.conf = self.folder / "dovecot.conf"
        self.conf.write_text(DOVECOT.format(d=self.folder, port=self.port))

    def __enter__(self):
        self.process = subprocess.Popen(["dovecot", "-F", "-c", str(self.conf)], stderr=subprocess.PIPE)
        if not wait_for_port(self.port, 15):
            self.process.kill()
            pytest.fail("Dovecot did not start:\n" + self.process.stderr.read().decode() + self.log())
        return self

    def __exit__(self, *exc):
        self.process.terminate()
        self.process.wait(20)

    def log(self):
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def files(self):
        return [p for p in (self.folder / "mail").rglob("*") if p.is_file() and p.parent.name in ("new", "cur")]


EXIM = """
keep_environment = LD_LIBRARY_PATH
exim_path = {exe}
exim_user = nobody
exim_group = nogroup
spool_directory = {d}/spool
log_file_path = {d}/log/%slog
pid_file_path = {d}/spool/pid
primary_hostname = exim.example.org
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
host_lookup =
rfc1413_hosts =
dns_ipv4_lookup = *
message_size_limit = 60M
smtp_accept_max = 100
smtp_accept_queue_per_connection = 0
chunking_advertise_hosts = *
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
prdr_enable = true
tls_advertise_hosts =
acl_smtp_rcpt = accept
acl_smtp_data = accept
acl_smtp_data_prdr = each
begin acl
each:
  deny message = not for me
       local_parts = unwilling
  accept
begin routers
all:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  maildir_format
  directory = {d}/box
  create_directory
  user = nobody
  group = nogroup
  check_string =
  escape_string =
"""


def exim_program():
    """Debian's Exim, unpacked beside Postfix, with which its package can't live."""
    folder = TOP / "build" / "exim"
    exe = folder / "usr/sbin/exim4"
    if not exe.exists():
        folder.mkdir(parents=True, exist_ok=True)
        p = subprocess.run(["apt-get", "download", "exim4-daemon-light", "libidn12", "libgnutls-dane0"], cwd=folder, capture_output=True)
        if p.returncode != 0:
            return None
        for deb in folder.glob("*.deb"):
            subprocess.run(["dpkg", "-x", str(deb), str(folder)], check=True)
            deb.unlink()
    return exe


RELAY = """begin routers
all:
  driver = manualroute
  transport = out
  route_list = * 127.0.0.1
  self = send
begin transports
out:
  driver = smtp
  port = {to}
  hosts_try_prdr = *
  hosts_try_chunking = {chunking}
begin retry
* * F,1h,1s
"""


class Exim:
    """with Exim(folder) as e: e.port; mail to anybody lands in one maildir. to: goes on to that port instead, with PRDR."""

    def __init__(self, folder, to=None, chunking=""):
        exe = exim_program() if os.geteuid() == 0 else None
        if exe is None:
            pytest.skip("skipped: Exim can't be had, or this is not root")
        self.folder, self.port = Path(folder), free_port()
        for sub in ("", "spool", "log"):
            (self.folder / sub).mkdir(parents=True, exist_ok=True)
        for sub in ("", "spool", "log"):
            shutil.chown(self.folder / sub, "nobody", "nogroup")
        # Exim gives root up: what it executes again must be reachable for nobody.
        local = self.folder / "exim4"
        shutil.copy(exe, local)
        libs = self.folder / "lib"
        shutil.copytree(exe.parent.parent / "lib/x86_64-linux-gnu", libs, dirs_exist_ok=True)
        local.chmod(0o4755)
        self.conf = self.folder / "exim.conf"
        text = EXIM
        if to:
            text = EXIM[:EXIM.index("begin routers")].replace("acl_smtp_data_prdr = each\n", "") + RELAY
        self.conf.write_text(text.format(d=self.folder, exe=local, port=self.port, to=to, chunking=chunking))
        self.env = {**os.environ, "LD_LIBRARY_PATH": str(libs)}
        # The program knows its user by name; that user is there for it alone.
        for name, line in (("passwd", "Debian-exim:x:65534:65534::/:/bin/false\n"), ("group", "Debian-exim:x:65534:\n")):
            (self.folder / name).write_text(Path("/etc", name).read_text() + line)
        mounts = " && ".join(f"mount --bind {self.folder}/{name} /etc/{name}" for name in ("passwd", "group"))
        self.exe = ["unshare", "--mount", "sh", "-c", f'{mounts} && exec "$0" "$@"', str(local), "-C", str(self.conf)]

    def __enter__(self):
        self.process = subprocess.Popen([*self.exe, "-bdf"], env=self.env, stderr=subprocess.PIPE)
        if not wait_for_port(self.port, 15):
            self.process.kill()
            pytest.skip("skipped: Exim did not start: " + self.process.stderr.read().decode()[-500:])
        return self

    def __exit__(self, *exc):
        self.process.terminate()
        self.process.wait(20)

    def log(self):
        return "\n".join(p.read_text(errors="replace") for p in (self.folder / "log").glob("*"))

    def flush(self):
        subprocess.run([*self.exe, "-q"], env=self.env, capture_output=True)

    def files(self):
        new = self.folder / "box" / "new"
        return list(new.iterdir()) if new.is_dir() else []
