/**
 * Diff directories over one another, over an archive.
 *
 * @module
 */

import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { buildArchive } from "#src/pxar/mod.ts";
import { openSource } from "#src/sources/mod.ts";
import type { OverlayHarness } from "#tests/overlay/harness.ts";
import { changeDiff } from "#tests/support/changed_diff.ts";
import { MemorySink } from "#tests/support/pxar_fixtures.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const PAGE_SIZE = 8192;

/** A place with an archive, in which branches are made. */
export class BranchPlace extends TempDirectory {
  constructor() {
    super("branches", true);
    const tree = this.join("tree");
    Deno.mkdirSync(tree);
    Deno.writeTextFileSync(`${tree}/name`, "archive\n");
    Deno.writeFileSync(`${tree}/pages`, new Uint8Array(20 * PAGE_SIZE).fill(1));
    const metadata = new MemorySink();
    buildArchive(tree, { metadata });
    Deno.writeFileSync(this.join("x.pxar"), metadata.bytes());
  }

  /** Makes a diff over another one, unless it is there, and changes it. @returns its path */
  async change(
    name: string,
    parent: string,
    change: (harness: OverlayHarness) => void = () => {},
  ): Promise<string> {
    await changeDiff(this.join(name), { place: this.join(parent) }, (harness) => {
      harness.truncate("name", 0);
      harness.write("name", 0, new TextEncoder().encode(`${name}\n`));
      change(harness);
    });
    return this.join(name);
  }

  /** What the file `name` of a source has. */
  async read(name: string): Promise<string> {
    using source = await openSource(this.join(name));
    const tree = source.openTree();
    try {
      const node = tree.root.lookup("name");
      if (node?.kind !== "file") throw new Error("There is no such file");
      const content = node.open();
      const buffer = allocateNativeBuffer(1024);
      const count = content.readInto(buffer, 0, buffer.bytes.length, 0);
      content.close();
      return new TextDecoder().decode(buffer.bytes.slice(0, count));
    } finally {
      tree.close();
    }
  }
}

/** Space that everything below a directory takes. */
export function bytesBelow(path: string): number {
  const { blocks = 0, isDirectory } = Deno.lstatSync(path);
  const inner = isDirectory ? [...Deno.readDirSync(path)] : [];
  return inner.reduce((sum, { name }) => sum + bytesBelow(`${path}/${name}`), 512 * (blocks ?? 0));
}
