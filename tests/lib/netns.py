"""Three machines on one: a client, a gateway and a server behind it, as network namespaces."""
import ctypes
import os
import subprocess
import threading

import pytest


def sh(*commands):
    for c in commands:
        subprocess.run(c.split(), check=True, capture_output=True)


class Machines:
    """client 198.51.100.7 and 2001:db8:1::7 - gateway .1 - 10.9.8.1 and 2001:db8:2::1 - server .2, which routes by us."""
    CLIENT, GATE, SERVER = "198.51.100.7", "198.51.100.1", "10.9.8.2"
    CLIENT6, GATE6, SERVER6 = "2001:db8:1::7", "2001:db8:1::1", "2001:db8:2::2"

    def __enter__(self):
        if os.geteuid() != 0:
            pytest.skip("skipped: not root")
        tag = f"gh{os.getpid()}"
        self.cl, self.gw, self.be = (f"{tag}{x}" for x in "cgb")
        try:
            sh(*(f"ip netns add {n}" for n in (self.cl, self.gw, self.be)))
            sh(f"ip -n {self.gw} link add toclient type veth peer name wire netns {self.cl}",
               f"ip -n {self.gw} link add toserver type veth peer name wire netns {self.be}",
               *(f"ip -n {n} link set {d} up" for n, d in ((self.cl, "wire"), (self.be, "wire"), (self.gw, "toclient"),
                                                           (self.gw, "toserver"), (self.gw, "lo"))),
               f"ip -n {self.cl} addr add {self.CLIENT}/24 dev wire", f"ip -n {self.gw} addr add {self.GATE}/24 dev toclient",
               f"ip -n {self.gw} addr add 10.9.8.1/24 dev toserver", f"ip -n {self.be} addr add {self.SERVER}/24 dev wire",
               f"ip -n {self.be} route add default via 10.9.8.1",
               f"ip -n {self.gw} rule add iif toserver lookup 100", f"ip -n {self.gw} route add local default dev lo table 100")
            self.ipv6 = self.add_ipv6()
        except (subprocess.CalledProcessError, FileNotFoundError) as e:
            self.__exit__()
            pytest.skip(f"skipped: no network namespaces here: {e} {getattr(e, 'stderr', b'')}")
        return self

    def add_ipv6(self):
        try:
            sh(f"ip -n {self.cl} addr add {self.CLIENT6}/64 dev wire nodad", f"ip -n {self.gw} addr add {self.GATE6}/64 dev toclient nodad",
               f"ip -n {self.gw} addr add 2001:db8:2::1/64 dev toserver nodad", f"ip -n {self.be} addr add {self.SERVER6}/64 dev wire nodad",
               f"ip -n {self.be} -6 route add default via 2001:db8:2::1", f"ip -n {self.gw} -6 rule add iif toserver lookup 100",
               f"ip -n {self.gw} -6 route add local default dev lo table 100")
            return True
        except subprocess.CalledProcessError:
            return False

    def __exit__(self, *exc):
        for n in (self.cl, self.gw, self.be):
            subprocess.run(["ip", "netns", "del", n], capture_output=True)

    @staticmethod
    def run_in(name, fn):
        """fn() by a thread that is in that namespace; its sockets stay there."""
        out = []

        def work():
            with open(f"/run/netns/{name}") as f:
                if ctypes.CDLL(None, use_errno=True).setns(f.fileno(), 0x40000000) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            out.append(fn())
        t = threading.Thread(target=work)
        t.start()
        t.join()
        return out[0]
