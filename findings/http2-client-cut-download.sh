#!/usr/bin/env bash
# node:http2 (Node.js 24.21.0 and Deno 2.9.6): a download whose connection ends in the middle.
#
# Guess before running: the server has announced 1000 bytes and its connection ends after 100, without END_STREAM, so
# the client's stream emits `error`, or at least `aborted`. Code that waits for `end` can trust that it has everything.
#
# What happens: in both runtimes the stream emits `end` after 100 bytes and `close`, neither `error` nor `aborted`, and
# the session just `close`. `aborted` stays false. Only `rstCode` (8, CANCEL, which nobody sent) or counting bytes
# against content-length tells a cut body from a whole one.
set -euo pipefail
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --no-fund --no-audit --silent node@24.21.0 deno@2.9.6
(cd node_modules/deno && node install.cjs >/dev/null 2>&1 || true)
cat >server.mjs <<'JS'
// HTTP/2 frames by hand: status 200, content-length 1000, 100 bytes of DATA, then the connection is ended (FIN).
import net from "node:net";
function frame(type, flags, stream, payload) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}
const SETTINGS = 4, HEADERS = 1, DATA = 0, ACK = 1, END_HEADERS = 4, PREFACE_SIZE = 24, FRAME_HEAD_SIZE = 9;
// ":status: 200" of the static table; "content-length" of it (28), with a literal value.
const headers = Buffer.concat([Buffer.from([0x88, 0x0f, 0x0d, 4]), Buffer.from("1000")]);
const server = net.createServer((socket) => {
  let received = 0, isAnswered = false;
  socket.on("error", () => {});
  socket.on("data", (bytes) => {
    received += bytes.length;
    if (isAnswered || received <= PREFACE_SIZE + FRAME_HEAD_SIZE) return;
    isAnswered = true;
    const none = Buffer.alloc(0);
    socket.write(Buffer.concat([frame(SETTINGS, 0, 0, none), frame(SETTINGS, ACK, 0, none)]));
    socket.write(Buffer.concat([frame(HEADERS, END_HEADERS, 1, headers), frame(DATA, 0, 1, Buffer.alloc(100, "a"))]));
    setTimeout(() => socket.end(), 300);
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
JS
cat >client.mjs <<'JS'
import http2 from "node:http2";
import process from "node:process";
const session = http2.connect(`http://127.0.0.1:${process.argv[2]}`);
const events = [];
const stream = session.request({ ":path": "/file" });
let size = 0;
for (const name of ["end", "aborted", "error", "close"]) stream.on(name, () => events.push(name));
session.on("error", () => events.push("session error"));
stream.on("response", (head) => events.push(`content-length ${head["content-length"]}`));
stream.on("data", (bytes) => size += bytes.length);
stream.end();
session.on("close", () => {
  // A turn later, so that whatever follows is seen too.
  setTimeout(() => {
    console.log(`${size} bytes; ${events.join(", ")}; aborted ${stream.aborted}; rstCode ${stream.rstCode}`);
    process.exit(0);
  }, 500);
});
JS
node_modules/node/bin/node server.mjs >port &
server=$!
until [ -s port ]; do sleep 0.1; done
expected="100 bytes; content-length 1000, end, close; aborted false; rstCode 8"
status=0
check() {
  echo "$1: $2"
  [ "$2" = "$expected" ] || status=1
}
check "node $(node_modules/node/bin/node --version)" "$(timeout 20 node_modules/node/bin/node client.mjs "$(cat port)")"
check "$(node_modules/.bin/deno --version | head -n 1)" "$(timeout 20 node_modules/.bin/deno run -A client.mjs "$(cat port)")"
if [ $status = 0 ]; then
  echo "as found: a download that was cut ends like a whole one"
else
  echo CHANGED
fi
exit $status
