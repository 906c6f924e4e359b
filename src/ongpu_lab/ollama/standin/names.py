"""Model names: `[scheme://][host[:port]/][namespace/]model[:tag]`."""

from __future__ import annotations

import re
from dataclasses import dataclass

HOST, NAMESPACE, TAG = "registry.ollama.ai", "library", "latest"
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}")


@dataclass(frozen=True)
class Name:
    host: str
    namespace: str
    model: str
    tag: str
    scheme: str = "https"

    def short(self) -> str:
        """As tables and the API show it: without the default host and namespace."""
        if self.host != HOST:
            return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"
        if self.namespace != NAMESPACE:
            return f"{self.namespace}/{self.model}:{self.tag}"
        return f"{self.model}:{self.tag}"

    def full(self) -> str:
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"

    def path(self) -> str:
        """Below `manifests/`."""
        return f"{self.host}/{self.namespace}/{self.model}/{self.tag}"


def parse(text: str) -> Name | None:
    """None if `text` is no valid name. An empty text is a valid request for a model that does not exist."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "https", text
    parts = rest.split("/")
    if len(parts) > 3:
        return None
    model, _, tag = parts[-1].partition(":")
    namespace = parts[-2] if len(parts) > 1 else NAMESPACE
    host = parts[0] if len(parts) > 2 else HOST
    tag = tag or TAG
    if not (_PART.fullmatch(model) and _PART.fullmatch(tag) and _PART.fullmatch(namespace) and _HOST.fullmatch(host)):
        return None
    return Name(host, namespace, model, tag, scheme)
