"""Real answers of the machine and GPU sections, as parts; and what a section looks like without a shell."""

from __future__ import annotations

from ongpu.probe.output import Output, Part

Parts = dict[str, str | Part]


def output(section: str, complete: bool = True, /, **parts: str | Part) -> Output:
    """Text is a part that ended well. `_` in a name stands for itself."""
    return Output(
        section,
        {name: part if isinstance(part, Part) else Part(0, part) for name, part in parts.items()},
        complete,
    )


# Debian 12, a cloud machine with two GPUs; systemd 252, coreutils 9.1
SYSTEM: Parts = {
    "os": """PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
HOME_URL="https://www.debian.org/\"""",
    "uname": "gpu01 6.1.0-56-amd64 x86_64",
    "id": "uid=1000(deploy) gid=1000(deploy) groups=1000(deploy),27(sudo)",
    "clock": "1795500000",
    "facts": """/proc/sys/kernel/random/boot_id\t0edb6f69-19dd-4367-a4c5-fce8cf91124e
/proc/uptime\t1000.25 3888.81
memory\t24583424
systemd\tyes
reboot\tno""",
    "tools": "apt-get\nawk\nbash\ncurl\nsystemctl\ntimeout",
    "virt": "kvm",
    "dirs": "/\n/usr\n/var/lib\n/home",
    "disks": """Filesystem     1024-blocks     Used Available Capacity Mounted on
/dev/vda1        264212084 23481560 229302684      10% /
/dev/vda1        264212084 23481560 229302684      10% /
/dev/vda1        264212084 23481560 229302684      10% /
nas:/home       1000000000 10000000 990000000       1% /home""",
    "mounts": """Filesystem     1024-blocks     Used Available Capacity Mounted on
udev              12262084        0  12262084       0% /dev
tmpfs              2458344      544   2457800       1% /run
/dev/vda1        264212084 23481560 229302684      10% /
/dev/nvme0n1p1  1880000000 80000000 1800000000      5% /srv/my models
/dev/loop1           65536    65536         0     100% /snap/core20/2318
nas:/home       1000000000 10000000 990000000       1% /home""",
}

# The same machine: a GPU with its audio function, an H100, an NVSwitch
PCI: Parts = {
    "bus": """0000:01:00.0 0x10de 0x030000 0x2882 0x1458 0x40d1 nvidia
0000:01:00.1 0x10de 0x040300 0x22be 0x1458 0x40d1 snd_hda_intel
0000:41:00.0 0x10de 0x030200 0x2330 0x10de 0x16c1 -
0000:85:00.0 0x10de 0x068000 0x22a3 0x10de 0x1796 nvidia-nvswitch"""
}

# Debian 13 with the open module 550.163.01 (nvidia-open-kernel-dkms), kmod 34
MODULE: Parts = {
    "modules": "nvidia\nnvidia_uvm",
    "loaded": "/sys/module/nvidia/version\t550.163.01\n/sys/module/nvidia/refcnt\t4",
    "nvrm": """NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.163.01  Release Build  (dvs-builder@U16-I1)
GCC version:  gcc version 14.2.0 (Debian 14.2.0-19)""",
    "disk": Part(
        1,
        """modinfo: ERROR: Module nvidia not found.
filename:       /lib/modules/6.12.94+deb13-amd64/updates/dkms/nvidia-current-open.ko.xz
import_ns:      DMA_BUF
alias:          char-major-195-*
version:        550.163.01
supported:      external
license:        Dual MIT/GPL
firmware:       nvidia/550.163.01/gsp_tu10x.bin
modinfo: ERROR: Module nvidia-current-open not found.""",
    ),
}

# ldconfig -p (glibc 2.36), and where the links lead
LIBRARIES: Parts = {
    "cache": """libnvidia-ml.so.1 (libc6,x86-64) => /lib/x86_64-linux-gnu/libnvidia-ml.so.1 \
=> /usr/lib/x86_64-linux-gnu/nvidia/current/libnvidia-ml.so.550.163.01
libnvidia-ml.so.1 (libc6) => /lib/i386-linux-gnu/libnvidia-ml.so.1 => /usr/lib/i386-linux-gnu/libnvidia-ml.so.535.1.2
libcuda.so.1 (libc6) => /lib/i386-linux-gnu/libcuda.so.1 => /usr/lib/i386-linux-gnu/libcuda.so.535.1.2
libcuda.so.1 (libc6,x86-64) => /lib/x86_64-linux-gnu/libcuda.so.1 => /usr/lib/x86_64-linux-gnu/libcuda.so.550.163.01""",
    "path": "/usr/local/cuda-12.4/compat:/opt/own",
    "service": "/usr/local/cuda-12.4/compat/libcuda.so.1 => /usr/local/cuda-12.4/compat/libcuda.so.550.54.15",
    "disk": """/usr/lib/x86_64-linux-gnu/libcuda.so.1 => /usr/lib/x86_64-linux-gnu/libcuda.so.550.163.01
/usr/local/lib/libcuda.so.1 => /usr/local/lib/libcuda.so.535.54.03
/usr/local/cuda-12.4/lib64/stubs/libcuda.so => /usr/local/cuda-12.4/targets/x86_64-linux/lib/stubs/libcuda.so""",
    "owners": """libcuda1:amd64: /usr/lib/x86_64-linux-gnu/libcuda.so.550.163.01
cuda-compat-12-4: /usr/local/cuda-12.4/compat/libcuda.so.550.54.15
dpkg-query: no path found matching pattern /usr/local/lib/libcuda.so.535.54.03
cuda-driver-dev-12-4:amd64: /usr/local/cuda-12.4/targets/x86_64-linux/lib/stubs/libcuda.so""",
    "configured": "/etc/ld.so.conf.d/988_cuda-12.conf: /usr/local/cuda-12/targets/x86_64-linux/lib",
    "last": "yes",
}

NODES: Parts = {
    "nodes": """666 0 0 c3 0 root root /dev/nvidia0
660 0 44 c3 1 root video /dev/nvidia1
666 0 0 c3 ff root root /dev/nvidiactl
666 0 0 1fd 0 root root /dev/nvidia-uvm
400 0 0 1fc 1 root root /dev/nvidia-caps/nvidia-cap1""",
    "unit": "LoadState=loaded\nUser=ollama\nGroup=ollama\nSupplementaryGroups=",
    "id": "uid=999(ollama) gid=999(ollama) groups=999(ollama),44(video),105(render)",
}

# dpkg-query 1.21.22 and apt-cache policy (apt 2.6)
PACKAGES: Parts = {
    "dpkg": """ii |curl|amd64|7.88.1-10+deb12u14
ii |dpkg|amd64|1.21.22
hi |nvidia-driver-cuda|amd64|580.95.05-1
iF |nvidia-kernel-open-dkms|amd64|580.95.05-1
ii |libcuda1|i386|535.261.03-1~deb12u1
rc |nvidia-smi|amd64|535.261.03-1~deb12u1
iU |man-db|amd64|2.11.2-2
ii |linux-headers-amd64|amd64|6.1.153-1""",
    "apt": """nvidia-driver-cuda:
  Candidate: 580.95.05-1
     580.95.05-1 600
        600 https://developer.download.nvidia.com/compute/cuda/repos/debian12/x86_64  Packages
nvidia-driver:
  Candidate: 535.261.03-1~deb12u1
     535.261.03-1~deb12u1 500
        500 http://mirror.example/debian bookworm/non-free amd64 Packages
        100 /var/lib/dpkg/status
linux-headers-amd64:
  Candidate: 6.1.153-1
nvidia-open:
  Candidate: (none)""",
}

# journalctl -k -o short-unix (systemd 252); the module of Debian 12 in a virtual machine without a GPU, then Xids
KERNEL_LOG: Parts = {
    "journal": """1795350275.072000 vm kernel: nvidia: loading out-of-tree module taints kernel.
1795350281.058275 vm kernel: NVRM: No NVIDIA GPU found.
1795350301.058275 vm kernel: NVRM: Xid (PCI:0000:05:00): 79, pid=1234, name=ollama, GPU has fallen off the bus.
1795350302.000001 vm kernel: NVRM: Xid (PCI:0000:01:00 GPU-I:05): 94, pid=7194, Contained: CE User Channel (0x9).
                                   RST: No, D-RST: No
1795350303.000001 vm NVRM: Xid (0000:03:00): 14, Channel 00000001
@lines 612 6"""
}

# Debian 12 booted through EFI with Secure Boot on; od (coreutils 9.1), mokutil 0.6
SECURE_BOOT: Parts = {
    "kernel": "/sys/kernel/security/lockdown\tnone [integrity] confidentiality\n"
    "/sys/module/module/parameters/sig_enforce\tN",
    "SecureBoot": "   1",
    "SetupMode": "   0",
    "state": "SecureBoot enabled",
    "enrolled": """[key 1]
SHA1 Fingerprint: 53:61:0c:f8:1f:bd:7e:0c:eb:67:91:3c:9e:f3:e7:94:a9:63:3e:cb
Certificate:
    Data:
        Issuer: CN=Debian Secure Boot CA
        Subject: CN=Debian Secure Boot CA""",
    "new": "",
    "key:/var/lib/dkms/mok.pub": Part(1, "/var/lib/dkms/mok.pub is not enrolled"),
}

# Debian 12: DKMS built the proprietary 535 for the running kernel (as recorded); a newer kernel has no headers
KERNELS: Parts = {
    "running": "6.1.0-56-amd64",
    "kernels": "6.1.0-56-amd64 yes yes\n6.1.0-100-amd64 yes no",
    "found": "/lib/modules/6.1.0-56-amd64/updates/dkms/nvidia-current.ko",
    "tool": "/usr/bin/kmod",
    "modinfo": """filename:       /lib/modules/6.1.0-56-amd64/updates/dkms/nvidia-current.ko
version:        535.309.01
license:        NVIDIA
sig_id:         PKCS#7
signer:         DKMS module signing key
sig_key:        08:84:55:95:AB:48:78:85:01:F8:BA:55:08:44:DF:3D:7B:F1:77:A3""",
    "dkms": "added nvidia-current 535.309.01 -\ninstalled nvidia-current 535.309.01 6.1.0-56-amd64",
    "menu": """   set default="${next_entry}"
   set default="0"
	linux	/boot/vmlinuz-6.1.0-100-amd64 root=UUID=1a2b ro quiet
		linux	/boot/vmlinuz-6.1.0-56-amd64 root=UUID=1a2b ro quiet""",
    "environment": "",
}

MODPROBE: Parts = {
    "files": "file /etc/modprobe.d/nvidia-blacklists-nouveau.conf\nfile /lib/modprobe.d/nvidia.conf",
    "lines": """/etc/modprobe.d/nvidia-blacklists-nouveau.conf:blacklist nouveau
/lib/modprobe.d/nvidia.conf:options nvidia NVreg_PreserveVideoMemoryAllocations=1""",
    "cmdline": "/proc/cmdline\tBOOT_IMAGE=/boot/vmlinuz-6.1.0-56-amd64 root=UUID=1a2b modprobe.blacklist=nova_core",
}

# A desktop card that draws the console, and Ollama with a model on it
USE: Parts = {
    "modules": "nvidia 48 nvidia_uvm nvidia_modeset\nnvidia_uvm 4\nnvidia_modeset 3 nvidia_drm\nnvidia_drm 2",
    "cards": "card0 0000:04:00.0 ast\ncard1 0000:01:00.0 nvidia\nrenderD128 0000:01:00.0 nvidia",
    "framebuffers": "0 nvidia-drmdrmfb",
    "clients": """/proc/641/fd /dev/dri/card0
/proc/812/fd /dev/nvidia-uvm
/proc/812/fd /dev/nvidia0
/proc/903/fd /dev/dri/card1
owner\t641\tgnome-shell\t/user.slice/user-120.slice/session-c1.scope
owner\t812\tollama\t/system.slice/ollama.service
owner\t903\tXorg\t/system.slice/gdm.service""",
}

# systemd 252 (Debian 12), `systemctl show` with LC_ALL=C and TZ=UTC0
WATCH: Parts = {
    "program": "/opt/ongpu/venv/bin/ongpu",
    "installed": "ongpu-0.1.0.dist-info",
    "timer": """LoadState=loaded
ActiveState=active
UnitFileState=enabled
NeedDaemonReload=no
LastTriggerUSec=Tue 2026-11-24 15:00:03 UTC""",
    "service": """Result=success
ExecMainExitTimestamp=Tue 2026-11-24 15:00:05 UTC
ExecMainStatus=2
LoadState=loaded
NeedDaemonReload=no""",
}

PLATFORM: Parts = {
    "jetson": "",
    "wsl": "/proc/sys/kernel/osrelease\t6.1.0-56-amd64",
    "immutable": "",
    "guest": "",
}

# systemctl show (systemd 252); apt-config dump (apt 2.6) with Debian's 50unattended-upgrades
INSTALLERS: Parts = {
    "timers": """Id=apt-daily-upgrade.timer
LoadState=loaded
ActiveState=active

Id=dnf-automatic.timer
LoadState=not-found
ActiveState=inactive""",
    "apt": """APT::Periodic "";
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
Unattended-Upgrade "";
Unattended-Upgrade::Package-Blacklist "";
Unattended-Upgrade::Package-Blacklist:: "nvidia-";""",
    "upgrader": "/usr/bin/unattended-upgrade",
    "excludes": "",
    "runfile": "file /usr/bin/nvidia-uninstall",
    "log": "installer version: 550.54.15",
    "last": "yes",
}

FABRIC: Parts = {
    "switches": "0000:85:00.0\n0000:86:00.0",
    "nic": "",
    "units": """Result=success
Id=nvidia-fabricmanager.service
LoadState=loaded
ActiveState=active
UnitFileState=enabled

Result=success
Id=nvidia-persistenced.service
LoadState=loaded
ActiveState=active
UnitFileState=enabled""",
    "version": "Fabric Manager version is : 550.163.01",
    "last": "yes",
}

CUDA: Parts = {
    "user": "ollama",
    "cuda": "cuda 0 2 /usr/lib/x86_64-linux-gnu/nvidia/current/libcuda.so.550.163.01",
}
