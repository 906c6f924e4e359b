# VENV: a link to the environment in use; PACKAGE: what pip is to install. An environment cannot be moved once it is
# made, so each is made under a name of its own, and the link is switched when it is complete.
python=python3
command -v "$python" >/dev/null || die "there is no python3 on this host: install python3 and its venv module"
all="$VENV.d"
mkdir -p "$all"
new=$(mktemp -d "$all/XXXXXXXX")
trap 'rm -rf "$new"' EXIT
"$python" -m venv "$new" >/dev/null 2>&1 ||
  die "python3 cannot make an environment here: install its venv module (python3-venv on Debian and Ubuntu)"
"$new/bin/python" -m pip install --quiet --disable-pip-version-check "$PACKAGE" >&2 ||
  die "pip could not install $PACKAGE"
[ -x "$new/bin/ongpu" ] || die "$PACKAGE brings no ongpu"
ln -sfn "$new" "$VENV.link"
mv -T "$VENV.link" "$VENV"
trap - EXIT
for dir in "$all"/*; do [ "$dir" = "$new" ] || rm -rf "$dir"; done
