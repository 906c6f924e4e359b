# SOURCE (text of our .repo file) ID URL PACKAGE BRANCH SPOOL OFFERS (file) HEADER
# Ours is asked by itself, before the host's own dnf ever sees it. An unreachable repository is a warning to dnf where
# its configuration says skip_if_unavailable, as ours does for the host's sake: here it is an error. --repo: plugins of dnf
# bring repositories of their own.
repos=$SPOOL/repos
mkdir -p "$repos" "${OFFERS%/*}"
trap 'rm -rf "$repos"' EXIT
printf '%s' "$SOURCE" >"$repos/asked.repo"
set -- "--setopt=reposdir=$repos" "--repo=$ID" "--setopt=$ID.skip_if_unavailable=0" "--setopt=$ID.module_hotfixes=1"
dnf_run "$@" --refresh makecache || die "the package repository $URL cannot be used: ${why#Error: }"
# With all branches: to say what there is.
set -- "$@" "--setopt=$ID.excludepkgs="
is_dnf5 || set -- "$@" --disableplugin=versionlock
dnf -q "$@" repoquery --queryformat '%{name} %{epoch}:%{version}-%{release}\n' | awk 'NF == 2' >"$repos/list"
keep_offers "$repos/list"
