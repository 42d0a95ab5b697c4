/**
 * One tree as a source of every kind, and the program that looks into them.
 *
 * @module
 */

import assert from "node:assert/strict";
import { backup, type ChangeDetectionMode, parseBackupSpec } from "#src/backup/mod.ts";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { parseKeyFile } from "#src/pbs/format/key_file.ts";
import { ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import { buildArchive } from "#src/pxar/mod.ts";
import { buildDirectoryCatalog } from "#tests/support/directory_catalog.ts";
import { PBS_KEYS } from "#tests/support/pbs_fixtures.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { type CommandResult, runCommand } from "#tests/support/process.ts";
import { MemorySink } from "#tests/support/pxar_fixtures.ts";
import { ServedStore } from "./_served_store.ts";

const TIMEOUT_MS = 60_000;
const SECONDS = 1_700_000_000;
const PAGE_SIZE = 8192;
const KEY_PATH = `${PBS_KEYS}/key-none.json`;

/** Files of the tree, by their paths: what a pg_probackup backup can hold, too. */
export const FILES: Readonly<Record<string, Uint8Array<ArrayBuffer>>> = {
  "/PG_VERSION": new TextEncoder().encode("15\n"),
  "/base/1/16384": new Uint8Array(9 * PAGE_SIZE).map((_, index) => index % 251),
  "/base/1/empty": new Uint8Array(0),
  "/base/with space": new TextEncoder().encode("content\n"),
};

/** Directories of the tree, the root first. */
export const DIRECTORIES = ["/", "/base", "/base/1", "/empty"];

/** A source that the tree is. */
export interface NamedKind {
  readonly title: string;
  /** What the command line calls it. */
  readonly name: string;
}

/** The tree, and all that is made of it. */
export class SourceKinds implements AsyncDisposable {
  /** Of every kind and form. */
  readonly kinds: readonly NamedKind[];
  /** The tree itself. */
  readonly tree: string;
  readonly #served: ServedStore;

  private constructor(served: ServedStore) {
    this.#served = served;
    this.tree = served.home.join("tree");
    makeTree(this.tree);
    this.kinds = this.#make();
  }

  static async create(): Promise<SourceKinds> {
    const kinds = new SourceKinds(await ServedStore.start());
    await runCommand(["cp", "-a", kinds.tree, kinds.join("copy")], { timeoutMs: TIMEOUT_MS });
    const tar = ["tar", "-czf", kinds.join("c.tar.gz"), "-C", kinds.tree, "."];
    await runCommand(tar, { timeoutMs: TIMEOUT_MS });
    await kinds.#makeDiff();
    return kinds;
  }

  /** A path of its own for what a test writes. */
  join(name: string): string {
    return this.#served.home.join(name);
  }

  /** Runs the program with what sources need. */
  run(args: readonly string[]): Promise<CommandResult> {
    const { password, fingerprint } = this.#served.secrets;
    const env = { PBS_PASSWORD: password, PBS_FINGERPRINT: fingerprint };
    return runCommand(pbkfsCommand([...args, "--keyfile", KEY_PATH]), {
      env,
      timeoutMs: TIMEOUT_MS,
      check: false,
    });
  }

  /** Runs the program, which must succeed. @returns standard output */
  async must(args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(args);
    assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
    assert.equal(stderr, "", args.join(" "));
    return stdout;
  }

  /** Makes an archive of the tree as it is now, in one file or in two. */
  archive(names: readonly string[]): void {
    const [metadata, payload] = names.map(() => new MemorySink());
    buildArchive(this.tree, { metadata: metadata!, ...(payload === undefined ? {} : { payload }) });
    [metadata, payload].forEach((sink, index) => {
      if (sink !== undefined) Deno.writeFileSync(this.join(names[index]!), sink.bytes());
    });
  }

  /** Damages the larger file, or what leads to it. @returns the sources that have checksums */
  damage(): readonly NamedKind[] {
    for (const { path, name } of filesBelow(this.join("catalog"))) {
      if (name === "with space") flipByte(path, 0);
    }
    for (const name of ["a.pxar", "b.mpxar", "c.tar.gz"]) flipByte(this.join(name), -1);
    for (const { path, size } of filesBelow(`${this.#served.path}/.chunks`)) {
      if (size > 0) flipByte(path, size >> 1);
    }
    const without = [this.join("copy"), this.join("diff")];
    return this.kinds.filter(({ name }) => !without.includes(name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#served[Symbol.asyncDispose]();
  }

  /** A diff directory over the archive, in which something was written and taken back. */
  async #makeDiff(): Promise<void> {
    const mounted = this.join("mounted");
    Deno.mkdirSync(mounted);
    // Of its own, since the tests change the other one.
    this.archive(["d.pxar"]);
    const mount = ["mount", this.join("d.pxar"), mounted, "--diff-dir", this.join("diff")];
    await this.must([...mount, "--wait"]);
    const content = Deno.readFileSync(`${mounted}/base/1/16384`);
    Deno.writeFileSync(`${mounted}/base/1/16384`, content.toReversed());
    Deno.writeFileSync(`${mounted}/base/1/16384`, content);
    const times = ["touch", "-r", `${this.tree}/base/1/16384`, `${mounted}/base/1/16384`];
    await runCommand(times, { timeoutMs: TIMEOUT_MS });
    const { code, stderr } = await runCommand(pbkfsCommand(["unmount", "-D", mounted]), {
      timeoutMs: TIMEOUT_MS,
      check: false,
    });
    assert.equal(code, 0, stderr);
  }

  #make(): NamedKind[] {
    const { home, path, repository } = this.#served;
    const { backupId } = buildDirectoryCatalog(home.join("catalog"), this.tree);
    this.archive(["a.pxar"]);
    this.archive(["b.mpxar", "b.ppxar"]);
    this.#snapshot("legacy", "legacy");
    this.#snapshot("data", "data");
    this.#snapshot("metadata", "metadata");
    const key = CryptConfig.fromKeyFile(parseKeyFile(Deno.readTextFileSync(KEY_PATH)));
    this.#snapshot("sealed", "data", key);
    const part = (id: string) => `#host/${id}/latest/root.pxar`;
    const [login, port, store] = repository.split(":");
    return [
      { title: "a chain", name: `${home.path}/catalog#directory/${backupId}` },
      { title: "a directory", name: home.join("copy") },
      { title: "an archive", name: home.join("a.pxar") },
      { title: "a split archive", name: home.join("b.mpxar") },
      { title: "a compressed tar archive", name: home.join("c.tar.gz") },
      { title: "a diff directory", name: home.join("diff") },
      { title: "a snapshot in one stream", name: `${path}${part("legacy")}` },
      { title: "a snapshot in two streams", name: `${path}${part("data")}` },
      { title: "a snapshot with a base", name: `${path}${part("metadata")}` },
      { title: "an encrypted snapshot", name: `${path}${part("sealed")}` },
      { title: "a snapshot of a server", name: `pbs://${login}:${port}/${store}${part("legacy")}` },
      { title: "an encrypted one of a server", name: `pbs:${repository}${part("sealed")}` },
    ];
  }

  #snapshot(id: string, mode: ChangeDetectionMode, crypt?: CryptConfig): void {
    const store = Datastore.open(this.#served.path, { access: "write" });
    try {
      const writer = store.startSnapshot({
        group: { ns: ROOT_NAMESPACE, type: "host", id },
        time: SECONDS,
        ...(crypt === undefined ? {} : { crypt, cryptMode: "encrypt" }),
      });
      backup(writer, [parseBackupSpec(`root.pxar:${this.tree}`)], { mode });
    } finally {
      store.close();
    }
  }
}

function makeTree(path: string): void {
  for (const directory of DIRECTORIES) Deno.mkdirSync(`${path}${directory}`, { mode: 0o700 });
  for (const [name, content] of Object.entries(FILES)) {
    Deno.writeFileSync(`${path}${name}`, content, { mode: 0o600 });
  }
}

function* filesBelow(path: string): Generator<{ path: string; name: string; size: number }> {
  for (const { name, isDirectory } of [...Deno.readDirSync(path)]) {
    const at = `${path}/${name}`;
    if (isDirectory) yield* filesBelow(at);
    else yield { path: at, name, size: Deno.statSync(at).size };
  }
}

/** Turns one byte into another; a negative place counts from the end. */
function flipByte(path: string, place: number): void {
  const bytes = Deno.readFileSync(path);
  const at = place < 0 ? bytes.length + place : place;
  bytes[at] = bytes[at]! ^ 0xff;
  Deno.chmodSync(path, 0o600);
  Deno.writeFileSync(path, bytes);
}
