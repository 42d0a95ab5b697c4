#!/usr/bin/env bash
# node:tls of Deno 2.9.6: a TLS server whose private key belongs to another certificate.
#
# Guess before running: `tls.createServer` (and `tls.createSecureContext`) refuses the pair, as Node.js does, so a server that
# reloads its certificate finds out before it gives up the old one.
#
# What happens: Deno makes the context and the server, which listens. Only when a client comes the handshake fails, on the
# server's side with "unsupported protocol", which says nothing of certificates. Whoever reloads certificates has to check
# the pair by himself.
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
openssl ecparam -genkey -name prime256v1 -noout -out other.pem
node=node_modules/node/bin/node
deno=node_modules/.bin/deno
cat >pair.mjs <<'JS'
import { readFileSync } from "node:fs";
import process from "node:process";
import tls from "node:tls";
/** What becomes of a server with such a key. */
async function serve(keyFile) {
  let server;
  try {
    server = tls.createServer({ cert: readFileSync("cert.pem"), key: readFileSync(keyFile) });
  } catch (error) {
    return `refused: ${error.code}`;
  }
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  let said = "";
  server.on("tlsClientError", (error) => said = ` (${error.message})`);
  const to = { port: server.address().port, host: "127.0.0.1", ca: readFileSync("cert.pem"), servername: "localhost" };
  const client = tls.connect(to);
  const outcome = await new Promise((resolve) => {
    client.once("secureConnect", () => resolve("handshake done"));
    client.once("error", () => resolve("handshake failed"));
  });
  return `listens, ${outcome}${said}`;
}
console.log(`own key: ${await serve("key.pem")}; other key: ${await serve("other.pem")}`);
process.exit(0);
JS
by_node=$("$node" pair.mjs)
by_deno=$("$deno" run -A pair.mjs)
echo "node $("$node" --version): $by_node"
echo "$("$deno" --version | head -n 1): $by_deno"
if grep -q 'own key: listens, handshake done; other key: refused' <<<"$by_node" &&
  grep -q 'own key: listens, handshake done; other key: listens, handshake failed' <<<"$by_deno"; then
  echo "as found: Deno takes a key that is not the certificate's"
else
  echo CHANGED
  exit 1
fi
