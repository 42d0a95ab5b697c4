#!/usr/bin/env bash
# Deno 2.9.6: the option `dictionary` of node:zlib.
#
# Guess before running: deflateSync, deflateRawSync and zstdCompressSync take a preset dictionary as in Node.js, or
# refuse the option. Either way what one runtime writes, the other reads.
#
# What happens: Deno passes over the option without a word. Its output is that without a dictionary, and raw data that
# Node.js made with a dictionary cannot be inflated, with the right dictionary in the option. (inflateSync, with the
# header that names the dictionary, takes it.)
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --no-fund --no-audit --silent node@24.21.0 deno@2.9.6
(cd node_modules/deno && node install.cjs >/dev/null 2>&1 || true)
cat >dictionary.mjs <<'JS'
import zlib from "node:zlib";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
const dictionary = Buffer.from("a relation file of a database server, page by page. ".repeat(20));
const text = dictionary.subarray(100, 300);
for (const name of ["deflateSync", "deflateRawSync", "zstdCompressSync"]) {
  const bytes = zlib[name](text, { dictionary });
  console.log(`${name}: ${bytes.length === zlib[name](text).length ? "dictionary not used" : "dictionary used"}`);
}
const raw = "by-node.raw", wrapped = "by-node.zlib";
if (!existsSync(raw)) {
  writeFileSync(raw, zlib.deflateRawSync(text, { dictionary }));
  writeFileSync(wrapped, zlib.deflateSync(text, { dictionary }));
}
for (const [name, file] of [["inflateRawSync", raw], ["inflateSync", wrapped]]) {
  let result;
  try {
    result = zlib[name](readFileSync(file), { dictionary }).equals(text) ? "right" : "wrong bytes";
  } catch (error) {
    result = `error`;
    console.error(`  (${error.message})`);
  }
  console.log(`${name} of what Node.js made: ${result}`);
}
JS
echo "node $(node_modules/node/bin/node --version)"
by_node=$(node_modules/node/bin/node dictionary.mjs)
echo "$by_node" | sed 's/^/  /'
node_modules/.bin/deno --version | head -n 1
by_deno=$(node_modules/.bin/deno run -A dictionary.mjs)
echo "$by_deno" | sed 's/^/  /'
if [ "$(grep -c 'dictionary used\|right' <<<"$by_node")" = 5 ] &&
  [ "$(grep -c 'dictionary not used' <<<"$by_deno")" = 3 ] && grep -q 'inflateRawSync.*error' <<<"$by_deno"; then
  echo "as found: Deno passes over the dictionary, silently when it compresses"
else
  echo CHANGED
  exit 1
fi
