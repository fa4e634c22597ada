# Sourced: install_packages NAME... installs the Debian packages that are missing, as root or by sudo.

# Asked of dpkg, not of PATH: a compiler from elsewhere brings no headers of ours.
install_packages() {
  local missing=() as_root=() package status
  for package in "$@"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    if [ "$status" != installed ]; then missing+=("$package"); fi
  done
  if [ "${#missing[@]}" = 0 ]; then return; fi
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
      echo "$0: these packages are missing and neither root nor sudo is at hand:" >&2
      echo "  apt-get install ${missing[*]}" >&2
      exit 1
    }
    as_root=(sudo)
  fi
  echo "installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends \
    "${missing[@]}" >/dev/null
}
