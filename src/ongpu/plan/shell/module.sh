# UVM (yes: only nvidia-uvm is missing) VERSION (of the installed driver; empty: whichever is on disk)
kernel=$(uname -r)
on_disk=$(modinfo -F version nvidia 2>/dev/null || modinfo -F version nvidia-current 2>/dev/null || :)
if [ -z "$UVM" ] && [ "$on_disk" != "${VERSION:-${on_disk:-any}}" ] && command -v dkms >/dev/null 2>&1; then
  dkms autoinstall -k "$kernel" || :
fi
[ -n "$UVM" ] || said=$(modprobe nvidia 2>&1) ||
  die "the kernel module for $kernel does not load: ${said:-modprobe nvidia failed} (see journalctl -k and dkms status)"
said=$(modprobe nvidia-uvm 2>&1) || die "nvidia-uvm for $kernel does not load: ${said:-modprobe nvidia-uvm failed}"
# Device nodes, where no udev rule makes them.
! command -v nvidia-modprobe >/dev/null 2>&1 || nvidia-modprobe -u -c=0 || :
