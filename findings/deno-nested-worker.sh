#!/usr/bin/env bash
# Deno 2.9.6: a worker that is started by a worker.
#
# Guess before running: it takes as long to start as one that the main thread starts.
#
# What happens: its thread sleeps for a second, a millisecond at a time, before it loads its module. Each level adds one
# more. Whatever a worker needs soon is better started by the main thread, which gives both a MessagePort.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --no-fund --no-audit --silent deno@2.9.6
(cd node_modules/deno && node install.cjs >/dev/null 2>&1 || true)
cat >worker.ts <<'TS'
self.onmessage = ({ data: depth }) => {
  if (depth === 0) return self.postMessage("there");
  const inner = new Worker(import.meta.url, { type: "module" });
  inner.onmessage = ({ data }) => self.postMessage(data);
  inner.postMessage(depth - 1);
};
TS
cat >main.ts <<'TS'
const url = new URL("./worker.ts", import.meta.url);
async function seconds(depth: number): Promise<number> {
  const start = performance.now();
  const worker = new Worker(url, { type: "module" });
  await new Promise((resolve) => {
    worker.onmessage = resolve;
    worker.postMessage(depth);
  });
  worker.terminate();
  return (performance.now() - start) / 1000;
}
const times = [];
for (const depth of [0, 1, 2]) times.push(await seconds(depth));
console.log(times.map((time) => time.toFixed(2)).join(" s, ") + " s");
const [none, one, two] = times;
Deno.exit(one! - none! > 0.9 && two! - one! > 0.9 ? 0 : 1);
TS
node_modules/.bin/deno --version | head -n 1
echo "started by the main thread, by a worker of it, by a worker of that:"
if timeout 60 node_modules/.bin/deno run --quiet --no-prompt --allow-read main.ts; then
  echo "as found: each level of workers adds a second"
else
  echo CHANGED
  exit 1
fi
