# Makes the repository in /srv/repo, on a lab host, as root (rpms.py). @DRIVERS@: versions
set -eu
pool=https://developer.download.nvidia.com/compute/cuda/repos/debian12/x86_64
kernel=$(uname -r)
work=/root/rpms
repo=/srv/repo
mkdir -p $work $repo /root/gnupg
chmod 700 /root/gnupg
export GNUPGHOME=/root/gnupg
for name in nvidia other; do
  gpg --batch --quiet --passphrase '' --quick-gen-key "$name" rsa2048 default never
  gpg --batch --armor --export "$name" >/root/$name.asc
done
printf '%%_gpg_name nvidia\n%%_gpg_path /root/gnupg\n%%__gpg /usr/bin/gpg\n' >/root/.rpmmacros

# rpm NAME EPOCH VERSION REQUIRES CONFLICTS DEB...: files and scripts of the Debian packages
rpm_of() {
  name=$1; epoch=$2; version=$3; requires=$4; conflicts=$5
  shift 5
  root=$work/root-$name-$version
  rm -rf $root $work/scripts; mkdir -p $root $work/scripts
  for deb; do
    [ -e $work/$deb ] || curl --fail --silent --show-error --output $work/$deb $pool/$deb
    dpkg-deb -x $work/$deb $root
    dpkg-deb -e $work/$deb $work/control
    for kind in postinst prerm; do
      [ ! -e $work/control/$kind ] || cat $work/control/$kind >>$work/scripts/$kind
    done
    rm -rf $work/control
  done
  {
    printf 'Name: %s\nEpoch: %s\nVersion: %s\nRelease: 1.el9\nSummary: lab\nLicense: lab\nAutoReqProv: no\n' $name $epoch $version
    [ -z "$requires" ] || printf 'Requires: %s\n' "$requires"
    [ -z "$conflicts" ] || printf 'Conflicts: %s\n' "$conflicts"
    printf '%%description\nA stand-in of the lab.\n%%install\nmkdir -p %%{buildroot}\ncp -a %s/. %%{buildroot}/\n' $root
    for pair in post:postinst:configure preun:prerm:remove; do
      kind=${pair%%:*}; rest=${pair#*:}
      [ ! -e $work/scripts/${rest%%:*} ] || {
        printf '%%%s\n' $kind
        # A service stays through an upgrade; dkms forgets the old version also then.
        [ $kind = post ] || case $name in kmod-*) ;; *) echo '[ "$1" = 0 ] || exit 0' ;; esac
        printf 'set -- %s\n' ${rest#*:}
        cat $work/scripts/${rest%%:*}
      }
    done
    [ $name != nvidia-driver-cuda-libs ] || printf '%%post\nldconfig\n%%postun\nldconfig\n'
    printf '%%files\n'
    (cd $root && find . ! -type d | sed 's/^\.//')
  } >$work/$name.spec
  rpmbuild --quiet -bb --define "_topdir $work/top" --define "_rpmdir $repo" --define '_build_id_links none' --define '__os_install_post true' --define 'debug_package %{nil}' $work/$name.spec
}

# What every host has, for the scripts' sake: here it comes from Debian.
printf 'Name: base\nVersion: 1\nRelease: 1\nSummary: lab\nLicense: lab\nBuildArch: noarch\nProvides: /bin/sh\n%%description\nlab\n%%files\n' \
  >$work/base.spec
rpmbuild --quiet -bb --define "_topdir $work/top" --define "_rpmdir $work/base" $work/base.spec
rpm -i --nodeps $work/base/noarch/base-1-1.noarch.rpm

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
