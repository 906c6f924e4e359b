# RELEASES CURRENT BINARY
case $(readlink "$BINARY" || :) in "$CURRENT"/* | "$RELEASES"/*) rm -f "$BINARY" ;; esac
rm -f "$CURRENT"
rm -rf "$RELEASES"
