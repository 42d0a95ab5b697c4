/**
 * A directory that changes at random, and what it holds.
 *
 * @module
 */

import fc from "fast-check";

/** A change of the directory; numbers choose names, sizes and contents. */
export interface Edit {
  readonly kind: (typeof EDIT_KINDS)[number];
  readonly which: number;
  readonly size: number;
}

const EDIT_KINDS = [
  "add",
  "add",
  "edit",
  "append",
  "truncate",
  "touch",
  "chmod",
  "remove",
  "rename",
  "rename-directory",
  "replace-inode",
  "hardlink",
  "symlink",
] as const;

/** Edits in small numbers. */
export const edits: fc.Arbitrary<Edit[]> = fc.array(
  fc.record({
    kind: fc.constantFrom(...EDIT_KINDS),
    which: fc.nat(1_000_000),
    size: fc.oneof(
      fc.constantFrom(0, 1, 15, 16, 17),
      fc.nat(3000),
      fc.nat(60_000),
    ),
  }),
  { minLength: 1, maxLength: 6 },
);

/** Changes files below a directory. Every change of a content gets a time of its own. */
export class EditedTree {
  readonly path: string;
  #clock = 1_600_000_000;
  #seed: number;
  #counter = 0;

  constructor(path: string, seed: number) {
    this.path = path;
    this.#seed = seed;
    for (const name of DIRECTORIES) Deno.mkdirSync(`${path}/${name}`, { recursive: true });
  }

  /** Applies one change, where it is possible. */
  apply({ kind, which, size }: Edit): void {
    const files = this.files();
    const file = files[which % Math.max(files.length, 1)];
    const target = `${this.path}/${DIRECTORIES[which % DIRECTORIES.length]}/n${which % 97}`;
    if (kind === "add" || file === undefined) {
      if (!exists(target)) this.#write(target, size);
      return;
    }
    switch (kind) {
      case "edit":
        return this.#write(file, Deno.statSync(file).size);
      case "append":
        Deno.writeFileSync(file, this.#content(size), { append: true });
        return this.#touch(file);
      case "truncate":
        Deno.truncateSync(file, Math.min(size, Deno.statSync(file).size));
        return this.#touch(file);
      case "touch":
        return this.#touch(file);
      case "chmod":
        return Deno.chmodSync(file, 0o600 + which % 64);
      case "remove":
        return Deno.removeSync(file);
      case "rename":
        if (!exists(target)) Deno.renameSync(file, target);
        return;
      case "rename-directory":
        return this.#swapDirectories(which);
      case "replace-inode": {
        const { mtime, mode } = Deno.statSync(file);
        const content = Deno.readFileSync(file);
        Deno.removeSync(file);
        Deno.writeFileSync(file, content);
        Deno.chmodSync(file, mode! & 0o777);
        return Deno.utimeSync(file, mtime!, mtime!);
      }
      case "hardlink":
        if (!exists(target)) Deno.linkSync(file, target);
        return;
      case "symlink":
        if (!exists(target)) Deno.symlinkSync(file, target);
        return;
    }
  }

  /** Regular files, in the order of an archive. */
  files(): string[] {
    const found: string[] = [];
    const visit = (directory: string) => {
      const entries = [...Deno.readDirSync(directory)].sort((a, b) => a.name < b.name ? -1 : 1);
      for (const entry of entries) {
        const path = `${directory}/${entry.name}`;
        if (entry.isDirectory) visit(path);
        else if (entry.isFile) found.push(path);
      }
    };
    visit(this.path);
    return found;
  }

  #swapDirectories(which: number): void {
    const [a, b] = [DIRECTORIES[which % 3]!, DIRECTORIES[(which + 1) % 3]!];
    Deno.renameSync(`${this.path}/${a}`, `${this.path}/swap`);
    Deno.renameSync(`${this.path}/${b}`, `${this.path}/${a}`);
    Deno.renameSync(`${this.path}/swap`, `${this.path}/${b}`);
  }

  #write(path: string, size: number): void {
    Deno.writeFileSync(path, this.#content(size));
    this.#touch(path);
  }

  #touch(path: string): void {
    this.#clock += 1;
    Deno.utimeSync(path, this.#clock, this.#clock);
  }

  /** Bytes that are never the same twice. */
  #content(size: number): Uint8Array {
    const bytes = new Uint8Array(size);
    let state = (this.#seed + ++this.#counter * 0x9e3779b1) | 1;
    for (let index = 0; index < size; index++) {
      state = Math.imul(state ^ state >>> 15, 0x2c1b3c6d) + 0x6d2b79f5 | 0;
      bytes[index] = state >>> 24;
    }
    return bytes;
  }
}

const DIRECTORIES = ["a", "b", "c", "d/e", "d"];

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
