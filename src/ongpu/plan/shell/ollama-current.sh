# lead_to VERSION: `current` leads to it, and `previous` to what `current` led to before. Needs CURRENT and PREVIOUS.
# `previous` first: after a kill in between, the next call still knows it.
lead_to() {
  was=$(readlink "$CURRENT" || :)
  [ "$was" != "$1" ] || return 0
  [ -z "$was" ] || link "$was" "$PREVIOUS"
  link "$1" "$CURRENT"
}

link() {
  rm -f "$2.new"
  ln -s "$1" "$2.new"
  mv -fT "$2.new" "$2"
}
