# keep_offers LIST: writes OFFERS, the newest version of BRANCH for each package in LIST (lines `name epoch:version-release`);
# fails when PACKAGE is not among them. URL, PACKAGE, BRANCH (or an exact version), OFFERS, HEADER
keep_offers() {
  offered=$(awk -v name="$PACKAGE" '$1 == name { print $2 }' "$1" | sort -V | tr '\n' ' ')
  [ -n "$offered" ] || die "the package repository $URL has no package $PACKAGE"
  sort -k 1,1 -k 2,2V "$1" | awk -v header="$HEADER" -v branch="$BRANCH" '
    BEGIN { print "# " header ": what the repository of the driver offers in branch " branch "." }
    { version = $2; sub(/^[0-9]+:/, "", version); sub(/[-_].*/, "", version) }
    version == branch || index(version, branch ".") == 1 { newest[$1] = $2 }
    END { for (name in newest) print name, newest[name] }' >"$OFFERS.new"
  grep -q "^$PACKAGE " "$OFFERS.new" || {
    rm -f "$OFFERS.new"
    die "the package repository $URL has no $PACKAGE $BRANCH; it offers $offered"
  }
  mv -f "$OFFERS.new" "$OFFERS"
}
