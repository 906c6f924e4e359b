# NVIDIA's repository for SLES 15, with the kernel modules that SUSE builds and signs. @DRIVERS@: versions
RELEASE=1
of_kernel=k6.4.0_150600.21

# A kernel module package has the modules themselves, and nothing to build.
shape() {
  case $name in *-kmp-*) ;; *) return 0 ;; esac
  mkdir -p $root/lib/modules/$kernel/updates
  mv $root/usr/src/*/prebuilt/*.ko $root/lib/modules/$kernel/updates/
  rm -rf $root/usr/src $work/scripts/*
}

for v in @DRIVERS@; do
  G=G06 other=G07
  [ ${v%%.*} -le 580 ] || G=G07 other=G06
  rpm_of nvidia-compute-utils-$G 0 $v "nvidia-compute-$G = $v" nvidia-compute-utils-$other nvidia-driver-cuda_$v-1_amd64.deb
  rpm_of nvidia-compute-$G 0 $v '' nvidia-compute-$other libcuda1_$v-1_amd64.deb libnvidia-ml1_$v-1_amd64.deb \
    libnvidia-ptxjitcompiler1_$v-1_amd64.deb libnvidia-nvvm4_$v-1_amd64.deb libcudadebugger1_$v-1_amd64.deb \
    libnvidia-cfg1_$v-1_amd64.deb
  rpm_of nvidia-common-$G 0 $v '' nvidia-common-$other nvidia-kernel-support_$v-1_amd64.deb firmware-nvidia-gsp_$v-1_amd64.deb
  rpm_of nvidia-modprobe 0 $v '' '' nvidia-modprobe_$v-1_amd64.deb
  rpm_of nvidia-persistenced 0 $v '' '' nvidia-persistenced_$v-1_amd64.deb
  open=nvidia-open-driver-$G-signed-cuda-kmp
  prefer=nv-prefer-signed-open-driver
  [ $G = G06 ] || prefer=$prefer-$G
  PROVIDES="$open = $v"
  rpm_of $open-default 0 ${v}_$of_kernel "nvidia-common-$G = $v" nvidia-driver-$G-kmp nvidia-kernel-open-dkms_$v-1_amd64.deb
  PROVIDES="nvidia-driver-$G-kmp = $v"
  rpm_of nvidia-driver-$G-kmp-default 0 ${v}_$of_kernel "nvidia-common-$G = $v" $open nvidia-kernel-dkms_$v-1_amd64.deb
  PROVIDES=
  rpm_of $prefer 0 $v "$open = $v" ''
done
rpmsign --addsign $(find $repo -name '*.rpm') >/dev/null
createrepo_c --quiet $repo
# zypper trusts the packages for their index, and that for its signature.
gpg --batch --local-user nvidia --armor --detach-sign $repo/repodata/repomd.xml
cp /root/nvidia.asc $repo/repodata/repomd.xml.key
