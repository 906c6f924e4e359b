"""Tools that later steps need on the host."""

from __future__ import annotations

from packaging.version import InvalidVersion, Version

from ongpu.plan.context import Context, Resource
from ongpu.plan.distributions import distribution_of
from ongpu.plan.gate import system_of
from ongpu.plan.types import Change
from ongpu.spec.model import HostSpec

_ZSTD_SINCE = Version("0.14.0")  # before, releases were .tgz (Ollama, release.yaml)


def needs_zstd(release: str) -> bool:
    try:
        return Version(release).release >= _ZSTD_SINCE.release
    except InvalidVersion:
        return True


def _tools(spec: HostSpec) -> tuple[str, ...]:
    tools: list[str] = []
    if spec.ollama.wanted:
        tools += ["curl", "tar", "sha256sum", "awk", "zstd" if needs_zstd(spec.ollama.release) else "gzip"]
    if spec.driver.manage and spec.driver.repository.key_text is None:
        tools += ["curl", "gpg"]
    if "curl" in tools:
        tools.append("update-ca-certificates")
    return tuple(dict.fromkeys(tools))


def _changes(context: Context) -> list[Change]:
    system = system_of(context)
    # A tool that the probe did not look for is not known to be missing; the step that needs it says so itself.
    missing = [tool for tool in _tools(context.spec) if system.tools.get(tool) is False]
    if not missing:
        return []
    distribution = distribution_of(system)
    packages = distribution.tools(missing)
    step = distribution.install_tools(packages)
    return [Change(resource="prerequisites", summary=f"install {', '.join(packages)}", steps=(step,))]


RESOURCE = Resource(
    name="prerequisites",
    applies=lambda spec: spec.driver.manage or spec.ollama.wanted,
    changes=_changes,
)
