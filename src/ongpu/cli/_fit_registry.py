"""The header of a model in a registry, without pulling it: the manifest, and the first bytes of the model's layer."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request

from ongpu.fit import gguf
from ongpu.fit.description import Description, of_header
from ongpu.fit.facts import InsufficientFacts
from ongpu.fit.manifest import MEDIA_TYPE, Place, parse

_SIZES = (64 * 1024, 1024 * 1024, 16 * 1024 * 1024, 64 * 1024 * 1024)
_MOST_MANIFEST = 1024 * 1024
_SECONDS = 30


def fetch(name: str, place: Place) -> Description:
    """Asks the registry. Raises InsufficientFacts with one sentence for everything that can go wrong."""
    text = _get(name, f"{place.base}/manifests/{place.tag}", _MOST_MANIFEST)
    manifest = parse(text.decode("utf-8", "replace"), name)
    models = manifest.of("model")
    if not models:
        raise InsufficientFacts(
            f"{name}: the registry has no GGUF model under this name (a cloud model or safetensors)"
        )
    projector = sum(layer.size_bytes for layer in manifest.of("projector"))
    url = f"{place.base}/blobs/{models[0].digest}"
    for size in _SIZES:
        try:
            header = gguf.parse(_get(name, url, min(size, models[0].size_bytes), ranged=True))
            return of_header(name, header, projector)
        except gguf.CutOff:
            if size >= models[0].size_bytes:
                break
    raise InsufficientFacts(f"{name}: the header of the model in the registry is cut off or larger than 64 MiB")


def _get(name: str, url: str, most: int, ranged: bool = False) -> bytes:
    """At most `most` bytes of an answer. `place_of` makes only http and https URLs."""
    headers = {"Accept": MEDIA_TYPE}
    if ranged:
        headers = {"Range": f"bytes=0-{max(0, most - 1)}"}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            body: bytes = answer.read(most)
            return body
    except urllib.error.HTTPError as error:
        why = "knows no such model" if error.code == 404 else f"answered {error.code}"
        raise InsufficientFacts(f"{name}: the registry {why} ({url})") from None
    except urllib.error.URLError as error:
        raise InsufficientFacts(
            f"{name}: the registry cannot be reached ({error.reason}); give a GGUF file or --model-info FILE instead"
        ) from None
    except (OSError, http.client.HTTPException) as error:
        raise InsufficientFacts(f"{name}: the registry's answer broke off ({error!r})") from None
