"""Stand-ins for package managers and friends: each writes down its call, unless it only looks, and says what a host of
the case would say."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ongpu.plan.distributions.nvidia import default_repository
from tests.plan.golden.cases import Case
from tests.plan.world import World

_UBUNTU = [
    f"nvidia-{part}-{branch}-server{flavour}"
    for branch in (580, 595, 615)
    for part in ("utils", "compute-utils", "headless", "headless-no-dkms")
    for flavour in ("", "-open")
]
# Everything that a plan may ask for by name.
DRIVER_PACKAGES = (
    *("nvidia-driver-cuda", "nvidia-kernel-open-dkms", "nvidia-kernel-dkms", "nvidia-open", "cuda-drivers"),
    *("nvidia-smi", "libcuda1", "nvidia-open-kernel-dkms", "nvidia-persistenced", "nvidia-modprobe"),
    *("kmod-nvidia-open-dkms", "kmod-nvidia-latest-dkms", "nvidia-driver-G06-kmp-default"),
    *("nvidia-compute-utils-G06", "nvidia-compute-utils-G07"),
    *("nv-prefer-signed-open-driver", "nv-prefer-signed-open-driver-G07"),
    "nvidia-open-driver-G06-signed-cuda-kmp-default",
    *_UBUNTU,
)

# call NAME ARGUMENT...: one line, quoted where a shell would need it
_CALL = r"""
call() {
  line=
  for word in "$@"; do
    case $word in
      '' | *[!A-Za-z0-9_./:=@,+%^~-]*) line="$line '$word'" ;;
      *) line="$line $word" ;;
    esac
  done
  printf ' %s\n' "$line" >>"$PLACE/calls"
}
"""

_PROGRAMS = {
    "uname": 'cat "$PLACE/uname"',
    "curl": 'call curl "$@"; while [ $# -gt 0 ]; do [ "$1" = --output ] && : >"$2"; shift; done; printf 200',
    "gpg": """case "$*" in
      *--show-keys*) printf 'pub:\\nfpr:::::::::%s:\\n' "$(cat "$PLACE/fingerprint")" ;;
      *--export*) echo 'Managed by ongpu' ;;
    esac""",
    "apt-get": """case "$*" in
      *--simulate*) echo "Inst dkms (3 x)"; echo "Inst linux-headers-$(cat "$PLACE/uname") (1 x)" ;;
      *) call apt-get "$@" ;;
    esac""",
    "apt-cache": """case "$*" in
      *madison*) for last; do :; done; sed -n "s/^$last \\(.*\\)/$last | \\1 | x/p" "$PLACE/offers" ;;
      *policy*) echo '  Candidate: 1' ;;
    esac""",
    "apt-mark": 'call apt-mark "$@"',
    "dpkg-query": """sed 's/$/ ii/' "$PLACE/installed" """,
    "dkms": "exit 0",
    "dnf": """case "$*" in
      --version) cat "$PLACE/dnf" ;;
      *repoquery*--queryformat*name*persistenced* | *repoquery*--queryformat*name*modprobe*)
        for last; do :; done; name=${last%-*}
        last=${last##*-}; sed -n "s/^$name \\(.*\\)/$name-\\1/p" "$PLACE/offers" | grep -F -- "${last%?}" || : ;;
      *repoquery*--queryformat*) cat "$PLACE/offers" ;;
      *repoquery*dkms) for last; do :; done; [ "$last" != dkms ] || [ -e "$PLACE/dkms" ] && echo "$last" ;;
      *repoquery*) for last; do :; done; echo "$last" ;;
      *repolist*) printf '%s x\\n' crb powertools ol9_codeready_builder "codeready-builder-for-rhel-8-x86_64-rpms" \\
        "codeready-builder-for-rhel-9-x86_64-rpms" "codeready-builder-for-rhel-9-aarch64-rpms" ;;
      *--assumeno* | *'versionlock list'*) ;;
      *) call dnf "$@" ;;
    esac""",
    "rpm": """case "$*" in
      --import*) call rpm "$@" ;;
      -qa*) sed 's/ [0-9]*:/ /; s/-[^- ]*$//' "$PLACE/installed" ;;
      *EPOCHNUM*) shift 3; for name; do sed -n "s/^$name \\(.*\\)/$name-\\1.*/p" "$PLACE/installed"; done ;;
    esac""",
    "zypper": """case "$*" in
      *search*--type*) sed -n 's/^\\([^ ]*\\) \\(.*\\)/  | \\1 | package | \\2 | x86_64 | x/p' "$PLACE/offers" ;;
      *search*--match-exact*) for last; do :; done
        sed -n "s/^\\($last\\) \\(.*\\)/  | \\1 | package | \\2 | x86_64 | x/p" "$PLACE/offers" ;;
      *--dry-run*) ;;
      *) call zypper "$@" ;;
    esac""",
}


def install(place: Path, case: Case) -> None:
    directory = place / "programs"
    directory.mkdir()
    for name, body in _PROGRAMS.items():
        file = directory / name
        file.write_text(f"#!/bin/sh\n{_CALL}{body}\n")
        file.chmod(0o755)
    # Programs of other families are not there.
    apt = case.os[0] in ("debian", "ubuntu")
    for name in ("dnf", "rpm", "zypper") if apt else ("apt-get", "apt-cache", "apt-mark", "dpkg-query"):
        (directory / name).unlink()
    if case.os[0] not in ("debian", "ubuntu"):
        (directory / "dkms").unlink()
    if case.os[0] in ("fedora", "amzn", "rhel"):
        (place / "dkms").touch()  # in the distribution's own repositories; on Red Hat the operator has enabled EPEL
    offers = [f"{name} {case.package_version(v)}" for v in case.offered() for name in DRIVER_PACKAGES]
    (place / "offers").write_text("\n".join(offers) + "\n")
    branch = case.driver.get("branch", "580")
    fitting = [v for v in case.offered() if branch == "auto" or v == branch or v.startswith(f"{branch}.")]
    (place / "installed").write_text(
        "".join(f"{name} {case.package_version(v)}\n" for v in fitting[-1:] for name in _installed(case))
    )
    (place / "uname").write_text(f"{case.uname}\n")
    (place / "dnf").write_text("dnf5 version 5.2.16\n" if case.os[0] == "fedora" else "4.14.0\n")
    (place / "fingerprint").write_text(_fingerprint(case))


def _installed(case: Case) -> list[str]:
    """Some of what the transaction has brought, for what is held afterwards."""
    branch = case.driver.get("branch", "580").split(".")[0]
    archive = case.driver.get("source") == "distro"
    match case.os[0]:
        case "debian":
            return ["libcuda1", "libnvidia-ml1", "nvidia-smi" if archive else "nvidia-driver-cuda"]
        case "ubuntu" if archive:
            return [f"libnvidia-compute-{branch}-server", f"nvidia-utils-{branch}-server"]
        case "ubuntu":
            return ["libnvidia-compute", "nvidia-open"]
        case "sles" | "opensuse-leap":
            return ["nvidia-compute-utils-G06", "nvidia-persistenced"]
        case _:
            return ["nvidia-driver-cuda", "nvidia-driver-cuda-libs", "nvidia-persistenced"]


def _fingerprint(case: Case) -> str:
    declared = case.driver.get("repository", {}).get("key_fingerprint")
    if declared:
        return str(declared)
    blank = World(arch=case.arch).snapshot().system.value  # type: ignore[union-attr]
    default = default_repository(dataclasses.replace(blank, os_id=case.os[0], os_version=case.os[1]))
    return default.fingerprint if default else ""
