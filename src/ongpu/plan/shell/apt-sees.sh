# FILE (our .sources) URL PACKAGE
# Two sources with the same address and different keys make all of apt fail: then ours is the one to go.
if ! said=$(apt-cache policy "$PACKAGE" 2>&1); then
  rm -f "$FILE"
  die "$URL was taken out again, apt does not accept it beside the sources of this host: $(printf '%s\n' "$said" | grep -m 1 '^E:' || :)"
fi
case $said in
  *'Candidate: (none)'* | '') die "$PACKAGE has no candidate although $URL offers it; look for other pins in /etc/apt/preferences.d" ;;
esac
