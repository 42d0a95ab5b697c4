#!/usr/bin/env bash
# Node.js 24 and Deno 2.9.6: what do the zstd functions of node:zlib make of several frames in a row?
#
# Guess before running: frames may follow one another (RFC 8878, section 3), tools append to .zst files and write
# skippable frames with an index in front or behind. gunzipSync reads all members of a gzip file, so
# zstdDecompressSync reads all frames and passes over skippable ones, or throws.
#
# What happens: the first frame is decoded and everything behind it dropped, without an error; where the first frame
# is a skippable one the result is empty. The stream (createZstdDecompress) ends the same way. The zstd command gives
# everything. Who must have all bytes has to compare the length, or to walk through the frames himself.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --no-fund --no-audit --silent node@24.21.0 deno@2.9.6
[ -x node_modules/.bin/deno ] && (cd node_modules/deno && node install.cjs >/dev/null 2>&1 || true)
cat >frames.mjs <<'JS'
import zlib from "node:zlib";
import { writeFileSync } from "node:fs";
const first = zlib.zstdCompressSync("first, "), second = zlib.zstdCompressSync("second");
const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);
const cases = {
  "two frames": Buffer.concat([first, second]),
  "skippable frame, then one frame": Buffer.concat([skippable, second]),
};
const streamed = (bytes) => new Promise((resolve, reject) => {
  let text = "";
  const stream = zlib.createZstdDecompress();
  stream.on("data", (data) => text += data).on("end", () => resolve(text)).on("error", reject);
  stream.end(bytes);
});
for (const [name, bytes] of Object.entries(cases)) {
  if (process.argv[2]) writeFileSync(`${process.argv[2]}-${name.split(" ")[0]}.zst`, bytes);
  console.log(`${name}: ${JSON.stringify(String(zlib.zstdDecompressSync(bytes)))}, ` +
    `streamed ${JSON.stringify(await streamed(bytes))}`);
}
const members = Buffer.concat([zlib.gzipSync("first, "), zlib.gzipSync("second")]);
console.log(`two gzip members: ${JSON.stringify(String(zlib.gunzipSync(members)))}`);
JS
expected='two frames: "first, ", streamed "first, "
skippable frame, then one frame: "", streamed ""
two gzip members: "first, second"'
status=0
for runtime in node_modules/node/bin/node "node_modules/.bin/deno run -A"; do
  echo "${runtime%% *}" | sed 's|.*/||' | tr '\n' ' '
  ${runtime%% *} --version | head -n 1
  output=$($runtime frames.mjs "${PWD}/frames")
  echo "$output" | sed 's/^/  /'
  [ "$output" = "$expected" ] || status=1
done
if command -v zstd >/dev/null; then
  zstd --version | head -n 1
  echo "  two frames: \"$(zstd -dcq frames-two.zst)\""
  echo "  skippable frame, then one frame: \"$(zstd -dcq frames-skippable.zst)\""
fi
[ $status = 0 ] && echo "as found: frames behind the first one are dropped without an error" || { echo CHANGED; exit 1; }
