"""Where the real sites send a download: GitHub and the model registry answer from another host."""

from __future__ import annotations

from dataclasses import dataclass

from ongpu_lab.vendor.hostnames import GITHUB, GITHUB_ASSETS, REGISTRY, REGISTRY_BLOBS

# Host that redirects -> part of the path that makes a download, host that has the file, status, methods. A pull asks
# the registry for a blob's size with HEAD, which is answered on the spot.
_RULES = {
    GITHUB: ("/releases/download/", GITHUB_ASSETS, 302, ("GET", "HEAD")),
    REGISTRY: ("/blobs/", REGISTRY_BLOBS, 307, ("GET",)),
}


@dataclass(frozen=True, slots=True)
class Redirect:
    status: int
    url: str


def elsewhere(host: str, path: str, method: str) -> Redirect | None:
    """The redirect for a request, or None where the host answers itself."""
    part, target, status, methods = _RULES.get(host, ("", "", 0, ()))
    return Redirect(status, f"https://{target}{path}") if method in methods and part in path else None


def location(host: str, path: str) -> tuple[str, str]:
    """Directory and path of the file behind a URL: what is redirected to lies with the host that redirects."""
    for origin, (part, target, _, _) in _RULES.items():
        if host == target and part in path:
            return origin, path
    return host, path
