import assert from "node:assert/strict";
import { AgentClient } from "#src/agent/agent_client.ts";
import { ConfinedFiles } from "#src/agent/confined_files.ts";
import { encodeEntry } from "#src/backup/client/entry_record.ts";
import { encodeFrame, FrameKind } from "#src/agent/format/frame.ts";
import { encodeHello } from "#src/agent/format/hello.ts";
import { encodeRequest } from "#src/agent/format/request.ts";
import { type RunCommand, serveConnection } from "#src/agent/serve_connection.ts";
import type {
  ClientFile,
  ClientPage,
  ClientProvider,
  ContentPiece,
} from "#src/backup/client/provider.ts";
import type { FileSystemAccessor } from "#src/backup/client/file_system_accessor.ts";
import { HostAccessor } from "#src/backup/client/host_accessor.ts";
import { LocalClient } from "#src/backup/client/local_client.ts";
import { Failure, OsError, ProtocolError } from "#src/errors.ts";
import type { Connection } from "#src/net/connection.ts";
import { connectionPair } from "#tests/support/connection_pair.ts";
import { bash, makeEverythingTree } from "#tests/support/everything_tree.ts";
import { Random } from "#tests/support/property_random.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const ALL = { offsetBytes: 0, lengthBytes: "all" } as const;
const PROGRAM = "pbkfs test";

/** A client that serves files, asked over a connection in memory. */
interface Scene extends AsyncDisposable {
  readonly client: AgentClient;
  readonly served: Promise<void>;
  /** The end of the connection that asks. */
  readonly connection: Connection;
}

async function open(
  files: FileSystemAccessor,
  options: {
    readonly compress?: boolean;
    readonly firstDirectory?: string;
    readonly partSizes?: readonly number[];
    readonly runCommand?: RunCommand;
  } = {},
): Promise<Scene> {
  const { runCommand, partSizes = [], ...asked } = options;
  const [near, far] = connectionPair({ partSizes });
  const served = serveConnection(far, { files, roots: ["/"], program: PROGRAM, runCommand });
  served.catch(() => {});
  const client = await AgentClient.open(near, { program: PROGRAM, ...asked });
  return {
    client,
    served,
    connection: near,
    [Symbol.asyncDispose]: async () => {
      await client.close();
      await served.catch(() => {});
      files.close?.();
    },
  };
}

async function listed(client: ClientProvider, path: string): Promise<ClientPage> {
  const pages: ClientPage[] = [];
  for await (const page of client.readDirectory(path)) pages.push(page);
  return {
    entries: pages.flatMap(({ entries }) => entries),
    failures: pages.flatMap(({ failures }) => failures),
    self: pages[0]?.self,
  };
}

async function piecesOf({ content }: ClientFile): Promise<ContentPiece[]> {
  const pieces: ContentPiece[] = [];
  for await (const piece of content) pieces.push(piece);
  return pieces;
}

function bytesOf(pieces: readonly ContentPiece[]): Uint8Array {
  return new Uint8Array(
    pieces.flatMap((piece) =>
      "holeBytes" in piece ? Array<number>(piece.holeBytes).fill(0) : [...piece]
    ),
  );
}

Deno.test("Everything a tree can have is the same over a connection as it is here", async () => {
  using directory = new TempDirectory("agent");
  const root = directory.path;
  await makeEverythingTree(root, 30, 1 << 20);
  const local = new LocalClient(new HostAccessor());
  for (const compress of [false, true]) {
    const partSizes = [1, 7, 4096, 65_536];
    await using scene = await open(new ConfinedFiles([root]), {
      compress,
      partSizes,
      // Only once in two: what is asked with the greeting is answered as anything else.
      ...(compress ? { firstDirectory: root } : {}),
    });
    const { client } = scene;
    assert.deepEqual(await client.capabilities(), await local.capabilities!());
    const queue = [root];
    let fileCount = 0;
    for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
      const page = await listed(client, path);
      assert.deepEqual(page, await listed(local, path));
      for (const { name, metadata, sizeBytes } of page.entries) {
        const inner: string = `${path}/${name}`;
        if ((metadata.mode & 0o170000) === 0o040000) queue.push(inner);
        if ((metadata.mode & 0o170000) !== 0o100000 || sizeBytes > 1 << 20) continue;
        const [there, here]: ClientFile[] = await Promise.all([
          client.readFile(inner, ALL),
          local.readFile(inner, ALL),
        ]);
        assert.deepEqual(there.entry, here.entry);
        assert.deepEqual(bytesOf(await piecesOf(there)), bytesOf(await piecesOf(here)));
        fileCount++;
      }
    }
    assert.ok(fileCount > 30);
    assert.deepEqual(await client.stat(`${root}/plain`), await local.stat(`${root}/plain`));
    assert.deepEqual((await client.stat(root)).ino, (await local.stat(root)).ino);
  }
});

Deno.test("No path leads out of what is served, and what is wrong with one path is told by its errno", async () => {
  using directory = new TempDirectory("agent");
  const root = directory.join("served");
  Deno.mkdirSync(`${root}/inner`, { recursive: true });
  Deno.writeTextFileSync(directory.join("secret"), "secret");
  Deno.writeTextFileSync(`${root}/inner/file`, "file");
  Deno.symlinkSync("../..", `${root}/inner/up`);
  Deno.symlinkSync(directory.join("secret"), `${root}/leak`);
  Deno.symlinkSync("inner", `${root}/near`);
  Deno.symlinkSync(root, directory.join("way"));
  // Below what one call of the system takes, and deeper.
  const steps = Array.from({ length: 30 }, (_, index) => `${index}`.padStart(200, "x"));
  const [upper, lower] = [steps.slice(0, 15).join("/"), steps.slice(15).join("/")];
  await bash('mkdir -p "$1/$2"; cd "$1/$2"; mkdir -p "$3"', root, upper, lower);
  await using scene = await open(new ConfinedFiles([`${root}/`, directory.join("way")]));
  const { client } = scene;
  const refused: [string, string][] = [
    ["/etc/passwd", "EACCES"],
    [directory.join("secret"), "EACCES"],
    [directory.path, "EACCES"],
    [`${root}/../secret`, "EACCES"],
    [`${root}/inner/../../secret`, "EACCES"],
    [`${root}/inner/up/secret`, "ELOOP"],
    [`${root}/near/file`, "ELOOP"],
    [`${root}//inner/file`, "EACCES"],
    [`${root}/leak`, "ELOOP"],
    [`${root}/none`, "ENOENT"],
    [`${root}/inner`, "ENXIO"],
    [directory.join("way", "inner", "file"), "ELOOP"],
  ];
  for (const [path, code] of refused) {
    await assert.rejects(client.readFile(path, ALL), (error) => {
      assert.ok(error instanceof OsError, `${path}: ${error}`);
      assert.ok([code, "ENOTDIR"].includes(error.code), `${path}: ${error.code}`);
      return true;
    });
  }
  await assert.rejects(listed(client, `${root}/inner/up`), OsError);
  await assert.rejects(client.stat(`${root}/..`), OsError);
  const deep = await listed(client, `${root}/${steps.join("/")}`);
  assert.deepEqual(deep.entries, []);
  const file = await client.readFile(`${root}/inner/file`, ALL);
  assert.equal(new TextDecoder().decode(bytesOf(await piecesOf(file))), "file");
});

/** Files of as many bytes as their names say; tells what was read of them. */
class NumberedFiles implements FileSystemAccessor {
  openCount = 0;
  readBytes = 0;

  stat(path: string): never {
    throw new OsError(2, "stat", path);
  }

  *readDirectory(path: string): Generator<ClientPage> {
    this.openCount++;
    try {
      const entry = new HostAccessor().stat("/");
      while (true) {
        const entries = [{ ...entry, name: `${path.slice(1)}-${this.readBytes++}` }];
        yield { entries, failures: [] };
      }
    } finally {
      this.openCount--;
    }
  }

  readFile(path: string) {
    const entry = { ...new HostAccessor().stat("/"), name: path.slice(1) };
    const open = () => this.openCount++;
    const close = () => this.openCount--;
    const count = (size: number) => this.readBytes += size;
    const content = function* () {
      open();
      try {
        for (let left = Number(entry.name); left > 0; left -= 100_000) {
          count(Math.min(left, 100_000));
          yield new Uint8Array(Math.min(left, 100_000));
        }
      } finally {
        close();
      }
    };
    return { entry, content: content() };
  }
}

Deno.test("A client sends no more of a file or directory than is taken, and closes what is not wanted any more", async () => {
  const files = new NumberedFiles();
  await using scene = await open(files);
  const { client } = scene;
  const file = await client.readFile("/100000000", ALL);
  await client.readFile("/0", ALL);
  assert.ok(files.readBytes <= 600_000, `${files.readBytes} bytes were read for nobody`);
  const iterator = file.content[Symbol.asyncIterator]();
  let taken = 0;
  for (let count = 0; count < 100; count++) {
    const { value } = await iterator.next();
    taken += (value as Uint8Array).length;
  }
  assert.ok(files.readBytes - taken <= 20 << 20);
  assert.equal(files.openCount, 1);
  await iterator.return?.();
  for await (const _ of client.readDirectory("/endless")) break;
  await client.readFile("/0", ALL);
  assert.equal(files.openCount, 0);
});

Deno.test("Thousands of calls at a time are answered, some of them given up in the middle", async () => {
  const files = new NumberedFiles();
  await using scene = await open(files, { partSizes: [100_000, 3] });
  const { client } = scene;
  const giveUp = new AbortController();
  const sizes = Array.from({ length: 3000 }, (_, index) => index % 700 === 0 ? 900_000 : index);
  const results = await Promise.allSettled(sizes.map(async (size, index) => {
    const signal = index % 700 === 0 ? giveUp.signal : undefined;
    const file = await client.readFile(`/${size}`, ALL, signal);
    if (index === 2800) giveUp.abort();
    return bytesOf(await piecesOf(file)).length;
  }));
  results.forEach((result, index) => {
    if (result.status === "fulfilled") assert.equal(result.value, sizes[index]);
    else assert.equal(index % 700, 0, `${index}: ${result.reason}`);
  });
  assert.ok(results.some(({ status }) => status === "rejected"));
  await client.readFile("/0", ALL);
  assert.equal(files.openCount, 0);
});

Deno.test("Commands are run only where that is allowed, and tell how they have ended", async () => {
  await using closed = await open(new NumberedFiles());
  await assert.rejects(closed.client.runCommand("true"), { code: "commands" });
  const output = new TextEncoder().encode("done");
  const commands: string[] = [];
  const runCommand: RunCommand = (command) => {
    commands.push(command);
    return Promise.resolve({ exitCode: 3, output });
  };
  await using scene = await open(new NumberedFiles(), { runCommand });
  assert.deepEqual(await scene.client.runCommand("make ready"), { exitCode: 3, output });
  assert.deepEqual(commands, ["make ready"]);
});

Deno.test("When the connection goes, all that is under way fails at once, on both sides", async () => {
  const files = new NumberedFiles();
  await using scene = await open(files);
  const file = await scene.client.readFile("/100000000", ALL);
  const rest = piecesOf(file);
  const listing = listed(scene.client, "/endless");
  scene.connection.destroy();
  await assert.rejects(rest, ProtocolError);
  await assert.rejects(listing, ProtocolError);
  await assert.rejects(scene.client.readFile("/1", ALL), ProtocolError);
  await scene.served.catch(() => {});
  assert.equal(files.openCount, 0);
});

/** A peer of whom only the bytes are known. */
function hostileClient(timeoutMs?: number): [Promise<AgentClient>, Connection] {
  const [near, far] = connectionPair();
  return [AgentClient.open(near, { program: PROGRAM, timeoutMs }), far];
}

const HELLO = {
  program: "pbkfs of the future",
  versions: { min: 1, max: 9 },
  features: [],
  mtimePrecisionNs: 1,
  uid: 0,
  gid: 0,
  roots: ["/"],
  requestsMax: 10,
};

Deno.test("What is no client, or speaks what is not spoken here, is told by what it says", async () => {
  const [shell, shellEnd] = hostileClient();
  await shellEnd.write([new TextEncoder().encode("Welcome to db1!\nLast login: never\n")]);
  await assert.rejects(shell, /b:2 has not greeted but said "Welcome to db1!|a:1 has not greeted/u);
  const [future, futureEnd] = hostileClient();
  const versions = { min: 7, max: 9 };
  await futureEnd.write(encodeFrame(FrameKind.HELLO, 0, encodeHello({ ...HELLO, versions })));
  await assert.rejects(future, /speaks versions 7 to 9 of the protocol, this program 1 to 1/u);
  const [gone, goneEnd] = hostileClient();
  goneEnd.end();
  await assert.rejects(gone, /ended without a greeting/u);
  const [silent] = hostileClient(50);
  await assert.rejects(silent, { code: "timeout" });
});

Deno.test("A client that falls silent, or sends what was not asked for, ends only with an error", async () => {
  const [opening, far] = hostileClient(50);
  await far.write(encodeFrame(FrameKind.HELLO, 0, encodeHello(HELLO)));
  const silent = await opening;
  await assert.rejects(silent.stat("/"), { code: "timeout" });

  const [opening2, far2] = hostileClient();
  await far2.write(encodeFrame(FrameKind.HELLO, 0, encodeHello(HELLO)));
  const flooded = await opening2;
  const file = flooded.readFile("/x", ALL);
  const entry = encodeEntry(new HostAccessor().stat("/"));
  await far2.write(encodeFrame(FrameKind.ENTRY, 1, entry));
  const { content } = await file;
  const piece = new Uint8Array(1 << 20);
  for (let count = 0; count < 8; count++) {
    await far2.write(encodeFrame(FrameKind.DATA, 1, piece)).catch(() => {});
  }
  await assert.rejects(async () => {
    for await (const _ of content);
  }, /more than it was asked for/u);
  await assert.rejects(flooded.stat("/"), /more than it was asked for/u);
});

Deno.test("Made-up and damaged frames end a connection with a typed error, on either side, by seed", async () => {
  const types = [...Object.values(FrameKind), 0, 99];
  for (let seed = 0; seed < 200; seed++) {
    const random = new Random(seed);
    const noise = () => {
      const payload = new Uint8Array(random.between(0, 60)).map(() => random.between(0, 3));
      const frame = encodeFrame(random.pick(types), random.between(0, 3), payload);
      return random.oneIn(8) ? [payload] : frame;
    };
    const [opening, far] = hostileClient(1000);
    await far.write(encodeFrame(FrameKind.HELLO, 0, encodeHello(HELLO)));
    const client = await opening;
    const calls = [
      client.stat("/"),
      listed(client, "/"),
      client.readFile("/", ALL).then(piecesOf),
    ];
    const outcomes = Promise.allSettled(calls);
    for (let count = 0; count < 12; count++) await far.write(noise()).catch(() => {});
    far.destroy();
    for (const outcome of await outcomes) {
      if (outcome.status === "rejected") assert.ok(outcome.reason instanceof Failure, `${seed}`);
    }

    const [near, serving] = connectionPair();
    const files = new NumberedFiles();
    const served = serveConnection(serving, { files, roots: ["/"], program: PROGRAM });
    served.catch(() => {});
    const own = { program: PROGRAM, versions: { min: 1, max: 1 }, features: ["zstd"] };
    await near.write(encodeFrame(FrameKind.HELLO, 0, encodeHello(own)));
    const [type, request] = encodeRequest({ kind: "read", path: "/5", credit: 9, ...ALL });
    await near.write(encodeFrame(type, 1, request));
    for (let count = 0; count < 12; count++) await near.write(noise()).catch(() => {});
    near.end();
    await served.catch((error) => assert.ok(error instanceof Failure, `${seed}: ${error}`));
    near.destroy();
    assert.equal(files.openCount, 0);
  }
});
