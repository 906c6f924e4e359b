"""Secure Boot: the firmware's state, what the kernel makes of it, and the keys that may sign modules."""

from __future__ import annotations

import re

from ongpu.host.boot import SecureBoot, SecureBootMode, SigningKey
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.probe import octets
from ongpu.probe.output import Output, Part
from ongpu.probe.section import Section

# DKMS (its own tree; Ubuntu's shim-signed), akmods
KEYS = ("/var/lib/dkms/mok.pub", "/var/lib/shim-signed/mok/MOK.der", "/etc/pki/akmods/certs/public_key.der")
# EFI global variables (UEFI 2.10, 3.3) and shim's copy of MokSBState: four bytes of attributes, then the value
_GLOBAL, _SHIM = "8be4df61-93ca-11d2-aa0d-00e098032b8c", "605dab50-e046-4300-abb6-3dd810dd8b23"

SHELL = rf"""
byte() {{ od -An -tu1 -j4 -N1 "/sys/firmware/efi/efivars/$1"; }}
locked() {{ show /sys/kernel/security/lockdown /sys/module/module/parameters/sig_enforce; }}
p kernel locked
if [ -d /sys/firmware/efi ]; then
  [ -d /sys/firmware/efi/efivars ] && for name in SecureBoot-{_GLOBAL} SetupMode-{_GLOBAL} MokSBStateRT-{_SHIM}; do
    [ -e "/sys/firmware/efi/efivars/$name" ] && p "${{name%%-*}}" byte "$name"
  done
  if need state mokutil; then
    p state bound 3 mokutil --sb-state
    p enrolled bound 3 mokutil --list-enrolled
    p new bound 3 mokutil --list-new
  fi
  for file in {" ".join(KEYS)}; do
    [ -f "$file" ] || continue
    have mokutil && p "key:$file" bound 3 mokutil --test-key "$file" || p "there:$file" printf 'yes\n'
  done
elif [ -d /sys/firmware ] || [ -d /sys/class ]; then p none printf 'no\n'
else p unmounted printf 'no\n'; fi
"""

# none [integrity] confidentiality                         /sys/kernel/security/lockdown (6.1)
_LOCKDOWN = re.compile(r"\[(none|integrity|confidentiality)\]")
# SecureBoot enabled          SecureBoot disabled / Platform is in Setup Mode       mokutil --sb-state (0.6)
# SecureBoot validation is disabled in shim
_STATE = re.compile(r"^SecureBoot (enabled|disabled)$", re.MULTILINE)
#         Subject: C=GB, CN=Canonical Ltd. Master Certificate Authority         mokutil --list-enrolled (0.6)
_SUBJECT = re.compile(r"^\s{0,40}Subject: (.{1,500})$", re.MULTILINE)
_NO_VARIABLES = "EFI variables are not supported on this system"


def parse(output: Output) -> Known[SecureBoot] | Absent | Unreadable:
    """Absent = not booted through EFI, so there is no Secure Boot."""
    if output["unmounted"].ok:
        return Unreadable("/sys is not mounted")
    if output["none"].ok:
        return Absent("not booted through EFI (no /sys/firmware/efi)")
    if not output.complete:
        return Unreadable("the look at Secure Boot was cut off")
    shown = dict(line.split("\t", 1) for line in output["kernel"].lines if "\t" in line)
    lockdown = _LOCKDOWN.search(shown.get("/sys/kernel/security/lockdown", ""))
    enforce = shown.get("/sys/module/module/parameters/sig_enforce", "")
    return Known(
        SecureBoot(
            mode=_mode(output),
            shim_validation=_shim(output),
            lockdown=Known(lockdown[1], "/sys/kernel/security/lockdown")
            if lockdown
            else Unreadable("/sys/kernel/security/lockdown says nothing", octets.AS_ROOT),
            sig_enforce=Known(enforce == "Y", "/sys/module/module/parameters/sig_enforce")
            if enforce in ("Y", "N")
            else Unreadable("/sys/module/module/parameters/sig_enforce says nothing"),
            enrolled=_enrolled(output["enrolled"], output["state"]),
            keys=tuple(_key(output, path) for path in KEYS if {f"key:{path}", f"there:{path}"} & set(output.parts)),
        ),
        "efivarfs, mokutil",
    )


def _byte(part: Part) -> int | None:
    word = part.text.strip()
    return int(word) if part.ok and word in ("0", "1") else None


def _mode(output: Output) -> Reading[SecureBootMode]:
    """The firmware's own variables, then mokutil's word for them (kernels before efivarfs)."""
    setup, secure = _byte(output["SetupMode"]), _byte(output["SecureBoot"])
    if secure is not None:
        return Known("enabled" if secure else "setup" if setup else "disabled", "efivarfs")
    state = output["state"]
    if found := _STATE.search(state.text) if not state.timed_out else None:
        setup_mode = "Setup Mode" in state.text
        mode: SecureBootMode = "enabled" if found[1] == "enabled" else "setup" if setup_mode else "disabled"
        return Known(mode, "mokutil --sb-state")
    why = state.trouble or f"unexpected answer {state.text[:120]!r}"
    return Unreadable(f"no SecureBoot variable in efivarfs; mokutil --sb-state: {why}")


def _shim(output: Output) -> Reading[bool]:
    if "MokSBStateRT" in output.parts:
        value = _byte(output["MokSBStateRT"])
        return Unreadable("MokSBStateRT cannot be read") if value is None else Known(not value, "efivarfs")
    if output["state"].ok:
        return Known("validation is disabled in shim" not in output["state"].text, "mokutil --sb-state")
    return Absent("no MokSBStateRT variable: shim says nothing")


def _enrolled(part: Part, state: Part) -> Reading[tuple[str, ...]]:
    if state.missing:
        return Unreadable("mokutil is not installed", "install mokutil")
    subjects = tuple(found.strip() for found in _SUBJECT.findall(part.text))
    if part.timed_out or (part.trouble and not subjects and part.text):
        return Unreadable(f"mokutil --list-enrolled: {part.trouble}")
    return Known(subjects, "mokutil --list-enrolled")


def _key(output: Output, path: str) -> SigningKey:
    """`FILE is already enrolled`, `FILE is not enrolled`, `FILE is already in the enrollment request` (mokutil 0.6)."""
    part = output[f"key:{path}"]
    words = f"mokutil --test-key {path}"
    if part.timed_out or not part.text:
        blind = Unreadable("mokutil is not installed" if output["state"].missing else f"{words}: {part.trouble}")
        return SigningKey(path=path, enrolled=blind, pending=blind)
    pending = "in the enrollment request" in part.text
    if "already enrolled" in part.text:
        enrolled: Reading[bool] = Known(True, words)
    elif "not enrolled" in part.text or pending:
        enrolled = Known(False, words)
    else:
        enrolled = Unreadable(f"{words}: {part.lines[0][:200]}")
    return SigningKey(path=path, enrolled=enrolled, pending=Known(pending, words))


SECTION = Section(name="secure_boot", shell=SHELL, parse=parse, seconds=8)
