#!/bin/sh
# common.postinst NAME VERSION: what packages with modules call when they are configured
set -e
name=$1
version=$2
kernel=$(uname -r)
echo "Loading new $name-$version DKMS files..."
case $(dkms status -m "$name" -v "$version") in '') dkms add -m "$name" -v "$version" >/dev/null ;; esac
if [ ! -e "/lib/modules/$kernel/build" ]; then
  echo "Building for $kernel"
  echo "Module build for kernel $kernel was skipped since the"
  echo "kernel headers for this kernel do not seem to be installed."
  exit 0
fi
echo "Building for $kernel"
echo "Building initial module for $kernel"
dkms build -m "$name" -v "$version" -k "$kernel" >/dev/null
echo "Done."
dkms install -m "$name" -v "$version" -k "$kernel"
