# URL (of the repository, ends in /) FINGERPRINT NAMES (of the key file) KEYRING HEADER SPOOL
mkdir -p "$SPOOL" "${KEYRING%/*}"
key=$SPOOL/key.asc
missing=
for name in $NAMES; do
  rm -f "$key"
  if missing=$( (fetch "$URL$name" "$key") 2>&1); then missing=; break; fi
done
[ -z "$missing" ] || die "$missing"
home=$(mktemp -d)
trap 'rm -rf "$home" "$key" "$KEYRING.ongpu-new"' EXIT
keys=$(gpg --homedir "$home" --batch --quiet --with-colons --show-keys "$key" 2>/dev/null |
  awk -F: '$1 == "pub" { want = 1 } $1 == "fpr" && want { print $10; want = 0 }')
[ -n "$keys" ] || die "what $URL$name holds is not an OpenPGP key"
[ "$keys" = "$FINGERPRINT" ] ||
  die "the key at $URL$name has the fingerprint $(printf '%s' "$keys" | tr '\n' ' ') and not the declared $FINGERPRINT"
gpg --homedir "$home" --batch --quiet --import "$key" 2>/dev/null
gpg --homedir "$home" --batch --quiet --armor --comment "$HEADER" --export "$FINGERPRINT" >"$KEYRING.ongpu-new"
grep -q "$HEADER" "$KEYRING.ongpu-new" || die "gpg could not export the key $FINGERPRINT"
chmod 0644 "$KEYRING.ongpu-new"
mv -f "$KEYRING.ongpu-new" "$KEYRING"
