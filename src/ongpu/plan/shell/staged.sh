# INSTALL (script that installs another driver, which the next boot loads) BACK (script that puts the previous one back,
# may be empty) REBUILD (its module for the kernel that boots next, may be empty) BUILD (the new one's, may be empty)
last again "$INSTALL" || {
  failed=$said
  case $said in *'for module build'*) unfit "$said" ;; esac
  [ -z "$REBUILD" ] || again "$REBUILD" >/dev/null 2>&1 || :
  die "$failed"
}
if [ -n "$BUILD" ] && ! last again "$BUILD"; then
  failed=$said
  unfit "$failed"
  [ -n "$BACK" ] || die "$failed"
  last again "$BACK" || die "$failed; putting the previous driver back failed too: $said"
  [ -z "$REBUILD" ] || again "$REBUILD" >/dev/null 2>&1 || :
  die "$failed; the previous driver was put back, and the host was not rebooted"
fi
rm -f "$SWITCH_FAILED"
