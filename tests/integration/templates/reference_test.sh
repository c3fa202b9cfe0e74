#!/bin/sh
# reference_test.sh <sdk folder>: Doxygen makes the reference of the headers without a warning, knows
# what the plain comments say, and a wrong comment is found.
set -eu
sdk=$1
command -v doxygen >/dev/null || {
  echo "doxygen is missing: ci/setup.sh test"
  [ -n "${CI:-}" ] && exit 1 || exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$sdk/include" "$sdk/README.md" "$sdk/RULES.md" "$sdk/doxygen_filter.sh" "$work"
sed -e "s|@PROJECT_VERSION@|1.0|" -e "s|@CMAKE_CURRENT_[A-Z]*_DIR@|$work|g" "$sdk/Doxyfile.in" >"$work/Doxyfile"
cd "$work"

doxygen -q Doxyfile
page=$work/doc/html/structadze__quant.html
grep -q 'Quantization of one value' "$page"           # in front of a struct
grep -q 'one scale for the tensor' "$page"            # behind a field
grep -q 'what costs or' "$work/doc/html/abi_8h.html"  # of the file

sed -i 's|^/\* True when the peer|/* @param nothing True when the peer|' include/adze/abi.h
if doxygen -q Doxyfile 2>"$work/warnings"; then
  echo "a comment about a parameter that does not exist went unseen" >&2
  exit 1
fi
grep -q nothing "$work/warnings"
echo "the reference builds without warnings"
