#!/usr/bin/env bash
# node:tls (Node.js 24.21.0 and Deno 2.9.6): `handshakeTimeout` of a server, with a client that says nothing.
#
# Guess before running: the option is documented as aborting the connection. After one second the server emits
# `tlsClientError` and the client's connection is closed.
#
# What happens: `tlsClientError` comes in time, but the connection stays open, here for eight seconds more, until one
# side closes it for another reason. Who counts on the option keeps every silent client: the handler has to destroy the
# socket that comes with the event.
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
cat >handshake.mjs <<'JS'
import { readFileSync } from "node:fs";
import net from "node:net";
import process from "node:process";
import tls from "node:tls";
const events = [];
const say = (word) => events.push(word);
const server = tls.createServer({
  cert: readFileSync("cert.pem"),
  key: readFileSync("key.pem"),
  handshakeTimeout: 1000,
});
server.on("tlsClientError", () => say("tlsClientError"));
server.listen(0, "127.0.0.1", () => {
  const client = net.connect(server.address().port, "127.0.0.1");
  client.on("error", () => {});
  client.on("close", () => say("closed"));
  client.resume();
  setTimeout(() => {
    console.log(events.join(", "));
    process.exit(0);
  }, 9000);
});
JS
by_node=$("$node" handshake.mjs)
by_deno=$("$deno" run -A handshake.mjs)
echo "node $("$node" --version): $by_node, and nothing more in 9 s"
echo "$("$deno" --version | head -n 1): $by_deno, and nothing more in 9 s"
if [ "$by_node" = tlsClientError ] && [ "$by_deno" = tlsClientError ]; then
  echo "as found: the handshake is given up, the connection is not"
else
  echo CHANGED
  exit 1
fi
