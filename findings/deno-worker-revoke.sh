#!/usr/bin/env bash
# Deno 2.9.6: a worker that gives up a permission.
#
# Guess before running: a worker that starts without a list of permissions gets a copy of its parent's. What it revokes
# is gone in the worker, and the parent keeps it, just as a child process can drop a right of its own.
#
# What happens: parent and worker have one set. When the worker revokes its read permission, the main thread cannot read
# any more either, and other workers neither. A worker that is started with a list of its own
# (--unstable-worker-options), though it names the same permission, has a set of its own.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --no-fund --no-audit --silent deno@2.9.6
(cd node_modules/deno && node install.cjs >/dev/null 2>&1 || true)
cat >worker.ts <<'TS'
self.onmessage = async ({ data }) => {
  const { state } = await Deno.permissions[data as "query" | "revoke"]({ name: "read" });
  self.postMessage(state);
};
TS
cat >main.ts <<'TS'
const url = new URL("./worker.ts", import.meta.url);
const start = (options: object) => new Worker(url, { type: "module", ...options } as WorkerOptions);
const ask = (worker: Worker, what: "query" | "revoke") => {
  const answer = new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
  worker.postMessage(what);
  return answer;
};
const here = async () => (await Deno.permissions.query({ name: "read" })).state;
const own = start({ deno: { permissions: { read: true } } });
const other = start({});
const states = [await here(), await ask(own, "revoke"), await here(), await ask(other, "query")];
console.log(`own list: ${states.join(", ")}`);
const heir = start({});
const after = [await here(), await ask(heir, "revoke"), await here(), await ask(other, "query")];
console.log(`inherited: ${after.join(", ")}`);
Deno.exit();
TS
node_modules/.bin/deno --version | head -n 1
echo "read permission of the main thread, of a worker that revokes it, of the main thread then, of another worker:"
output=$(timeout 60 node_modules/.bin/deno run --quiet --no-prompt --unstable-worker-options --allow-read main.ts)
echo "$output"
expected='own list: granted, prompt, granted, granted
inherited: granted, prompt, prompt, prompt'
if [ "$output" = "$expected" ]; then
  echo "as found: what a worker revokes, its parent and siblings lose"
else
  echo CHANGED
  exit 1
fi
