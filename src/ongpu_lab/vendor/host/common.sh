# What the simulated hardware's scripts share. Sourced by dash.
lab=/usr/lib/ongpu-lab
run=/run/ongpu-lab
loaded=/sys/module
kernel=$(uname -r)

# say LEVEL TEXT: one line of the kernel's log (level as in syslog: 3 error, 4 warning, 5 notice, 6 information).
# journald reads /dev/kmsg in blocks of 8192 bytes and takes one record from each, as the kernel hands them out; the
# lab's FIFO is a stream, so each record is filled up to that size. Never waits: without a reader the line is lost.
say() {
  (
    flock 9
    number=$(($(cat "$run/kmsg" 2>/dev/null || echo 0) + 1))
    echo "$number" >"$run/kmsg"
    read -r up rest </proc/uptime
    whole=${up%.*}
    record=$(printf '%s,%s,%s,-;%s' "$1" "$number" "$whole${up#*.}0000" "$2")
    {
      printf '%s' "$record"
      head -c $((8192 - ${#record})) /dev/zero | tr '\0' '\n'
    } | dd of=/dev/kmsg bs=8192 iflag=fullblock oflag=nonblock status=none 2>/dev/null || :
  ) 9>"$run/kmsg.lock"
}

# gpus: the PCI addresses of NVIDIA's GPUs on the bus
gpus() {
  for device in /sys/bus/pci/devices/*; do
    [ -r "$device/vendor" ] || continue
    read -r vendor <"$device/vendor"
    read -r class <"$device/class"
    case $vendor$class in 0x10de0x03* | 0x10de0x12*) printf '%s\n' "${device##*/}" ;; esac
  done
}

# knob SECTION KEY: its value in host.ini, or nothing
knob() {
  awk -v section="[$1]" -v key="$2" '
    /^\[/ { inside = $0 == section; next }
    inside && index($0, "=") {
      name = substr($0, 1, index($0, "=") - 1); gsub(/[ \t]/, "", name)
      if (name == key) { value = substr($0, index($0, "=") + 1); gsub(/^[ \t]+|[ \t]+$/, "", value); print value; exit }
    }' /etc/ongpu-lab/host.ini
}

is_loaded() { [ -d "$loaded/$1" ]; }
