"""The driver came by NVIDIA's .run installer: files that no package owns, and nvidia-uninstall."""

from __future__ import annotations

from ongpu_lab.faults.base import Target

_VERSION = "570.195.03"
_PACKAGES = (
    "libnvidia-ml1",
    "libcuda1",
    "libnvidia-ptxjitcompiler1",
    "nvidia-driver-cuda",
    "nvidia-modprobe",
    "nvidia-kernel-support",
    "nvidia-kernel-open-dkms",
)


def apply(target: Target) -> None:
    target.sh(f"""
[ ! -d /sys/module/nvidia ] || {{ echo "a driver runs on this host already" >&2; exit 1; }}
. /etc/os-release
site=https://developer.download.nvidia.com/compute/cuda/repos/debian$VERSION_ID/x86_64
scratch=$(mktemp -d)
for name in {" ".join(_PACKAGES)}; do
  curl --fail --silent --show-error --output "$scratch/$name.deb" "$site/${{name}}_{_VERSION}-1_amd64.deb"
  dpkg-deb --fsys-tarfile "$scratch/$name.deb" | tar -t | grep -v '/$' | sed 's/^\\.//' >>"$scratch/files"
  dpkg-deb -x "$scratch/$name.deb" "$scratch/tree"
done
cp -a "$scratch/tree/." /
modules=/lib/modules/$(uname -r)/kernel/drivers/video
mkdir -p "$modules" /var/lib/ongpu-lab
cp /usr/src/nvidia-{_VERSION}/prebuilt/*.ko "$modules/"
ls "$modules"/nvidia*.ko >>"$scratch/files"
mv "$scratch/files" /var/lib/ongpu-lab/runfile
rm -rf "$scratch"
echo "installer version: {_VERSION}" >/var/log/nvidia-installer.log
cat >/usr/bin/nvidia-uninstall <<'END'
#!/bin/sh
xargs rm -f </var/lib/ongpu-lab/runfile
rm -rf /usr/src/nvidia-{_VERSION} /usr/bin/nvidia-uninstall
ldconfig
depmod "$(uname -r)"
END
chmod 0755 /usr/bin/nvidia-uninstall
ldconfig
depmod "$(uname -r)"
modprobe nvidia
modprobe nvidia-uvm
""")


def clear(target: Target) -> None:
    target.sh("""
[ ! -x /usr/bin/nvidia-uninstall ] || nvidia-uninstall --silent
for module in nvidia_uvm nvidia; do [ ! -d /sys/module/$module ] || rmmod $module; done
""")
