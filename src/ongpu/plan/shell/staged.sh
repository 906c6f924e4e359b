# INSTALL (script that installs another driver, which the next boot loads) BACK (script that puts the previous one back,
# may be empty) BUILD (script for the kernel that boots next, may be empty)
last again "$INSTALL" || {
  case $said in *'for module build'*) unfit "$said" ;; esac
  die "$said"
}
if [ -n "$BUILD" ] && ! last again "$BUILD"; then
  failed=$said
  unfit "$failed"
  [ -n "$BACK" ] || die "$failed"
  last again "$BACK" || die "$failed; putting the previous driver back failed too: $said"
  die "$failed; the previous driver was put back, and the host was not rebooted"
fi
rm -f "$SWITCH_FAILED"
