/**
 * A diff directory with one of every kind of entry that has everything of its tree.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { unwrap } from "#ffi/os_error.ts";
import { openDiffDirectory } from "#src/overlay/diff_directory.ts";
import { noteHydrated } from "#src/overlay/hydration/hydrated_mark.ts";
import { AttributeChange, AttributesSlot, Change } from "#src/tree/file_system.ts";
import {
  memoryDirectory,
  type MemoryEntry,
  memoryFile,
  memorySpecial,
  memorySymlink,
  MemoryTree,
} from "#src/tree/memory_tree.ts";
import { FileType } from "#src/tree/node.ts";
import { OverlayHarness } from "#tests/overlay/harness.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

export const BLOCK = 8192;
const RELATION = Uint8Array.from({ length: 6 * BLOCK }, (_, index) => index % 251);
const NEW = new Uint8Array(BLOCK).fill(2);
const NONCE_HEX = "ab".repeat(16);

/** Its links to tablespaces lead to where the tree is shown, as those of backups. */
class ShownTree extends MemoryTree {
  constructor(root: MemoryEntry & { kind: "directory" }) {
    super(root);
    for (let id = 1, node = this.nodeById(id); node !== undefined; node = this.nodeById(++id)) {
      if (node.kind === "symlink" && node.target.includes("/.pbkfs/")) {
        Object.defineProperty(node, "followsMount", { value: true });
      }
    }
  }
}

function sampleTree(): MemoryTree {
  const relation = () =>
    memoryFile(RELATION, { mtime: { seconds: 1_000_000_000, nanoseconds: 5 } });
  const linked = relation();
  return new ShownTree(memoryDirectory({
    PG_VERSION: memoryFile("15\n"),
    base: memoryDirectory({ "1": relation(), "2": relation(), gone: relation() }, {
      permissions: 0o750,
      mtime: { seconds: 1_100_000_000, nanoseconds: 7 },
    }),
    former: memoryDirectory({ inner: memoryDirectory({ file: relation() }) }),
    removed: memoryDirectory({ file: relation() }),
    a: linked,
    b: linked,
    link: memorySymlink("base/1"),
    fifo: memorySpecial(FileType.FIFO, 0, { permissions: 0o600 }),
    xattrs: memoryFile("x", { xattrs: { "user.test": new Uint8Array([5]) } }),
    pg_tblspc: memoryDirectory({ "16400": memorySymlink("/mnt/pg/.pbkfs/tblspc/16400") }),
    ".pbkfs": memoryDirectory({
      tblspc: memoryDirectory({
        "16400": memoryDirectory({ PG_15_202209061: memoryDirectory({ "7": relation() }) }),
      }),
    }),
  }));
}

/** What a name of a tree is: its mode, and what it has. */
export type Manifest = Record<string, string>;

/** Everything below a directory of the host, files that are the same under one number. */
export function manifestOf(root: string): Manifest {
  const found: Manifest = {};
  const numbers = new Map<number, number>();
  const visit = (path: string) => {
    const stat = Deno.lstatSync(`${root}/${path}`);
    const mode = (stat.mode! & 0o7777).toString(8);
    if (stat.isDirectory) {
      found[path] = `directory ${mode}`;
      for (const name of [...Deno.readDirSync(`${root}/${path}`)].map((each) => each.name).sort()) {
        visit(path === "" ? name : `${path}/${name}`);
      }
    } else if (stat.isSymlink) {
      found[path] = `link ${Deno.readLinkSync(`${root}/${path}`)}`;
    } else if (stat.isFile) {
      if (stat.nlink! > 1 && !numbers.has(stat.ino!)) numbers.set(stat.ino!, numbers.size);
      const digest = createHash("sha256").update(Deno.readFileSync(`${root}/${path}`));
      const number = numbers.get(stat.ino!) ?? "one name";
      found[path] = `file ${mode} ${number} ${digest.digest("hex").slice(0, 16)}`;
    } else {
      found[path] = `special ${mode}`;
    }
  };
  visit("");
  return found;
}

/** The diff, and where it goes. */
export class HydratedDiff {
  readonly home = new TempDirectory("promote");
  readonly path: string = this.home.join("diff");
  readonly target: string = this.home.join("target");
  readonly tablespace: string = this.home.join("space");
  readonly nonce: Uint8Array = Uint8Array.fromHex(NONCE_HEX);

  /** Makes it; without `isComplete` one file lacks blocks. */
  constructor(isComplete = true) {
    this.#bind();
    const options = { nonce: this.nonce, materializeOnRead: true };
    const harness = new OverlayHarness(sampleTree(), this.path, options);
    change(harness);
    if (isComplete) hydrate(harness, "");
    harness.unmount();
    noteHydrated(this.path, this.nonce);
  }

  get request() {
    return {
      diffPath: this.path,
      targetPath: this.target,
      tablespaces: new Map([["16400", this.tablespace]]),
    };
  }

  get binding(): Record<string, unknown> {
    return JSON.parse(Deno.readTextFileSync(`${this.path}/.pbkfs-binding.json`));
  }

  editBinding(changes: Record<string, unknown>): void {
    const text = JSON.stringify({ ...this.binding, ...changes });
    Deno.writeTextFileSync(`${this.path}/.pbkfs-binding.json`, text);
  }

  #bind(): void {
    const request = { sourcePlaces: [], mountPath: this.home.join("mnt"), force: false };
    const diff = openDiffDirectory(this.path, request);
    const source = { kind: "test", name: "tree", fingerprint: "x", ids: [] };
    diff.bind({ source, extendedAttributes: true, programVersion: "test" });
    diff.release();
    this.editBinding({ nonce: NONCE_HEX });
  }

  /** What is shown of the diff over a tree that can give nothing more. */
  shown(): Record<string, Uint8Array> {
    const harness = new OverlayHarness(sampleTree(), this.path, { nonce: this.nonce });
    const files: Record<string, Uint8Array> = {};
    const visit = (directory: string) => {
      for (const name of harness.list(directory)) {
        const path = directory === "" ? name : `${directory}/${name}`;
        const type = harness.stat(path).mode & FileType.MASK;
        if (type === FileType.DIRECTORY) visit(path);
        if (type === FileType.FILE) files[path] = harness.read(path);
      }
    };
    visit("");
    harness.unmount();
    return files;
  }

  [Symbol.dispose](): void {
    this.home[Symbol.dispose]();
  }
}

/** What programs do to the mount. */
function change(harness: OverlayHarness): void {
  harness.write("base/1", 2 * BLOCK, NEW);
  harness.write("a", BLOCK, NEW);
  harness.unlink("base/gone");
  harness.unlink("removed/file");
  harness.rmdir("removed");
  harness.rename("former", "latter");
  harness.write("latter/inner/file", 0, NEW);
  harness.create("new", NEW);
  harness.link("new", "base/new");
  harness.truncate("base/2", 3 * BLOCK);
  harness.truncate("base/2", 5 * BLOCK);
}

/** Brings everything into the diff, as far as reading and a change of nothing does. */
function hydrate(harness: OverlayHarness, directory: string): void {
  const names = harness.list(directory);
  if (directory === "") names.push(".pbkfs");
  for (const name of names) {
    const path = directory === "" ? name : `${directory}/${name}`;
    const stat = harness.stat(path);
    const type = stat.mode & FileType.MASK;
    if (type === FileType.FILE) {
      harness.read(path);
      harness.fsync(path);
    }
    const before = new AttributesSlot();
    harness.with(path, (node) => unwrap(harness.overlay.getattr(node, before), "getattr", path));
    const same = new AttributeChange();
    same.mask = Change.MTIME;
    same.mtimeSeconds = before.mtimeSeconds;
    same.mtimeNanoseconds = before.mtimeNanoseconds;
    harness.change(path, same);
    if (type === FileType.DIRECTORY) {
      hydrate(harness, path);
      harness.change(path, same);
    }
  }
}
