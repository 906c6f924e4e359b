# NVIDIA's repository for Red Hat 9. @DRIVERS@: versions
RELEASE=1.el9
rpm_of dkms 0 3.0.10 '' '' dkms_3.0.10-8_all.deb
rpm_of kernel-devel-$kernel 0 1 '' '' $(basename $(curl -s $pool/Packages | sed -n "s|^Filename: ./\(linux-headers-$kernel"'_.*\)|\1|p'))
for v in @DRIVERS@; do
  rpm_of nvidia-driver-cuda 3 $v "nvidia-driver-cuda-libs = 3:$v" '' nvidia-driver-cuda_$v-1_amd64.deb
  rpm_of nvidia-driver-cuda-libs 3 $v '' '' libcuda1_$v-1_amd64.deb libnvidia-ml1_$v-1_amd64.deb \
    libnvidia-ptxjitcompiler1_$v-1_amd64.deb libnvidia-nvvm4_$v-1_amd64.deb libcudadebugger1_$v-1_amd64.deb \
    libnvidia-cfg1_$v-1_amd64.deb
  rpm_of nvidia-kmod-common 3 $v '' '' nvidia-kernel-support_$v-1_amd64.deb firmware-nvidia-gsp_$v-1_amd64.deb
  rpm_of nvidia-modprobe 3 $v '' '' nvidia-modprobe_$v-1_amd64.deb
  rpm_of nvidia-persistenced 3 $v '' '' nvidia-persistenced_$v-1_amd64.deb
  rpm_of kmod-nvidia-open-dkms 3 $v "dkms, nvidia-kmod-common = 3:$v" kmod-nvidia-latest-dkms \
    nvidia-kernel-open-dkms_$v-1_amd64.deb
done
rpmsign --addsign $(find $repo -name '*.rpm') >/dev/null

# Each branch is a stream, and all of it is `open-dkms`.
stream() { # STREAM VERSION...
  printf -- '---\ndocument: modulemd\nversion: 2\ndata:\n  name: nvidia-driver\n  stream: "%s"\n  version: 1\n' "$1"
  printf '  context: lab\n  arch: x86_64\n  summary: lab\n  description: lab\n  license: {module: [x], content: [x]}\n'
  printf '  artifacts:\n    rpms:\n'
  shift
  for v; do
    for name in nvidia-driver-cuda nvidia-driver-cuda-libs nvidia-kmod-common nvidia-modprobe nvidia-persistenced \
      kmod-nvidia-open-dkms; do
      echo "    - $name-3:$v-1.el9.x86_64"
    done
  done
  echo ...
}
{
  stream 570-open 570.195.03
  stream 580-open 580.82.07 580.95.05
  stream 590-open 590.44.01
  stream open-dkms @DRIVERS@
} >$work/modules.yaml
createrepo_c --quiet $repo
modifyrepo_c --mdtype=modules $work/modules.yaml $repo/repodata >/dev/null
