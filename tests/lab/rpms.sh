# What both families' repositories have in common. Makes them in /srv/repo, on a lab host, as root (rpms.py).
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

shape() { :; } # what a family changes about $root and $work/scripts of the package $name
PROVIDES=

# rpm_of NAME EPOCH VERSION REQUIRES CONFLICTS DEB...: files and scripts of the Debian packages, as release $RELEASE
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
  shape
  {
    printf 'Name: %s\nEpoch: %s\nVersion: %s\nRelease: %s\nSummary: lab\nLicense: lab\nAutoReqProv: no\n' $name $epoch $version $RELEASE
    [ -z "$PROVIDES" ] || printf 'Provides: %s\n' "$PROVIDES"
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
    case $name in
      nvidia-driver-cuda-libs | nvidia-compute-G0*) printf '%%post\nldconfig\n%%postun\nldconfig\n' ;;
      *-kmp-*) printf '%%post\ndepmod\n%%postun\ndepmod\n' ;;
    esac
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

