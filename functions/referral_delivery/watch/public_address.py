"""Public addresses: what a host resolves to, and that none of it is inside a network."""

import ipaddress
import queue
import socket
import threading
from collections.abc import Callable

from referral_delivery.errors import AddressRefused

Resolve = Callable[[str, int], list[str]]
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host, IPv4 first: a function in no network of ours has no IPv6."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    ordered = sorted(found, key=lambda each: each[0] != socket.AF_INET)
    return list(dict.fromkeys(str(address[0]) for *_, address in ordered))


def public_addresses(host: str, port: int, resolve: Resolve, *, seconds: float) -> list[str]:
    """What a host resolves to, in the resolver's order; AddressRefused where any of it is not public."""
    addresses = _in_time(lambda: resolve(host, port), seconds)
    for address in addresses:
        if not is_public(address):
            raise AddressRefused(f"{host}: resolves to {address}, which is no public address; nothing was sent")
    if not addresses:
        raise AddressRefused(f"{host}: resolves to nothing")
    return addresses


def is_public(text: str) -> bool:
    """Whether an address is anybody's to reach: not private, loopback, link-local, multicast, reserved or embedded."""
    try:
        address: _Address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            address = address.ipv4_mapped
        elif address.sixtofour or address.teredo or address.is_site_local:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _in_time(resolve: Callable[[], list[str]], seconds: float) -> list[str]:
    """What a resolver answers; the system's own knows no deadline, and is left alone after it."""
    answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(resolve())
        except (OSError, UnicodeError) as error:
            answers.put(error if isinstance(error, OSError) else OSError(str(error)))

    threading.Thread(target=ask, daemon=True, name="resolve").start()
    try:
        answer = answers.get(timeout=max(seconds, 0))
    except queue.Empty:
        raise TimeoutError("no name server has answered in time") from None
    if isinstance(answer, OSError):
        raise answer
    return answer
