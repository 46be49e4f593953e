"""A server with the VIP as it is told, and a client on the same wire: who answers for the VIP, and to whom.

Runs in a network namespace of its own, the server's, and makes another for the client. Arguments: a file for sysctl(8),
then what ip(8) is told, one command each. Prints JSON: for each VIP whether a client that asked for its hardware address
got an answer, and whether one that sends to the server's, as a router does, reached it (nobody listens: it is refused).
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import Final

VIPS: Final = {"192.0.2.100": "192.0.2.0/24", "2001:db8::100": "2001:db8::/64"}
SERVER: Final = ("192.0.2.11/24", "2001:db8::11/64")
CLIENT: Final = ("192.0.2.50/24", "2001:db8::50/64")


def main(sysctls: str, commands: list[str]) -> None:
    holder = subprocess.Popen(["unshare", "--net", "sleep", "60"], stdout=subprocess.DEVNULL)
    inside = ["nsenter", "--net", f"--target={holder.pid}"]
    try:
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "wire", "type", "veth", "peer", "name", "peer")
        while run("readlink", f"/proc/{holder.pid}/ns/net") == run("readlink", "/proc/self/ns/net"):
            pass
        run("ip", "link", "set", "peer", "netns", str(holder.pid))
        up([], "wire", SERVER)
        up(inside, "peer", CLIENT)
        run("sysctl", "-q", "-p", sysctls)
        for command in commands:
            run("ip", *command.split())
        print(run(*inside, sys.executable, __file__, "--ask", hardware()))
    finally:
        holder.kill()


def up(inside: list[str], name: str, addresses: tuple[str, ...]) -> None:
    for kind in ("ipv4", "ipv6"):
        run(*inside, "sysctl", "-q", "-w", f"net.{kind}.neigh.{name}.retrans_time_ms=50")
    for address in addresses:
        run(*inside, "ip", "address", "add", address, "dev", name, *(["nodad"] if ":" in address else []))
    run(*inside, "ip", "link", "set", name, "up")


def hardware() -> str:
    link: str = json.loads(run("ip", "-json", "link", "show", "wire"))[0]["address"]
    return link


def ask(server: str) -> None:
    found: dict[str, list[bool]] = {}
    for vip in VIPS:
        asked = answered(vip)
        run("ip", "neigh", "replace", vip, "lladdr", server, "dev", "peer")
        found[vip] = [asked, reached(vip)]
    print(json.dumps(found))


def answered(vip: str) -> bool:
    """Whether anybody says that the address is his. The kernel tells when it has given up asking."""
    with socket.socket(socket.AF_INET6 if ":" in vip else socket.AF_INET) as client:
        client.setblocking(False)
        client.connect_ex((vip, 21))
        while True:
            known = json.loads(run("ip", "-json", "neigh", "show", vip, "dev", "peer") or "[]")
            states = known[0]["state"] if known else ["FAILED"]
            if "INCOMPLETE" not in states:
                return "FAILED" not in states


def reached(vip: str) -> bool:
    try:
        socket.create_connection((vip, 21), timeout=20).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return True


def run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    ask(sys.argv[2]) if sys.argv[1] == "--ask" else main(sys.argv[1], sys.argv[2:])
