#!/usr/bin/env bash
# node:tls of Deno 2.9.6: a server that pauses a socket while its peer sends.
#
# Guess before running: `socket.pause()` works on a TLS socket as on a plain one: the server stops reading, the buffers
# on the way fill up, and the peer's writes wait. That is how Node.js does it, for both.
#
# What happens: in Deno a plain socket stops after a few MiB, but a paused TLS socket goes on taking everything that the
# peer has (128 MiB here) and keeps it in memory. What limits a sender elsewhere is no limit there.
#
# Needs openssl.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --no-fund --no-audit --silent node@24.21.0 deno@2.9.6
(cd node_modules/deno && node install.cjs >/dev/null 2>&1 || true)
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 2 \
  -subj /CN=localhost 2>/dev/null
node=node_modules/node/bin/node
deno=node_modules/.bin/deno
cat >pause.mjs <<'JS'
import { readFileSync } from "node:fs";
import net from "node:net";
import process from "node:process";
import tls from "node:tls";
const MIB = 1 << 20, TOTAL_MIB = 128, PAUSE_AFTER = MIB;
/** MiB that a client could send to a server that reads one of them. */
async function taken(isTls) {
  const onConnection = (socket) => {
    let size = 0;
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      size += bytes.length;
      if (size >= PAUSE_AFTER) socket.pause();
    });
  };
  const [cert, key] = [readFileSync("cert.pem"), readFileSync("key.pem")];
  const server = isTls ? tls.createServer({ cert, key }, onConnection) : net.createServer(onConnection);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const to = { port: server.address().port, host: "127.0.0.1" };
  const client = isTls ? tls.connect({ ...to, ca: cert, servername: "localhost" }) : net.connect(to);
  await new Promise((resolve) => client.once(isTls ? "secureConnect" : "connect", resolve));
  let sent = 0;
  const part = new Uint8Array(MIB);
  const send = () => client.write(part, () => ++sent < TOTAL_MIB && send());
  send();
  // Until nothing has moved for two seconds.
  for (let before = -1, quiet = 0; quiet < 4 && sent < TOTAL_MIB; before = sent) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    quiet = sent === before ? quiet + 1 : 0;
  }
  return sent < TOTAL_MIB / 4 ? `stops after ${sent} MiB` : `takes ${sent} MiB`;
}
console.log(`plain ${await taken(false)}; TLS ${await taken(true)}`);
process.exit(0);
JS
by_node=$("$node" pause.mjs)
by_deno=$("$deno" run -A pause.mjs)
echo "node $("$node" --version): $by_node"
echo "$("$deno" --version | head -n 1): $by_deno"
if grep -q 'plain stops .*TLS stops' <<<"$by_node" && grep -q 'plain stops .*TLS takes' <<<"$by_deno"; then
  echo "as found: in Deno a paused TLS socket goes on reading"
else
  echo CHANGED
  exit 1
fi
