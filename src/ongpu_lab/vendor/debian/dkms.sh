#!/bin/sh
# dkms of a lab host: the life cycle, messages, exit codes and files of dkms 3.0, for modules that come prebuilt in
# /usr/src/NAME-VERSION/prebuilt. `[dkms] fail = yes` in /etc/ongpu-lab/host.ini makes every build fail,
# `fail_for = RELEASE` those for one kernel, `fail_for = VERSION/RELEASE` only of that version.
set -u
tree=/var/lib/dkms
arch=$(uname -m)
action=${1:-}
[ $# = 0 ] || shift
module=''
version=''
kernel=''
all=''
while [ $# -gt 0 ]; do
  case $1 in
    -m) module=$2; shift ;;
    -v) version=$2; shift ;;
    -k) kernel=${2%%/*}; shift ;;
    -a) arch=$2; shift ;;
    --all) all=yes ;;
    -*) ;;
    */*) module=${1%%/*}; version=${1#*/} ;;
    *) module=$1 ;;
  esac
  shift
done
: "${kernel:=$(uname -r)}"
here=$tree/$module/$version

die() { # CODE TEXT...
  code=$1
  shift
  printf 'Error! %s\n' "$1" >&2
  shift
  for line; do printf '%s\n' "$line" >&2; done
  exit "$code"
}

named() { [ "$module" ] && [ "$version" ] || die 1 "Arguments <module> and <module-version> are not specified."; }

knob() { # of section [dkms]
  sed -n '/^\[dkms\]/,/^\[/p' /etc/ongpu-lab/host.ini 2>/dev/null | grep -qx "$1 *= *$2 *"
}

status() {
  for directory in "$tree"/${module:-*}/${version:-*}/; do
    directory=${directory%/}
    [ -e "$directory/source" ] || continue
    label=${directory#"$tree/"}
    built=
    for place in "$directory"/*/"$arch"; do
      [ -d "$place/module" ] || continue
      of=${place%/*}
      of=${of##*/}
      state=built
      for file in "$place"/module/*.ko; do
        [ -e "/lib/modules/$of/updates/dkms/${file##*/}" ] && cmp -s "$file" "/lib/modules/$of/updates/dkms/${file##*/}" &&
          state=installed
      done
      echo "$label, $of, $arch: $state"
      built=yes
    done
    [ "$built" ] || echo "$label: added"
  done
}

add() {
  named
  [ -e "/usr/src/$module-$version/dkms.conf" ] ||
    die 2 "Could not find module source directory." "Directory: /usr/src/$module-$version does not exist."
  [ ! -e "$here/source" ] ||
    die 3 "DKMS tree already contains: $module-$version" "You cannot add the same module/version combo more than once."
  mkdir -p "$here"
  ln -s "/usr/src/$module-$version" "$here/source"
  echo "Creating symlink $here/source -> /usr/src/$module-$version"
}

# sign FILE: with the key that DKMS makes on each host. In the format of kernels before 4.8, which modinfo still reads
# and which holds the signer's name as plain text: name, key id, signature, struct module_signature (name and id lengths,
# signature length), magic.
sign() {
  [ -e "$tree/mok.pub" ] || { printf 'lab certificate of %s\n' "$(cat /etc/machine-id)" >"$tree/mok.pub"; }
  {
    printf 'DKMS module signing key'
    printf '\001\002\003\004'
    printf 'lab signature'
    printf '\001\004\001\027\004\000\000\000\000\000\000\015'
    printf '~Module signature appended~\n'
  } >>"$1"
}

build() {
  named
  [ -e "$here/source" ] || (add) >/dev/null || exit $?
  [ ! -d "$here/$kernel/$arch/module" ] || return 0
  [ -e "/lib/modules/$kernel/build" ] ||
    die 21 "Your kernel headers for kernel $kernel cannot be found at /lib/modules/$kernel/build or /lib/modules/$kernel/source." \
      "Please install the linux-headers-$kernel package or use the --kernelsourcedir option to tell DKMS where it's located."
  echo "Building module:"
  echo "Cleaning build area..."
  mkdir -p "$here/build"
  {
    echo "DKMS make.log for $module-$version for kernel $kernel ($arch)"
    date
    echo "make[1]: Entering directory '/usr/src/linux-headers-$kernel'"
  } >"$here/build/make.log"
  if knob fail yes || knob fail_for "$kernel" || knob fail_for "$version/$kernel"; then
    cat >>"$here/build/make.log" <<END
$here/build/nvidia/nv-pci.c:237:17: error: too few arguments to function 'pci_resize_resource'
make[2]: *** [/usr/src/linux-headers-$kernel/scripts/Makefile.build:249: $here/build/nvidia/nv-pci.o] Error 1
make: *** [Makefile:115: modules] Error 2
END
    die 10 "Bad return status for module build on kernel: $kernel ($arch)" \
      "Consult $here/build/make.log for more information."
  fi
  echo "make -j$(nproc) modules KERNEL_UNAME=$kernel..."
  mkdir -p "$here/$kernel/$arch/module" "$here/$kernel/$arch/log"
  cp -p "$here"/source/prebuilt/*.ko "$here/$kernel/$arch/module/"
  for file in "$here/$kernel/$arch"/module/*.ko; do sign "$file"; done
  mv "$here/build/make.log" "$here/$kernel/$arch/log/make.log"
  rm -rf "$here/build"
  echo "Cleaning build area..."
}

install_() {
  (build) || exit $?
  target=/lib/modules/$kernel/updates/dkms
  mkdir -p "$target"
  for file in "$here/$kernel/$arch"/module/*.ko; do
    printf '\n%s:\nRunning module version sanity check.\n - Original module\n' "${file##*/}"
    printf '   - No original module exists within this kernel\n - Installation\n   - Installing to %s/\n' "$target"
    cp -p "$file" "$target/"
  done
  ln -sfn "$version/$kernel/$arch" "$tree/$module/kernel-$kernel-$arch"
  echo "depmod..."
  depmod "$kernel"
}

uninstall() { # KERNEL
  for file in "$here/$1/$arch"/module/*.ko; do
    installed=/lib/modules/$1/updates/dkms/${file##*/}
    ! cmp -s "$file" "$installed" || rm -f "$installed"
  done
  rm -f "$tree/$module/kernel-$1-$arch"
  rmdir "/lib/modules/$1/updates/dkms" "/lib/modules/$1/updates" 2>/dev/null || :
  depmod "$1"
}

remove() {
  named
  [ -e "$here/source" ] ||
    die 3 "There are no instances of module: $module" "$version is not located in the DKMS tree."
  for place in "$here"/*/"$arch"; do
    [ -d "$place" ] || continue
    of=${place%/*}
    of=${of##*/}
    [ "$all" ] || [ "$of" = "$kernel" ] || continue
    echo "Module $module-$version for kernel $of ($arch)."
    uninstall "$of"
    rm -rf "${place%/*}"
  done
  [ -z "$all" ] || rm -rf "$here"
  rmdir "$tree/$module" 2>/dev/null || :
}

autoinstall() {
  failed=
  for directory in "$tree"/*/*/; do
    directory=${directory%/}
    [ -e "$directory/source" ] || continue
    version=${directory##*/}
    module=${directory%/*}
    module=${module##*/}
    here=$directory
    case $(status) in *", $kernel, $arch: installed"*) continue ;; esac
    (install_) || failed="$failed $module/$version"
  done
  [ -z "$failed" ] || die 11 "One or more modules failed to install during autoinstall." \
    "Refer to previous errors for more information."
}

case $action in
  status) status ;;
  add) add ;;
  build) (build) ;;
  install) install_ ;;
  uninstall) named && uninstall "$kernel" ;;
  remove) remove ;;
  autoinstall) autoinstall ;;
  --version | -V) echo "dkms-3.0.10" ;;
  *) die 1 "Unknown action specified: \"$action\"" ;;
esac
