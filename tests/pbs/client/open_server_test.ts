import assert from "node:assert/strict";
import { ProtocolError } from "#src/errors.ts";
import { openServer } from "#src/pbs/client/open_server.ts";

Deno.test("openServer() says that there is no server, and leaves no thread", () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  const login = { host: "127.0.0.1", port, authId: "me@pbs", password: "x", authorities: [] };
  assert.throws(
    () => openServer({ login, store: "main" }),
    (error) => error instanceof ProtocolError && error.isTemporary && error.message.includes("127"),
  );
});
