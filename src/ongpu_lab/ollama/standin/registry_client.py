"""HTTPS to a model registry, with Go's words for what goes wrong."""

from __future__ import annotations

import functools
import http.client
import os
import socket
import ssl
import urllib.parse
from dataclasses import dataclass

from .gojson import quote
from .names import Name

_CERTIFICATE = "tls: failed to verify certificate: x509: certificate"


class RegistryError(Exception):
    """The text that the client of a pull reads."""


@dataclass
class Reply:
    status: int
    headers: http.client.HTTPMessage
    response: http.client.HTTPResponse
    connection: http.client.HTTPConnection

    def read(self, size: int | None = None) -> bytes:
        return self.response.read(size) if size else self.response.read()

    def close(self) -> None:
        self.response.close()
        self.connection.close()


def base_url(name: Name, insecure: bool) -> str:
    """Plain HTTP only where the request allows it (`insecure`), as the recorded server does."""
    scheme = "http" if insecure else "https"
    return f"{scheme}://{name.host}/v2/{name.namespace}/{name.model}"


@functools.cache
def _trust() -> ssl.SSLContext:
    """The system's certificates, read once in a process as Go does it."""
    return ssl.create_default_context()


def request(method: str, url: str, headers: dict[str, str] | None = None) -> Reply:
    """One request without following a redirect. Raises RegistryError."""
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(host, parts.port, timeout=60, context=_trust())
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=60)
    proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
    if proxy and parts.scheme == "https":
        via = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        connection = http.client.HTTPSConnection(via.hostname or "", via.port, timeout=60, context=_trust())
        connection.set_tunnel(host, parts.port)
    try:
        connection.request(method, parts.path, headers={"User-Agent": "ollama (lab stand-in)", **(headers or {})})
        response = connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise RegistryError(
            f"{method.capitalize()} {quote(url)}: {_reason(error, host, parts.port, parts.scheme)}"
        ) from error
    return Reply(response.status, response.headers, response, connection)


def _reason(error: Exception, host: str, port: int | None, scheme: str) -> str:
    port = port or (443 if scheme == "https" else 80)
    match error:
        case ssl.SSLCertVerificationError():
            if "Hostname mismatch" in str(error):
                return f"{_CERTIFICATE} is not valid for any names, but wanted to match {host}"
            if "expired" in str(error):
                return f"{_CERTIFICATE} has expired or is not yet valid"
            return f"{_CERTIFICATE} signed by unknown authority"
        case ssl.SSLError() if "WRONG_VERSION_NUMBER" in str(error) or "record layer" in str(error).lower():
            return "tls: first record does not look like a TLS handshake"
        case socket.gaierror():
            return f"dial tcp: lookup {host}: no such host"
        case ConnectionRefusedError():
            return f"dial tcp {host}:{port}: connect: connection refused"
        case TimeoutError():
            return f"dial tcp {host}:{port}: i/o timeout"
        case OSError(errno=113):
            return f"dial tcp {host}:{port}: connect: no route to host"
        case OSError(errno=101):
            return f"dial tcp {host}:{port}: connect: network is unreachable"
        case http.client.RemoteDisconnected() | ConnectionResetError():
            return "EOF"
        case _:
            return str(error)
