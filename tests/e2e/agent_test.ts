/** The executable as a client of backups: started by ssh and by hand, and as a service. */

import assert from "node:assert/strict";
import type { AgentClient } from "#src/agent/agent_client.ts";
import type { ClientPlace } from "#src/agent/client_place.ts";
import { openClient } from "#src/agent/open_client.ts";
import { HostAccessor } from "#src/backup/client/host_accessor.ts";
import { LocalClient } from "#src/backup/client/local_client.ts";
import type { ClientEntry, ClientProvider } from "#src/backup/client/provider.ts";
import { OsError, ProtocolError } from "#src/errors.ts";
import type { CertificateAndKey } from "#src/net/tls/certificate.ts";
import { createIdentity, readIdentity } from "#src/usecases/agent/identity.ts";
import { makeEverythingTree } from "#tests/support/everything_tree.ts";
import { pbkfsCommand, runPbkfs } from "#tests/support/pbkfs.ts";
import { asServerUser } from "#tests/support/postgres.ts";
import { runCommand, RunningCommand, waitUntil } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { Sshd, whyNoSshd } from "./_sshd.ts";

const ALL = { offsetBytes: 0, lengthBytes: "all" } as const;
const PROGRAM = "a test";
const TIMEOUT_MS = 60_000;
const IS_ROOT = Deno.uid() === 0;

const noSshd = whyNoSshd();
if (noSshd !== undefined) console.warn(`Tests with a real sshd are left out: ${noSshd}`);

function place(path: string, port?: number): ClientPlace {
  return { kind: "ssh", host: "127.0.0.1", user: "root", port, path };
}

/** All entries below a directory, by their paths in it. */
async function walk(client: ClientProvider, root: string): Promise<Map<string, ClientEntry>> {
  const found = new Map<string, ClientEntry>();
  const queue = [""];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    for await (const { entries } of client.readDirectory(root + path)) {
      for (const entry of entries) {
        found.set(`${path}/${entry.name}`, entry);
        const isDirectory = (entry.metadata.mode & 0o170000) === 0o040000;
        if (isDirectory && entry.openErrno === undefined) queue.push(`${path}/${entry.name}`);
      }
    }
  }
  return found;
}

async function read(client: ClientProvider, path: string): Promise<string> {
  const bytes: number[] = [];
  for await (const piece of (await client.readFile(path, ALL)).content) {
    bytes.push(...("holeBytes" in piece ? new Uint8Array(piece.holeBytes) : piece));
  }
  return new TextDecoder().decode(new Uint8Array(bytes));
}

/** A certificate with a key that says it is that of the certificate, and is not. */
function forgeKey({ certificate, key }: CertificateAndKey): string {
  const [, text] = /-----BEGIN PRIVATE KEY-----([^-]*)/u.exec(key)!;
  const bytes = Uint8Array.fromBase64(text!);
  // The private number of a key of P-256, 32 bytes; the public one follows.
  const at = bytes.findIndex((byte, index) => byte === 0x04 && bytes[index + 1] === 0x20);
  for (let index = at + 10; index < at + 34; index++) bytes[index]! ^= 0x55;
  const forged = bytes.toBase64().replace(/.{64}/gu, "$&\n");
  return `${certificate}-----BEGIN PRIVATE KEY-----\n${forged}\n-----END PRIVATE KEY-----\n`;
}

/** What a client by another TLS library is told. */
async function askByOpenssl(port: number, identity: string): Promise<string> {
  const { stdout } = await runCommand(
    [
      ...["openssl", "s_client", "-quiet", "-connect", `127.0.0.1:${port}`],
      ...["-cert", identity, "-key", identity],
    ],
    { timeoutMs: TIMEOUT_MS, check: false, stdin: "no greeting of ours, but long enough for one" },
  );
  return stdout;
}

/** Stands in for ssh: runs what ssh would run there, here. */
function localShell(directory: TempDirectory, prefix = ""): string {
  const path = directory.join("shell");
  const script =
    `#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift 2\nexec ${prefix} sh -c "$1"\n`;
  Deno.writeTextFileSync(path, script, { mode: 0o755 });
  return path;
}

Deno.test({
  name:
    "A client that a real sshd starts shows what is there; a forced command decides what it serves",
  ignore: noSshd !== undefined,
  fn: async () => {
    using directory = new TempDirectory("agent");
    await using sshd = await Sshd.start(directory);
    const root = directory.join("root");
    Deno.mkdirSync(root);
    await makeEverythingTree(root, 20, 1 << 20);
    const [program] = pbkfsCommand([]);
    const { sshCommand, port } = sshd;
    const options = { program: PROGRAM, ssh: { sshCommand, remoteProgram: program } };
    const local = new LocalClient(new HostAccessor());
    const client = await openClient([place(root, port)], options);
    try {
      assert.deepEqual(await walk(client, root), await walk(local, root));
      assert.equal(await read(client, `${root}/plain`), "hello\n");
      assert.deepEqual(client.hello.roots, [root]);
      await assert.rejects(client.runCommand("true"), { code: "commands" });
    } finally {
      await client.close();
    }

    // What the key may do is not for the other side to say.
    sshd.allow(`command="${program} agent --stdio --root '${root}/many'",restrict`);
    await assert.rejects(
      openClient([place("/etc", port)], options),
      { code: "not-served", message: `127.0.0.1 serves "${root}/many", not "/etc"` },
    );
    const forced = await openClient([place(`${root}/many`, port)], options);
    try {
      assert.equal((await walk(forced, `${root}/many`)).size, 20);
      await assert.rejects(forced.stat(`${root}/plain`), OsError);
    } finally {
      await forced.close();
    }

    // What goes wrong is told by ssh's and the shell's own words.
    const messages: string[] = [];
    const onMessage = (text: string) => messages.push(text);
    sshd.allow('command="echo Welcome to this host",restrict');
    await assert.rejects(openClient([place(root, port)], options), /said "Welcome to this host/u);
    sshd.allow('command="no-such-program",restrict');
    const missing = openClient([place(root, port)], {
      ...options,
      ssh: { ...options.ssh, onMessage },
    });
    await assert.rejects(missing, { code: "not-found" });
    assert.match(messages.join(""), /no-such-program.*not found/u);
    await assert.rejects(openClient([place(root, 1)], options), {
      code: "connection",
      message: /There is no way to 127\.0\.0\.1 by ssh: .*refused/u,
    });
  },
});

Deno.test({
  name:
    "A client of an ordinary user, without the C library, with commands: each serves what it may",
  ignore: !IS_ROOT,
  fn: async () => {
    using directory = new TempDirectory("agent");
    const root = directory.join("root");
    Deno.mkdirSync(`${root}/closed`, { recursive: true });
    Deno.chmodSync(`${root}/closed`, 0o700);
    Deno.writeTextFileSync(`${root}/secret`, "secret", { mode: 0o600 });
    Deno.writeTextFileSync(`${root}/open`, "open");
    Deno.symlinkSync("/etc", `${root}/link`);
    const [program] = pbkfsCommand([]);
    const open = (sshCommand: string, more: { xattrs?: boolean; words?: string } = {}) =>
      openClient([place(root)], {
        program: PROGRAM,
        ssh: { sshCommand, remoteProgram: program, xattrs: more.xattrs },
      });

    const ordinary = await open(localShell(directory, asServerUser([]).join(" ")));
    const found = await walk(ordinary, root);
    assert.equal(found.get("/secret")!.openErrno, 13);
    assert.equal(found.get("/closed")!.openErrno, 13);
    assert.equal(await read(ordinary, `${root}/open`), "open");
    await assert.rejects(read(ordinary, `${root}/secret`), { code: "EACCES" });
    await ordinary.close();

    const plain = await open(localShell(directory), { xattrs: false });
    const { knownFields, mtimePrecisionNs } = await plain.capabilities();
    assert.equal(knownFields.has("xattrs"), false);
    assert.equal(mtimePrecisionNs, 1_000_000);
    assert.equal((await walk(plain, root)).size, 4);
    assert.equal(await read(plain, `${root}/secret`), "secret");
    await assert.rejects(read(plain, `${root}/link/hostname`), { code: "ELOOP" });
    await assert.rejects(read(plain, "/etc/hostname"), { code: "EACCES" });
    await plain.close();

    const hooks = `#!/bin/sh\nexec ${program} agent --stdio --allow-hooks --root ${root}\n`;
    Deno.writeTextFileSync(directory.join("hooks"), hooks, { mode: 0o755 });
    const commanded = await open(directory.join("hooks"));
    const { exitCode, output } = await commanded.runCommand("echo ready; exit 3");
    assert.deepEqual([exitCode, new TextDecoder().decode(output)], [3, "ready\n"]);
    await commanded.close();
  },
});

Deno.test("A client that is killed fails all that is under way, with a temporary error", async () => {
  using directory = new TempDirectory("agent");
  Deno.writeFileSync(directory.join("file"), new Uint8Array(64 << 20).fill(1));
  const [program] = pbkfsCommand([]);
  Deno.writeTextFileSync(
    directory.join("kept"),
    // What ssh starts in the background keeps its standard error open.
    [
      "#!/bin/sh",
      `sleep 60 >${directory.path}/left & echo $! >${directory.path}/background`,
      `echo $$ >${directory.path}/pid`,
      `exec ${program} agent --stdio --root ${directory.path}`,
      "",
    ].join("\n"),
    { mode: 0o755 },
  );
  const client = await openClient([place(directory.path)], {
    program: PROGRAM,
    ssh: { sshCommand: directory.join("kept") },
  });
  const { content } = await client.readFile(directory.join("file"), ALL);
  Deno.kill(Number(Deno.readTextFileSync(directory.join("pid"))), "SIGKILL");
  await assert.rejects(async () => {
    for await (const _ of content);
  }, (error) => error instanceof ProtocolError && error.isTemporary && /SIGKILL/u.test(`${error}`));
  await client.close();
  // It is there still, so nobody has waited for it.
  Deno.kill(Number(Deno.readTextFileSync(directory.join("background"))), "SIGKILL");
});

Deno.test("A client that listens lets in those whose certificates it knows, several at a time, until it is told to end", async () => {
  using directory = new TempDirectory("agent");
  const root = directory.join("root");
  Deno.mkdirSync(root);
  Deno.writeTextFileSync(`${root}/file`, "content");
  const own = directory.join("own.pem");
  const { stdout } = await runPbkfs(["agent", "identity", "create", directory.join("agent.pem")]);
  const fingerprint = stdout.trim();
  const shown = await runPbkfs([
    "agent",
    "identity",
    "show",
    directory.join("agent.pem"),
    "--format",
    "json",
  ]);
  assert.equal(JSON.parse(shown.stdout).fingerprint, fingerprint);
  assert.equal(Deno.statSync(directory.join("agent.pem")).mode! & 0o777, 0o600);
  const peer = await createIdentity(own, "backups");
  await createIdentity(directory.join("other.pem"), "others");
  for (const xattrs of [true, false]) {
    const service = new RunningCommand(pbkfsCommand([
      ...["agent", "--listen", "127.0.0.1:0", "--root", root, "--peer", peer],
      ...["--identity", directory.join("agent.pem"), ...(xattrs ? [] : ["--no-xattrs"])],
    ]));
    await waitUntil(
      () => service.stderr.includes("fingerprint:"),
      TIMEOUT_MS,
      () => service.stderr,
    );
    const port = Number(/listening on 127\.0\.0\.1:(\d+)\n/u.exec(service.stderr)![1]);
    assert.ok(service.stderr.includes(fingerprint));
    const connect = (file: string | undefined, pinned = fingerprint): Promise<AgentClient> =>
      openClient([{ kind: "agent", host: "127.0.0.1", port, path: root }], {
        program: PROGRAM,
        tls: {
          fingerprint: pinned,
          certificate: file === undefined ? undefined : readIdentity(file),
        },
      });
    const [one, two] = await Promise.all([connect(own), connect(own)]);
    const contents = await Promise.all([one, two].map((each) => read(each, `${root}/file`)));
    assert.deepEqual(contents, ["content", "content"]);
    await assert.rejects(read(two, own), { code: "EACCES" });
    await one.close();
    await assert.rejects(connect(undefined), { code: "certificate" });
    await assert.rejects(connect(directory.join("other.pem")), {
      code: "certificate",
      message: /the certificate with fingerprint .* is not known here/u,
    });
    await assert.rejects(connect(own, peer), { code: "certificate" });
    if (xattrs) {
      const forged = directory.join("forged.pem");
      Deno.writeTextFileSync(forged, forgeKey(readIdentity(own)));
      const [known, other] = await Promise.all(
        [own, directory.join("other.pem")].map((pem) => askByOpenssl(port, pem)),
      );
      assert.match(known!, /PBKFS/u);
      assert.match(other!, /is not known here/u);
      const told = service.stderr.length;
      assert.equal(await askByOpenssl(port, forged), "");
      await waitUntil(
        () => service.stderr.includes("refused", told),
        TIMEOUT_MS,
        () => service.stderr,
      );
    }
    service.signalGroup("SIGTERM");
    const { code, stderr, stdout } = await service.wait(TIMEOUT_MS);
    assert.deepEqual([code, stdout], [0, ""]);
    assert.match(stderr, /refused 127\.0\.0\.1:\d+: a certificate is needed here/u);
    await assert.rejects(two.stat(root), ProtocolError);
    await two.close();
  }
});
