# UNIT HELPER (Python that asks CUDA) MEANINGS (lines: CODE what it means)
# As the service's user; without one, or without Python, nothing is tried here: the proof says more.
command -v python3 >/dev/null 2>&1 || { echo 'CUDA was not tried: python3 is not installed'; exit 0; }
user=$(systemctl show --property User --value "$UNIT" 2>/dev/null || :)
: "${user:=root}"
uid=$(id -u "$user" 2>/dev/null) || { echo "CUDA was not tried: there is no account $user"; exit 0; }
gid=$(id -g "$user")
groups=$(id -G "$user" | tr ' ' ',')
for name in $(systemctl show --property SupplementaryGroups --value "$UNIT" 2>/dev/null || :); do
  number=$(getent group "$name" | cut -d : -f 3)
  groups=$groups${number:+,$number}
done
path=$(systemctl show --property Environment --value "$UNIT" 2>/dev/null | sed -n 's/.*LD_LIBRARY_PATH=\([^" ]*\).*/\1/p')
ask() {
  if [ "$uid" = "$(id -u)" ]; then LD_LIBRARY_PATH=$path timeout -k 2 60 python3 -I -c "$HELPER"
  else LD_LIBRARY_PATH=$path timeout -k 2 60 setpriv --reuid "$uid" --regid "$gid" --groups "$groups" python3 -I -c "$HELPER"; fi
}
# Fabric manager, just started, needs a while for its switches (802).
until=$(($(date +%s) + 60))
while :; do
  said=$(ask 2>&1) || die "CUDA does not start for $user: $(printf '%s\n' "$said" | tail -n 1)"
  case $said in 'cuda 802 '*) [ "$(date +%s)" -ge "$until" ] || { sleep 1; continue; } ;; esac
  break
done
case $said in
  'cuda 0 '*) ;;
  'cuda '*)
    code=${said#cuda }
    code=${code%% *}
    die "CUDA does not start for $user: $(printf '%s\n' "$MEANINGS" | sed -n "s/^$code //p" | grep . || echo "CUDA error $code")"
    ;;
  *) die "CUDA does not start for $user: $said" ;;
esac
