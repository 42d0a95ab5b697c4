/**
 * One source of each kind and form, made anew, in a directory whose name has a `#`.
 *
 * @module
 */

import { backup, type ChangeDetectionMode, parseBackupSpec } from "#src/backup/mod.ts";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { parseKeyFile } from "#src/pbs/format/key_file.ts";
import { ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import { buildArchive } from "#src/pxar/mod.ts";
import {
  openSource,
  type Source,
  type SourceContent,
  type SourceKindName,
} from "#src/sources/mod.ts";
import { PBS_KEYS } from "#tests/support/pbs_fixtures.ts";
import { MemorySink } from "#tests/support/pxar_fixtures.ts";
import { changeDiff } from "#tests/support/changed_diff.ts";
import { buildDirectoryCatalog } from "#tests/support/directory_catalog.ts";

const SECONDS = 1_700_000_000;
/** The snapshot of the examples. */
export const SNAPSHOT = "host/x/2023-11-14T22:13:20Z";
const PAGE_SIZE = 8192;

/** A source that can be made in a directory. */
export interface SourceExample {
  readonly title: string;
  readonly kind: SourceKindName;
  readonly content: SourceContent;
  /** A name of it, relative to the directory, percent signs as in names. */
  readonly name: string;
  /** Its full name, in which nothing is left to be chosen; `DIR` stands for the directory. */
  readonly fullName: RegExp;
  /** Makes it; another version has another content under the same name. */
  make(directory: string, version: number): void | Promise<void>;
  /** Its file with two names. */
  readonly linked?: string;
}

const KEY = CryptConfig.fromKeyFile(
  parseKeyFile(Deno.readTextFileSync(`${PBS_KEYS}/key-none.json`)),
);

/** Opens an example with what it needs. */
export function openExample(name: string): Promise<Source> {
  return openSource(name, {
    threadCount: 2,
    credentials: {
      encryptionKey: (fingerprint) =>
        Promise.resolve(fingerprint === KEY.fingerprint ? KEY.key : undefined),
    },
  });
}

/** A small data directory. */
function makeTree(path: string, version: number): void {
  Deno.mkdirSync(`${path}/base/1`, { recursive: true });
  Deno.writeTextFileSync(`${path}/PG_VERSION`, `15 ${version}\n`);
  const pages = new Uint8Array(9 * PAGE_SIZE).map((_, index) => index % 251 + version);
  Deno.writeFileSync(`${path}/base/1/16384`, pages);
  Deno.writeFileSync(`${path}/base/1/empty`, new Uint8Array(0));
}

function makeLinkedTree(path: string, version: number): void {
  makeTree(path, version);
  Deno.linkSync(`${path}/PG_VERSION`, `${path}/another`);
  Deno.symlinkSync("base/1", `${path}/link`);
}

function inTree(directory: string, version: number, fill: typeof makeTree): string {
  const tree = `${directory}/tree`;
  fill(tree, version);
  return tree;
}

function makeArchive(directory: string, version: number, files: readonly string[]): void {
  const tree = inTree(directory, version, makeLinkedTree);
  const [metadata, payload] = files.map(() => new MemorySink());
  buildArchive(tree, { metadata: metadata!, ...(payload === undefined ? {} : { payload }) });
  [metadata, payload].forEach((sink, index) => {
    if (sink !== undefined) Deno.writeFileSync(`${directory}/${files[index]}`, sink.bytes());
  });
}

function makeTar(directory: string, version: number, how: string): void {
  const tree = inTree(directory, version, makeLinkedTree);
  const args = ["--format=pax", how, `${directory}/x.tar`, "-C", tree, "."];
  const { success } = new Deno.Command("tar", { args }).outputSync();
  if (!success) throw new Error("tar has failed");
}

function makeSnapshot(
  directory: string,
  version: number,
  mode: ChangeDetectionMode,
  crypt?: CryptConfig,
): void {
  const tree = inTree(directory, version, makeLinkedTree);
  const path = `${directory}/store`;
  // As one that a server made, but for the directories that stay empty.
  Deno.mkdirSync(`${path}/.chunks`, { recursive: true });
  const store = Datastore.open(path, { access: "write" });
  const writer = store.startSnapshot({
    group: { ns: ROOT_NAMESPACE, type: "host", id: "x" },
    time: SECONDS,
    ...(crypt === undefined ? {} : { crypt, cryptMode: "encrypt" }),
  });
  const specs = [
    `root.pxar:${tree}`,
    `disk.img:${tree}/base/1/16384`,
    `vm.conf:${tree}/PG_VERSION`,
  ];
  backup(writer, specs.map(parseBackupSpec), { mode, chunkSize: 64 << 10 });
  store.close();
}

const STORE_NAME = new RegExp(`^pbs:DIR/store#${SNAPSHOT}/`);

/** Each of them. */
export const EXAMPLES: readonly SourceExample[] = [
  {
    title: "a backup of pg_probackup",
    kind: "pgpro",
    content: "tree",
    name: "catalog#directory/latest",
    fullName: /^pgpro:DIR\/catalog#directory\/[0-9A-Z]{6}$/,
    make(directory, version) {
      buildDirectoryCatalog(`${directory}/catalog`, inTree(directory, version, makeTree));
    },
  },
  {
    title: "an archive",
    kind: "pxar",
    content: "tree",
    name: "x.pxar",
    fullName: /^pxar:DIR\/x\.pxar$/,
    make: (directory, version) => makeArchive(directory, version, ["x.pxar"]),
    linked: "PG_VERSION",
  },
  {
    title: "a split archive",
    kind: "pxar",
    content: "tree",
    name: "x.mpxar",
    fullName: /^pxar:DIR\/x\.mpxar$/,
    make: (directory, version) => makeArchive(directory, version, ["x.mpxar", "x.ppxar"]),
    linked: "PG_VERSION",
  },
  {
    title: "an archive of a snapshot",
    kind: "pbs",
    content: "tree",
    name: "store#host/x/latest/root.pxar",
    fullName: new RegExp(`${STORE_NAME.source}root\\.pxar$`),
    make: (directory, version) => makeSnapshot(directory, version, "legacy"),
    linked: "PG_VERSION",
  },
  {
    title: "an encrypted split archive of a snapshot, named by the file of its index",
    kind: "pbs",
    content: "tree",
    name: `store/${SNAPSHOT}/root.mpxar.didx`,
    fullName: new RegExp(`${STORE_NAME.source}root\\.pxar$`),
    make: (directory, version) => makeSnapshot(directory, version, "data", KEY),
    linked: "PG_VERSION",
  },
  {
    title: "an image of a snapshot",
    kind: "pbs",
    content: "image",
    name: `store/${SNAPSHOT}#disk.img`,
    fullName: new RegExp(`${STORE_NAME.source}disk\\.img$`),
    make: (directory, version) => makeSnapshot(directory, version, "legacy"),
  },
  {
    title: "a tar archive",
    kind: "tar",
    content: "tree",
    name: "x.tar",
    fullName: /^tar:DIR\/x\.tar$/,
    make: (directory, version) => makeTar(directory, version, "-cf"),
    linked: "PG_VERSION",
  },
  {
    title: "a compressed tar archive",
    kind: "tar",
    content: "tree",
    name: "x.tar",
    fullName: /^tar:DIR\/x\.tar$/,
    make: (directory, version) => makeTar(directory, version, "-czf"),
    linked: "PG_VERSION",
  },
  {
    title: "a directory",
    kind: "dir",
    content: "tree",
    name: "tree",
    fullName: /^dir:DIR\/tree$/,
    make: (directory, version) => void inTree(directory, version, makeLinkedTree),
    linked: "PG_VERSION",
  },
  {
    title: "a blob of a snapshot",
    kind: "pbs",
    content: "blob",
    name: "pbs:store#host/x/@2023-11-15/vm.conf",
    fullName: new RegExp(`${STORE_NAME.source}vm\\.conf$`),
    make: (directory, version) => makeSnapshot(directory, version, "legacy"),
  },
  {
    title: "a diff directory over an archive",
    kind: "diff",
    content: "tree",
    name: "diff",
    fullName: /^diff:DIR\/diff$/,
    async make(directory, version) {
      makeArchive(directory, version, ["x.mpxar", "x.ppxar"]);
      await changeDiff(`${directory}/diff`, { place: `${directory}/x.mpxar` }, (harness) => {
        harness.write("another", 1, new Uint8Array(1).fill(version));
        harness.write("base/1/16384", PAGE_SIZE, new Uint8Array(PAGE_SIZE));
        harness.rename("base/1", "base/2");
        harness.create("base/2/new", new Uint8Array(9000).fill(version));
        harness.unlink("link");
      });
    },
    linked: "PG_VERSION",
  },
  {
    title: "a diff directory over one over a backup of pg_probackup",
    kind: "diff",
    content: "tree",
    name: "diff:branch",
    fullName: /^diff:DIR\/branch$/,
    async make(directory, version) {
      buildDirectoryCatalog(`${directory}/catalog`, inTree(directory, version, makeTree));
      const blocks = new Uint8Array(2 * PAGE_SIZE).fill(version);
      const backup = { place: `${directory}/catalog`, item: "directory/latest" };
      await changeDiff(`${directory}/diff`, backup, (harness) => {
        harness.write("base/1/16384", PAGE_SIZE, blocks);
      });
      await changeDiff(`${directory}/branch`, { place: `${directory}/diff` }, (harness) => {
        harness.write("base/1/16384", 2 * PAGE_SIZE, blocks.fill(0));
        harness.link("PG_VERSION", "another");
      });
    },
    linked: "another",
  },
];
