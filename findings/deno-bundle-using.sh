#!/usr/bin/env bash
# Deno 2.9.6: `deno bundle --minify` and `using`.
#
# Guess before running: a bundle does what its modules do, minified or not.
#
# What happens: something that is declared by `using` and used once, in the next statement, is put in place of its name
# there. The declaration is gone, and with it what it stands for: nothing is disposed of. A second use prevents it, and
# so does leaving out --minify.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --no-fund --no-audit --silent deno@2.9.6
(cd node_modules/deno && node install.cjs >/dev/null 2>&1 || true)
cat >main.ts <<'TS'
class Door {
  readonly state = "open";
  [Symbol.dispose]() {
    console.log("closed");
  }
}
function lookOnce() {
  using door = new Door();
  return door.state;
}
function lookTwice() {
  using door = new Door();
  if (door.state === "none") return "none";
  return door.state;
}
console.log(lookOnce());
console.log(lookTwice());
TS
deno=node_modules/.bin/deno
$deno --version | head -n 1
run() { $deno run --quiet --no-prompt "$1" | paste -sd ' '; }
$deno bundle --quiet -o plain.js main.ts
$deno bundle --quiet --minify -o small.js main.ts
modules=$(run main.ts) plain=$(run plain.js) small=$(run small.js)
echo "modules:          $modules"
echo "bundle:           $plain"
echo "minified bundle:  $small"
if [ "$modules" = "closed open closed open" ] && [ "$plain" = "$modules" ] && [ "$small" = "open closed open" ]; then
  echo "as found: what is used once is not disposed of in a minified bundle"
else
  echo CHANGED
  exit 1
fi
