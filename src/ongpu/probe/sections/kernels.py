"""Installed kernels: which boots next, and for which the NVIDIA module, its headers and its builds are there."""

from __future__ import annotations

import re

from ongpu.host.boot import DkmsBuild, DkmsFailure, DkmsState, InstalledKernel, Kernels, ModuleFile, release_order
from ongpu.host.gpu import Flavour
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.probe import octets
from ongpu.probe.output import Output
from ongpu.probe.section import Section

NEWEST = 3  # kernels whose module is opened, with the running one: modinfo unpacks up to 100 MB for each

# modules.dep is depmod's answer to "which file would modprobe load": one per module name, overrides applied. DKMS's
# tree is read as it is (dkms(8), /var/lib/dkms/NAME/VERSION/KERNEL/ARCH): `dkms status` starts a hundred processes.
SHELL = rf"""
kernels() {{
  for dir in /lib/modules/*/; do
    [ -d "$dir" ] || continue
    release=${{dir%/}}; release=${{release##*/}}; image=no; headers=no
    for file in "/boot/vmlinuz-$release" "/boot/vmlinux-$release" "/boot/Image-$release" "$dir/vmlinuz"; do
      [ -e "$file" ] && image=yes
    done
    [ -d "$dir/build/." ] && headers=yes
    printf '%s %s %s\n' "$release" "$image" "$headers"
  done
  for file in /boot/vmlinuz-*; do
    release=${{file#/boot/vmlinuz-}}
    [ -e "$file" ] && [ ! -d "/lib/modules/$release" ] && printf '%s yes no\n' "$release"
  done; :
}}
found() {{
  grep -HsE '^[^:]*/nvidia(-current|-current-open)?\.ko(\.[a-z0-9]+)?:' /lib/modules/*/modules.dep |
    sed -n 's#^\(/lib/modules/[^/:]*\)/modules.dep:\([^:]*\):.*#\1/\2#p'; :
}}
opened() {{
  {{ bound 10 modinfo "$@" 2>&1 || printf '@failed %s\n' "$?"; }} |
    grep -E '^(filename|version|license|signer|sig_id|sig_key|@failed|modinfo:)'
}}
dkms_tree() {{
  for here in /var/lib/dkms/nvidia*/*/; do
    here=${{here%/}}; version=${{here##*/}}; name=${{here%/*}}; name=${{name##*/}}
    [ -e "$here/source" ] && [ ! -L "$here" ] || continue
    printf 'added %s %s -\n' "$name" "$version"
    for dir in "$here"/*/*/module; do
      [ -d "$dir" ] || continue
      dir=${{dir%/module}}; arch=${{dir##*/}}; kernel=${{dir%/*}}; kernel=${{kernel##*/}}; state=built
      case $kernel in source|build) continue ;; esac
      [ "$(readlink "${{here%/*}}/kernel-$kernel-$arch")" = "$version/$kernel/$arch" ] && state=installed
      printf '%s %s %s %s\n' "$state" "$name" "$version" "$kernel"
    done
  done; :
}}
failed() {{ head -n 1 "$1"; grep -m 20 -nE 'error:|Error [0-9]|\*\*\*|fatal|No such file' "$1" | cut -c1-400; :; }}
menu() {{ grep -hE '^[[:space:]]*(set default=|linux(16|efi)?[[:space:]])' "$1" | cut -c1-400 | head -n 40; }}
environment() {{ grep -aE '^(saved_entry|next_entry)=' "$1"; :; }}
if [ -d /lib/modules ] || [ -d /boot ]; then
  p running uname -r
  p kernels kernels
  files=$(found)
  p found printf '%s\n' "$files"
  if [ -n "$files" ] && need modinfo modinfo; then
    newest=$(printf '%s\n' "$files" | sort -V | tail -n {NEWEST}; printf '%s\n' "$files" | grep -F "/$(uname -r)/")
    p tool readlink -f "$(command -v modinfo)"
    p modinfo opened $(printf '%s\n' "$newest" | sort -u)
  fi
  p dkms dkms_tree
  for log in /var/lib/dkms/nvidia*/*/build/make.log; do [ -f "$log" ] && p "log:$log" failed "$log"; done
  for dir in /boot/grub /boot/grub2; do
    [ -e "$dir/grub.cfg" ] && p menu menu "$dir/grub.cfg"
    [ -e "$dir/grubenv" ] && p environment environment "$dir/grubenv"
  done
else
  p none printf 'no\n'
fi
"""

_FIELD = re.compile(r"^(filename|version|license|signer|sig_id|sig_key):\s*(.*)$")
# DKMS make.log for nvidia-current-535.309.01 for kernel 6.1.0-56-amd64 (x86_64)             (dkms 3.0)
# DKMS (dkms-3.2.2) make.log for nvidia-current-open/550.163.01 for kernel 6.12.117+deb13-amd64 (x86_64)
_LOG_HEAD = re.compile(r"make\.log for .{1,200}? for kernel (\S{1,100})")
_LOG_PATH = re.compile(r"/var/lib/dkms/([^/]+)/([^/]+)/build/make\.log")
# 	linux	/boot/vmlinuz-6.1.0-56-amd64 root=UUID=... ro quiet               grub.cfg (GRUB 2.06)
_LINUX = re.compile(r"^\s*linux(?:16|efi)?\s+\S*?/(?:vmlinu[xz]|Image)-(\S+)")
_DEFAULT = re.compile(r'^\s*set default="?(.*?)"?\s*$')
# saved_entry=gnulinux-advanced-1a2b>gnulinux-6.1.0-55-amd64-advanced-1a2b                    grubenv (Debian, Ubuntu)
# saved_entry=ffffffffffffffffffffffffffffffff-5.14.0-570.el9.x86_64                          grubenv (RHEL 9, BLS)
_ENTRY = re.compile(r"(?:.*>)?(?:gnulinux-(.+?)-advanced-\S*|[0-9a-f]{32}-(.+))")


def parse(output: Output) -> Known[Kernels] | Absent | Unreadable:
    """Absent = neither /lib/modules nor /boot is there: the kernel comes from elsewhere."""
    if output["none"].ok:
        return Absent("no kernel is installed here (no /lib/modules, no /boot)")
    for name in ("running", "kernels", "found", "dkms"):
        if output[name].trouble:
            return Unreadable(f"installed kernels: {output[name].trouble}")
    if not output.complete:
        return Unreadable("the look at installed kernels was cut off")
    rows = [words for line in output["kernels"].lines if len(words := line.split(" ")) == 3]
    modules = _modules(output)
    installed = tuple(
        InstalledKernel(
            release=release,
            bootable=image == "yes",
            headers=headers == "yes",
            module=modules.get(release, Absent(f"no NVIDIA module for {release} (modules.dep)")),
        )
        for release, image, headers in sorted(rows, key=lambda row: release_order(row[0]))
    )
    return Known(
        Kernels(
            running=output["running"].text.strip(),
            next_boot=_next_boot(output, [kernel.release for kernel in installed if kernel.bootable]),
            installed=installed,
            dkms=_dkms(output),
            failures=_failures(output),
        ),
        "/lib/modules, /boot, /var/lib/dkms",
    )


def _modules(output: Output) -> dict[str, Reading[ModuleFile]]:
    part = output["modinfo"]
    opened: dict[str, dict[str, str]] = {}
    for line in part.lines:
        if field := _FIELD.match(line):
            if field[1] == "filename":
                fields = opened.setdefault(field[2].strip(), {})
            elif opened:
                fields.setdefault(field[1], field[2].strip())
    kmod = output["tool"].ok and "busybox" not in output["tool"].text
    found: dict[str, Reading[ModuleFile]] = {}
    for path in output["found"].lines:
        release = path.split("/")[3] if path.count("/") > 3 else ""
        if part.missing or part.timed_out or any(line.startswith("@failed 1") and len(line) > 9 for line in part.lines):
            found[release] = Unreadable(f"{path}: modinfo: {part.trouble or 'no answer within its time limit'}")
        elif path not in opened:
            found[release] = Unreadable(f"{path} was not opened: only the {NEWEST} newest kernels' modules are")
        elif not opened[path].get("version"):
            found[release] = Unreadable(f"{path}: modinfo says no version")
        else:
            found[release] = Known(_module(path, opened[path], kmod), "modinfo")
    return found


def _module(path: str, fields: dict[str, str], kmod: bool) -> ModuleFile:
    license_ = fields.get("license", "")
    flavour: Flavour = "open" if "GPL" in license_ else "proprietary" if license_ == "NVIDIA" else "unknown"
    signer: Reading[str]
    if "signer" in fields or "sig_id" in fields:
        signer = Known(fields.get("signer", ""), "modinfo")
    elif kmod:
        signer = Absent(f"{path} has no signature")
    else:
        signer = Unreadable("busybox's modinfo does not show signatures", "install kmod")
    name = path.rsplit("/", 1)[-1].split(".ko")[0]
    sig_key = fields.get("sig_key", "")
    return ModuleFile(path=path, name=name, version=fields["version"], flavour=flavour, signer=signer, sig_key=sig_key)


def _dkms(output: Output) -> tuple[DkmsBuild, ...]:
    """`added` only where a version was built for no kernel, as `dkms status` says it."""
    rows = [words for line in output["dkms"].lines if len(words := line.split(" ")) == 4]
    states: dict[str, DkmsState] = {"built": "built", "installed": "installed"}
    builds = [
        DkmsBuild(name=name, version=version, kernel=kernel, state=states[state])
        for state, name, version, kernel in rows
        if state in states
    ]
    done = {(build.name, build.version) for build in builds}
    added = [
        DkmsBuild(name=name, version=version, kernel="", state="added")
        for state, name, version, _ in rows
        if state == "added" and (name, version) not in done
    ]
    return tuple(builds + added)


def _failures(output: Output) -> tuple[DkmsFailure, ...]:
    failures = []
    for path, part in output.startswith("log:"):
        where = _LOG_PATH.fullmatch(path)
        head = _LOG_HEAD.search(part.lines[0]) if part.lines else None
        errors = tuple(line.strip() for line in part.lines[1:])
        if where and errors:
            kernel = head[1] if head else ""
            failures.append(DkmsFailure(name=where[1], version=where[2], kernel=kernel, log=path, lines=errors))
    return tuple(failures)


def _next_boot(output: Output, bootable: list[str]) -> Reading[str]:
    """GRUB's default where it can be read, else the highest installed kernel (what systemd-boot and BLS take)."""
    if not bootable:
        return Absent("no kernel image is installed here")
    environment = dict(line.split("=", 1) for line in output["environment"].lines if "=" in line)
    menu = output["menu"]
    if "menu" in output.parts and menu.trouble and "ermission denied" in menu.text:
        return Unreadable("GRUB's configuration may not be read", octets.AS_ROOT)
    if environment.get("next_entry"):
        return _entry(environment["next_entry"], bootable, "next_entry")
    defaults = [found[1] for line in menu.lines if (found := _DEFAULT.match(line))]
    default = next((text for text in reversed(defaults) if text != "${next_entry}"), "")
    if default not in ("", "0", "${saved_entry}"):
        return _entry(default, bootable, "set default")
    if environment.get("saved_entry") and (default == "${saved_entry}" or not defaults):
        return _entry(environment["saved_entry"], bootable, "saved_entry")
    first = next((found[1] for line in menu.lines if (found := _LINUX.match(line))), "")
    if first in bootable:
        return Known(first, "the first entry of GRUB's menu")
    return Known(bootable[-1], "the highest installed kernel")


def _entry(text: str, bootable: list[str], source: str) -> Reading[str]:
    found = _ENTRY.fullmatch(text)
    release = (found[1] or found[2]) if found else ""
    if release in bootable:
        return Known(release, f"GRUB's {source}")
    return Unreadable(f"GRUB boots the entry {text[:100]!r} ({source}); its kernel is not known")


SECTION = Section(name="kernels", shell=SHELL, parse=parse, seconds=15)
