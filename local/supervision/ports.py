"""The ports of the local stack, always on the loopback address."""

import errno
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

HOST = "127.0.0.1"


class PortTaken(RuntimeError):
    """Another program listens on the port; the text gives the port, its purpose, and how to choose another."""


class BadPort(RuntimeError):
    """A setting is not a valid port."""


@dataclass(frozen=True, slots=True)
class Ports:
    edge_proxy: int
    aws: int
    stripe: int
    smtp: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """PORT, AWS_PORT, STRIPE_PORT and SMTP_PORT, or 3000, 4566, 12111 and 1025. Raises BadPort."""
        return cls(*(_port(environment, name, default) for name, _, default in _KNOWN))

    @classmethod
    def free(cls) -> Self:
        """Return ports that are free at this moment."""
        sockets = [socket.socket() for _ in _KNOWN]
        try:
            for each in sockets:
                each.bind((HOST, 0))
            return cls(*(each.getsockname()[1] for each in sockets))
        finally:
            for each in sockets:
                each.close()

    def check(self, *, with_stripe: bool = True) -> None:
        """Check that the ports are free. Raises PortTaken for the first that is in use."""
        numbers = zip((self.edge_proxy, self.aws, self.stripe, self.smtp), _KNOWN, strict=True)
        seen: dict[int, str] = {}
        for port, (name, purpose, _) in numbers:
            if name == "STRIPE_PORT" and not with_stripe:
                continue
            if port in seen:
                raise PortTaken(f"{name} and {seen[port]} are both {port}: use different ports.")
            seen[port] = name
            if _in_use(port):
                raise PortTaken(
                    f"Port {port} ({purpose}) is in use by another program. "
                    f"Stop it, or choose another port: {name}={port + 1} make run"
                )


_KNOWN = (
    ("PORT", "the address of Admit One", 3000),
    ("AWS_PORT", "the local AWS", 4566),
    ("STRIPE_PORT", "the local Stripe", 12111),
    ("SMTP_PORT", "the mailbox", 1025),
)


def _port(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise BadPort(f"{name} must be a port from 1 to 65535, not {text!r}.")
    return int(text)


def is_listening(port: int) -> bool:
    """Whether a program accepts connections on the port."""
    with socket.socket() as caller:
        caller.settimeout(1)
        return caller.connect_ex((HOST, port)) == 0


def _in_use(port: int) -> bool:
    if is_listening(port):
        return True
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # otherwise a port closed just now counts as in use
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            raise BadPort(f"Port {port} cannot be used: {error.strerror}.") from error
    return False
