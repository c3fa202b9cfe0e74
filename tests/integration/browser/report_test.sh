#!/usr/bin/env bash
# report_test.sh <test_report> <chromium>: renders the report at desktop and phone width; nothing may
# stick out sideways, every picture must have a size, and a screenshot must come out.
set -euo pipefail
test_report=$1 chromium=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export HOME=$folder XDG_CONFIG_HOME=$folder XDG_CACHE_HOME=$folder
ADZE_REPORT_OUT=$folder/report.html "$test_report" --gtest_filter='Report.shows_the_figures*' >/dev/null

run() {
  timeout 60 "$chromium" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
    --disable-background-networking --disable-component-update --disable-sync \
    --user-data-dir="$folder/profile" "$@" 2>/dev/null
}

# The page has no script of its own; this copy measures itself and says so in its title.
cp "$folder/report.html" "$folder/measured.html"
cat >>"$folder/measured.html" <<'SCRIPT'
<script>
const pictures = [...document.querySelectorAll('svg')];
const empty = pictures.filter(p => p.getBoundingClientRect().width < 100 || p.getBoundingClientRect().height < 20);
document.title = `overflow=${document.documentElement.scrollWidth - innerWidth} pictures=${pictures.length} empty=${empty.length}`;
</script>
SCRIPT
for width in 1280 500; do
  title=$(run --window-size=$width,900 --dump-dom "file://$folder/measured.html" | grep -o '<title>[^<]*</title>' | head -n 1)
  echo "width $width: $title"
  [[ $title =~ overflow=(-?[0-9]+)\ pictures=([0-9]+)\ empty=0 ]] || { echo "bad layout"; exit 1; }
  [ "${BASH_REMATCH[1]}" -le 0 ] || { echo "the page sticks out sideways"; exit 1; }
  [ "${BASH_REMATCH[2]}" -ge 5 ] || { echo "pictures are missing"; exit 1; }
done
run --window-size=1280,2400 --screenshot="$folder/report.png" "file://$folder/report.html"
[ "$(stat -c %s "$folder/report.png")" -gt 50000 ] || { echo "the screenshot is empty"; exit 1; }
