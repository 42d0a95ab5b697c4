import { deepEqual, equal, throws } from "node:assert/strict";
import { plainBuffer } from "#src/bytes/native_buffer.ts";
import { FormatError } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import { catalogBytes } from "#src/pbs/snapshots/catalog_source.ts";
import { CatalogReader } from "#src/pbs/format/catalog_reader.ts";
import { CatalogWriter } from "#src/pbs/format/catalog_writer.ts";

const FILES = 5000;

function catalogOfManyFiles(): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  const writer = new CatalogWriter((part) => {
    for (const byte of part) bytes.push(byte);
  });
  writer.startDirectory("a.pxar.didx");
  for (let index = 0; index < FILES; index++) writer.addFile(`file-${index}`, index, -index);
  writer.endDirectory();
  writer.startDirectory("b.pxar.didx");
  writer.endDirectory();
  writer.finish();
  return Uint8Array.from(bytes);
}

/** `size` may be a lie. */
function sourceOf(bytes: Uint8Array, size = bytes.length): ByteSource & { bytesRead: number } {
  return {
    size,
    bytesRead: 0,
    readAt(target, start, wanted, offset) {
      const part = bytes.subarray(offset, offset + wanted);
      target.bytes.set(part, start);
      this.bytesRead += part.length;
      return part.length;
    },
    close() {},
  };
}

Deno.test("catalogBytes() reads tables of any size, and only those asked for", () => {
  const bytes = catalogOfManyFiles();
  const source = sourceOf(bytes);
  const reader = new CatalogReader(catalogBytes(source, plainBuffer));
  const [large, empty] = reader.entries(reader.root);
  deepEqual([large?.name, empty?.name], ["a.pxar.didx", "b.pxar.didx"]);
  if (empty?.kind !== "directory" || large?.kind !== "directory") throw new Error("No directories");
  deepEqual(reader.entries(empty), []);
  const before = source.bytesRead;
  equal(before < 8192, true);
  const files = reader.entries(large);
  equal(files.length, FILES);
  deepEqual(files[4999], { kind: "file", name: "file-4999", size: 4999, mtime: -4999 });
  equal(source.bytesRead - before < bytes.length + 8192, true);
});

Deno.test("catalogBytes() refuses a stream that is shorter than it said", () => {
  const bytes = catalogOfManyFiles();
  throws(
    () => new CatalogReader(catalogBytes(sourceOf(bytes, bytes.length + 9), plainBuffer)),
    FormatError,
  );
});
