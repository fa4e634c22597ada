# To be sourced by a script of several parts: says at its end how many seconds each has taken, also
# where one has failed. What a script runs in between adds its parts to the same table.
#
#   part lint      what follows is the part `lint`, up to the next

part_name=
if [ -z "${SEEKROUTE_PARTS:-}" ]; then
  SEEKROUTE_PARTS=$(mktemp)
  export SEEKROUTE_PARTS
  parts_shown_here=1
fi

part() {
  end_part
  part_name=$1
  part_began=$SECONDS
}

end_part() {  # $1: how it ended, if not well
  if [ -n "$part_name" ]; then
    printf '%s\t%s\t%s\n' "$part_name" "$((SECONDS - part_began))" "${1:-}" >>"$SEEKROUTE_PARTS"
  fi
  part_name=
}

end_parts() {  # $1: the script's exit code
  if [ "$1" = 0 ]; then end_part; else end_part failed; fi
  if [ -z "${parts_shown_here:-}" ]; then return; fi
  printf '\n%-24s %7s\n' part seconds
  local name seconds ending
  while IFS=$'\t' read -r name seconds ending; do
    printf '%-24s %7s%s\n' "$name" "$seconds" "${ending:+  $ending}"
  done <"$SEEKROUTE_PARTS"
  printf '%-24s %7s\n' all "$SECONDS"
  rm -f "$SEEKROUTE_PARTS"
}

trap 'end_parts $?' EXIT
