/** TLS connections of both ends, with foreign peers and between themselves. */

import { equal, match, rejects, throws } from "node:assert/strict";
import { AuthError, ProtocolError, UsageError } from "#src/errors.ts";
import type { Connection } from "#src/net/connection.ts";
import { fingerprintOfPem, makeCertificate } from "#src/net/tls/certificate.ts";
import { CERTIFICATE_CODE, connectTls } from "#src/net/tls/connect.ts";
import { parseFingerprint } from "#src/net/tls/fingerprint.ts";
import { listenTls, type TlsListenOptions } from "#src/net/tls/listen.ts";
import { parseProxy } from "#src/net/tls/proxy.ts";
import { connectProxy } from "#tests/support/connect_proxy.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytesOf = (value: string) => new TextEncoder().encode(value);

const PAIR = await makeCertificate({
  hosts: ["localhost", "127.0.0.1", "::1", "pbs.example"],
  from: new Date(Date.now() - 60_000),
  days: 30,
});
const OTHER = await makeCertificate({ hosts: ["other.example"], from: new Date(), days: 1 });
const FINGERPRINT = await fingerprintOfPem(PAIR.certificate);

/** Sends back what comes, and ends when the peer ends. */
async function echo(connection: Connection): Promise<void> {
  try {
    for (let part = await connection.read(); part; part = await connection.read()) {
      await connection.write([part]);
    }
    connection.end();
  } catch {
    connection.destroy();
  }
}

async function listening(
  options: Partial<TlsListenOptions>,
  use: (port: number, connections: Connection[]) => Promise<void>,
): Promise<void> {
  const connections: Connection[] = [];
  const listener = await listenTls({
    host: "127.0.0.1",
    port: 0,
    certificate: PAIR,
    ...options,
    onConnection: (connection) => {
      connections.push(connection);
      if (options.onConnection === undefined) void echo(connection);
      else options.onConnection(connection);
    },
  });
  try {
    await use(listener.port, connections);
  } finally {
    connections.forEach((connection) => connection.destroy());
    await listener.close();
  }
}

async function allOf(connection: Connection): Promise<string> {
  let all = "";
  for (let part = await connection.read(); part; part = await connection.read()) all += text(part);
  return all;
}

Deno.test("A pinned certificate is accepted in each spelling of its fingerprint, any other is refused before a byte", async () => {
  await listening({}, async (port, connections) => {
    for (
      const fingerprint of [FINGERPRINT, FINGERPRINT.toUpperCase(), FINGERPRINT.replaceAll(":", "")]
    ) {
      const connection = await connectTls({
        host: "127.0.0.1",
        port,
        trust: { fingerprint, authorities: [] },
      });
      await connection.write([bytesOf("one "), bytesOf("two")]);
      connection.end();
      equal(await allOf(connection), "one two");
      await connection.closed;
    }
    const before = connections.length;
    const wrong = FINGERPRINT.replace(/^../u, (pair) => pair === "00" ? "01" : "00");
    for (const authorities of [[], [OTHER.certificate]]) {
      await rejects(
        connectTls({ host: "127.0.0.1", port, trust: { fingerprint: wrong, authorities } }),
        (error: unknown) => {
          equal(error instanceof AuthError && error.code, CERTIFICATE_CODE);
          equal((error as AuthError).fingerprint, FINGERPRINT);
          match((error as AuthError).message, new RegExp(`expected one, ${wrong}`, "u"));
          return true;
        },
      );
    }
    // The server may have agreed on TLS before it was refused, but got nothing.
    for (const connection of connections.slice(before)) {
      equal(await connection.read().catch(() => undefined), undefined);
    }
  });
});

Deno.test("Authorities, and the name or address in the certificate, decide where nothing is pinned", async () => {
  await listening({}, async (port) => {
    for (const authorities of [[], [OTHER.certificate]]) {
      const trust = { authorities };
      await rejects(connectTls({ port, trust, host: "127.0.0.1" }), { code: CERTIFICATE_CODE });
    }
    const together = `${OTHER.certificate}\n${PAIR.certificate}`;
    const trusted = { port, trust: { authorities: [together] } };
    for (const host of ["127.0.0.1", "localhost"]) {
      (await connectTls({ ...trusted, host })).destroy();
    }
    // A name for this computer that the certificate does not have.
    await rejects(connectTls({ ...trusted, host: "127.0.0.2" }), (error: unknown) => {
      // Nobody listens there, or the certificate is of somebody else.
      return error instanceof ProtocolError || (error as AuthError).code === CERTIFICATE_CODE;
    });
  });
  const other = await makeCertificate({ hosts: ["elsewhere.example"], from: new Date(), days: 1 });
  await listening({ certificate: other }, async (port) => {
    await rejects(
      connectTls({
        host: "127.0.0.1",
        port,
        trust: { authorities: [other.certificate] },
      }),
      { code: CERTIFICATE_CODE },
    );
  });
});

Deno.test("OpenSSL reads the certificate that was made, and agrees on its fingerprint", async () => {
  const openssl = new Deno.Command("openssl", {
    args: [
      "x509",
      "-noout",
      "-fingerprint",
      "-sha256",
      "-text",
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = openssl.stdin.getWriter();
  await writer.write(bytesOf(PAIR.certificate));
  await writer.close();
  const { stdout, success, stderr } = await openssl.output();
  equal(success, true, text(stderr));
  const shown = text(stdout);
  const line = /sha256 Fingerprint=([0-9A-F:]+)/iu.exec(shown)![1]!;
  equal(parseFingerprint(line), FINGERPRINT);
  match(
    shown,
    /DNS:localhost, IP Address:127\.0\.0\.1, IP Address:0:0:0:0:0:0:0:1, DNS:pbs\.example/u,
  );
  match(shown, /CA:FALSE/u);
  match(shown, /ASN1 OID: prime256v1/u);
  match(shown, /Digital Signature/u);
});

Deno.test("A client connects to a server of OpenSSL, and one of OpenSSL to the listener", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${directory}/c.pem`, PAIR.certificate);
    await Deno.writeTextFile(`${directory}/k.pem`, PAIR.key);
    const server = new Deno.Command("openssl", {
      args: ["s_server", "-accept", "127.0.0.1:0", "-cert", `${directory}/c.pem`, "-key"]
        .concat(`${directory}/k.pem`, "-rev"),
      stdout: "piped",
      stderr: "null",
    }).spawn();
    let said = "";
    const reader = server.stdout.getReader();
    while (!/ACCEPT \S+:(\d+)\n/u.test(said)) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`openssl s_server ended: ${said}`);
      said += text(value);
    }
    const port = Number(/ACCEPT \S+:(\d+)\n/u.exec(said)![1]);
    const connection = await connectTls({
      host: "127.0.0.1",
      port,
      trust: { fingerprint: FINGERPRINT, authorities: [] },
    });
    await connection.write([bytesOf("stressed\n")]);
    let answer = "";
    while (!answer.endsWith("\n")) answer += text((await connection.read())!);
    equal(answer, "desserts\n");
    connection.destroy();
    server.kill("SIGKILL");
    await reader.cancel();
    await server.status;

    await listening({}, async (own) => {
      const client = new Deno.Command("openssl", {
        args: [
          "s_client",
          "-quiet",
          "-connect",
          `127.0.0.1:${own}`,
          "-CAfile",
          `${directory}/c.pem`,
        ]
          .concat("-verify_return_error", "-verify_hostname", "pbs.example"),
        stdin: "piped",
        stdout: "piped",
        stderr: "null",
      }).spawn();
      const writer = client.stdin.getWriter();
      await writer.write(bytesOf("hello\n"));
      const first = await client.stdout.getReader().read();
      equal(text(first.value!), "hello\n");
      await writer.close();
      client.kill("SIGKILL");
      await client.status;
    });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("Through a proxy, which learns the server's name and nothing else", async () => {
  await listening({}, async (port) => {
    await connectProxy({}, async (proxy) => {
      const connection = await connectTls({
        host: "localhost",
        port,
        trust: { fingerprint: FINGERPRINT, authorities: [] },
        proxy: parseProxy(`http://us%65r:secr%40t@127.0.0.1:${proxy.port}`),
      });
      await connection.write([bytesOf("through")]);
      equal(text((await connection.read())!), "through");
      connection.destroy();
      equal(proxy.heads.length, 1);
      match(proxy.heads[0]!, new RegExp(`^CONNECT localhost:${port} HTTP/1\\.1\r\n`, "u"));
      match(proxy.heads[0]!, new RegExp(`Basic ${btoa("user:secr@t")}\r\n`, "u"));
    });
    for (
      const [answer, expected] of [
        ["HTTP/1.1 403 Forbidden\r\n\r\n", /says 403 Forbidden/u],
        ["SSH-2.0-OpenSSH\r\n\r\n", /does not speak HTTP/u],
        ["", /closed without an answer/u],
        ["HTTP/1.1 200 OK\r\nx: " + "y".repeat(20_000), /no end/u],
      ] as const
    ) {
      await connectProxy({ answer }, async (proxy) => {
        await rejects(
          connectTls({
            host: "localhost",
            port,
            trust: { fingerprint: FINGERPRINT, authorities: [] },
            proxy: parseProxy(`127.0.0.1:${proxy.port}`),
          }),
          (error: unknown) => error instanceof ProtocolError && expected.test(error.message),
        );
      });
    }
  });
});

Deno.test("Values of ALL_PROXY", () => {
  equal(parseProxy(""), undefined);
  const plain = { host: "proxy.example", port: 1080, login: undefined };
  for (const value of ["proxy.example", "http://proxy.example", "http://proxy.example/"]) {
    equal(JSON.stringify(parseProxy(value)), JSON.stringify(plain));
  }
  equal(parseProxy("[::1]:3128")!.host, "::1");
  equal(parseProxy("[::1]:3128")!.port, 3128);
  for (const bad of ["socks5://a:1", "a:0", "a:99999", "https://a", "a b", "u%zz@a", "u%ff@a"]) {
    throws(() => parseProxy(bad), UsageError);
  }
  throws(
    () => parseProxy("socks5://u:hidden@a:1"),
    (error: Error) => !/hidden/u.test(error.message),
  );
});

Deno.test("IPv6", async () => {
  let listener;
  try {
    listener = Deno.listen({ hostname: "::1", port: 0 });
  } catch {
    return; // A machine without IPv6.
  }
  listener.close();
  await listening({ host: "::1" }, async (port) => {
    const connection = await connectTls({
      host: "::1",
      port,
      trust: { authorities: [PAIR.certificate] },
    });
    equal(connection.peer, `[::1]:${port}`);
    connection.end();
    equal(await allOf(connection), "");
  });
});

Deno.test("Neither side piles up what the other does not take", async () => {
  const size = 1 << 18;
  const block = new Uint8Array(size).fill(7);
  let received = 0;
  let sink: Connection | undefined;
  await listening({ onConnection: (connection) => sink = connection }, async (port) => {
    const connection = await connectTls({
      host: "127.0.0.1",
      port,
      trust: { fingerprint: FINGERPRINT, authorities: [] },
    });
    let written = 0;
    let isDone = false;
    const total = 256 * size;
    const writing = (async () => {
      while (written < total) {
        await connection.write([block]);
        written += size;
      }
      connection.end();
      isDone = true;
    })();
    // Until nothing moves any more: what kernels and one read-ahead hold is far below 64 MiB.
    for (let last = -1; last !== written;) {
      last = written;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    equal(isDone, false);
    for (let part = await sink!.read(); part; part = await sink!.read()) {
      received += part.length;
    }
    await writing;
    equal(received, total);
    sink!.end();
    equal(await connection.read(), undefined);
    await connection.closed;
  });
});

Deno.test("What was read too far comes first again; a destroyed connection throws at once", async () => {
  await listening({}, async (port) => {
    const connection = await connectTls({
      host: "127.0.0.1",
      port,
      trust: { fingerprint: FINGERPRINT, authorities: [] },
    });
    await connection.write([bytesOf("abc")]);
    const part = (await connection.read())!;
    connection.unread(part.slice(1));
    equal(text((await connection.read())!), "bc");
    const waiting = connection.read();
    connection.destroy();
    await rejects(waiting, ProtocolError);
    await rejects(connection.read(), ProtocolError);
    await rejects(connection.write([part]), ProtocolError);
    await connection.closed;
    connection.destroy();
  });
});

Deno.test("A peer that takes nothing ends the write", async () => {
  await listening({ onConnection: () => {} }, async (port) => {
    const net = await import("node:net");
    const { SocketConnection } = await import("#src/net/tls/socket_connection.ts");
    const socket = net.connect(port, "127.0.0.1");
    await new Promise((resolve) => socket.once("connect", resolve));
    const connection = new SocketConnection(socket, socket, "slow", { writeStallMs: 500 });
    await rejects(
      (async () => {
        // Plain bytes that look like the beginning of TLS, which nobody reads to the end.
        for (let n = 0; n < 256; n++) await connection.write([new Uint8Array(1 << 20).fill(0x16)]);
      })(),
      (error: unknown) => error instanceof ProtocolError && error.isTemporary,
    );
    await connection.closed;
  });
});

Deno.test("The listener ends who says nothing, and who is too much; plain HTTP is told the way", async () => {
  const refused: string[] = [];
  await listening({
    handshakeTimeoutMs: 400,
    connectionsMax: 2,
    onRefused: (_, reason) => refused.push(reason),
  }, async (port) => {
    const open = () => Deno.connect({ hostname: "127.0.0.1", port });
    const rest = async (connection: Deno.TcpConn) => {
      let all = "";
      const buffer = new Uint8Array(4096);
      try {
        for (let n = await connection.read(buffer); n !== null; n = await connection.read(buffer)) {
          all += text(buffer.subarray(0, n));
        }
      } catch {
        // Reset counts as ended.
      }
      connection.close();
      return all;
    };
    const silent = await open();
    const half = await open();
    await half.write(new Uint8Array([0x16, 3, 1, 2, 0]));
    equal(await rest(await open()), "");
    equal(await rest(silent), "");
    equal(await rest(half), "");
    equal(refused.filter((reason) => /too many/u.test(reason)).length, 1);
    equal(refused.filter((reason) => /no TLS within/u.test(reason)).length, 2);

    const plain = await open();
    await plain.write(
      bytesOf(`GET /api2/json/version HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`),
    );
    const answer = await rest(plain);
    match(answer, /^HTTP\/1\.1 301 /u);
    match(
      answer,
      new RegExp(`\r\nLocation: https://127\\.0\\.0\\.1:${port}/api2/json/version\r\n`, "u"),
    );
    const nonsense = await open();
    await nonsense.write(bytesOf("\0\0\0\0 nonsense\r\n\r\n"));
    equal(await rest(nonsense), "");
  });
});

Deno.test("Another certificate is used from the next connection on; one that does not fit leaves the old", async () => {
  const other = await makeCertificate({ hosts: ["localhost"], from: new Date(), days: 1 });
  const listener = await listenTls({
    host: "127.0.0.1",
    port: 0,
    certificate: PAIR,
    onConnection: (connection) => void echo(connection),
  });
  const seen = async (fingerprint: string) => {
    const connection = await connectTls({
      host: "127.0.0.1",
      port: listener.port,
      trust: { fingerprint, authorities: [] },
    });
    return connection;
  };
  const first = await seen(FINGERPRINT);
  for (const key of ["nonsense", PAIR.key]) {
    throws(() => listener.reload({ certificate: other.certificate, key }), UsageError);
  }
  (await seen(FINGERPRINT)).destroy();
  listener.reload(other);
  (await seen(await fingerprintOfPem(other.certificate))).destroy();
  await first.write([bytesOf("still there")]);
  equal(text((await first.read())!), "still there");
  first.end();
  await first.closed;
  await listener.close();
});

Deno.test("Who cannot be reached is named, and when it may help to try again", async () => {
  const probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = probe.addr as Deno.NetAddr;
  probe.close();
  const trust = { authorities: [PAIR.certificate] };
  await rejects(
    connectTls({ host: "127.0.0.1", port, trust }),
    (error: unknown) =>
      error instanceof ProtocolError && error.isTemporary && error.message.includes(`:${port}`),
  );
  const silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port: silentPort } = silent.addr as Deno.NetAddr;
  await rejects(
    connectTls({ host: "127.0.0.1", port: silentPort, trust, timeoutMs: 300 }),
    { code: "timeout" },
  );
  const interrupted = AbortSignal.timeout(100);
  await rejects(
    connectTls({ host: "127.0.0.1", port: silentPort, trust, signal: interrupted }),
    { code: "interrupted" },
  );
  silent.close();
});
