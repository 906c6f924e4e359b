"""Make a blank lab host serve a model, by the commands of NVIDIA's and Ollama's manuals: without the product."""

from __future__ import annotations

import json

from tests.lab.machines import Host

MODEL = "llama3.2:3b"
API = "http://127.0.0.1:11434"

_DRIVER = r"""
set -eu
. /etc/os-release
repository=https://developer.download.nvidia.com/compute/cuda/repos/debian$VERSION_ID/x86_64
case $VERSION_ID in 12) key=3bf863cc.pub ;; *) key=8793F200.pub ;; esac
mkdir -p /etc/apt/keyrings
curl --fail --silent --show-error --output /etc/apt/keyrings/nvidia.asc $repository/$key
echo "deb [signed-by=/etc/apt/keyrings/nvidia.asc] $repository /" >/etc/apt/sources.list.d/nvidia.list
apt-get -qq update
version=$(apt-cache madison libnvidia-ml1 | awk -F'|' '{ gsub(/ /, "", $2) } $2 ~ /^580\./ { print $2; exit }')
wanted=$(apt-cache --no-all-versions show nvidia-driver-cuda nvidia-kernel-open-dkms >/dev/null && echo \
  nvidia-driver-cuda nvidia-kernel-open-dkms nvidia-kernel-support nvidia-modprobe nvidia-persistenced libcuda1 \
  libnvidia-ml1 libnvidia-ptxjitcompiler1 libnvidia-nvvm4 libcudadebugger1 libnvidia-cfg1 firmware-nvidia-gsp)
list=
for name in $wanted; do
  if apt-cache madison "$name" | grep -q "$version"; then list="$list $name=$version"; fi
done
DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install linux-headers-$(uname -r) $list >/dev/null
modprobe nvidia
modprobe nvidia-uvm
nvidia-smi >/dev/null
"""

_OLLAMA = r"""
set -eu
release=https://github.com/ollama/ollama/releases/download/v0.32.15
curl --fail --silent --show-error --location $release/ollama-linux-amd64.tar.zst | tar --zstd -x -C /usr/local
useradd --system --create-home --home-dir /usr/share/ollama --shell /bin/false ollama
cat >/etc/systemd/system/ollama.service <<'END'
[Unit]
Description=Ollama Service
[Service]
ExecStart=/usr/local/bin/ollama serve
User=ollama
Group=ollama
Restart=always
RestartSec=3
[Install]
WantedBy=default.target
END
printf '[generation]\npace = no\n' >/etc/ongpu-lab/ollama.ini
systemctl daemon-reload
systemctl enable --now --quiet ollama.service
until curl --silent --fail --output /dev/null http://127.0.0.1:11434/api/version; do sleep 0.1; done
"""


def install_driver(host: Host) -> None:
    host.out(_DRIVER, timeout=300)


def install_ollama(host: Host) -> None:
    host.out(_OLLAMA, timeout=120)
    host.out(f"HOME=/root ollama pull {MODEL} 2>&1 | tail -n 1", timeout=120)


def load(host: Host) -> None:
    """Have the model loaded."""
    answer = f'{{"model": "{MODEL}", "prompt": "Hi", "stream": false, "options": {{"num_predict": 1}}}}'
    host.out(f"curl --silent --fail --show-error --max-time 60 -d '{answer}' {API}/api/generate", timeout=90)


def share_on_gpu(host: Host) -> float:
    """What Ollama says: bytes on the GPU / bytes, of the loaded model; 0.0 for none on the GPU."""
    models = json.loads(host.out(f"curl --silent --fail {API}/api/ps"))["models"]
    assert len(models) == 1, models
    return float(models[0].get("size_vram", 0) / models[0]["size"])
