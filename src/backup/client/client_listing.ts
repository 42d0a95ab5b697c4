/**
 * A directory's listing in the thread that backs up: kept as it came, and read entry by entry.
 *
 * @module
 */

import { concatenate } from "#src/bytes/concatenate.ts";
import { decodeFileName } from "#src/bytes/file_name.ts";
import { FieldReader } from "#src/bytes/fields.ts";
import { EntryType, entryType } from "#src/bytes/file_type.ts";
import { Errno } from "#ffi/libc/calls.ts";
import {
  CLIENT_AREA_BYTES,
  type ContentPart,
  type ListAnswer,
  ListRecord,
  readParts,
} from "./client_calls.ts";
import { readRecord } from "./entry_record.ts";
import type { ClientEntry } from "./provider.ts";

/** Entries of a directory by their names. */
export class ClientListing {
  /** Why it is not complete. */
  readonly errno: number | undefined;
  /** Whether the file system is made up by the kernel. */
  readonly isPseudo: boolean;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  /** Where the record of a name is. */
  readonly #places = new Map<string, number>();
  readonly #contents = new Map<string, ContentPart>();

  constructor(parts: readonly Uint8Array<ArrayBuffer>[], { errno, isPseudo }: ListAnswer) {
    this.errno = errno;
    this.isPseudo = isPseudo === true;
    this.#bytes = concatenate(parts);
    for (let at = 0; at < this.#bytes.length;) at = this.#index(at);
  }

  /** Calls back for all names. */
  forEach(take: (name: string, type: number) => void): void {
    for (const [name, at] of this.#places) {
      const fields = this.#fieldsAt(at);
      if (fields.u8() === ListRecord.FAILURE) {
        take(name, EntryType.UNKNOWN);
        continue;
      }
      fields.skip(Uint32Array.BYTES_PER_ELEMENT);
      fields.skip(fields.u32());
      take(name, entryType(fields.u32()));
    }
  }

  /** What is under a name. @returns a negative errno when there is nothing */
  find(name: string): ClientEntry | number {
    const at = this.#places.get(name);
    if (at === undefined) return -Errno.ENOENT;
    const fields = this.#fieldsAt(at);
    if (fields.u8() === ListRecord.FAILURE) {
      fields.skip(fields.u32());
      return -fields.u16();
    }
    fields.skip(Uint32Array.BYTES_PER_ELEMENT);
    return readRecord(fields);
  }

  /** Whether the content of a file is on its way. */
  isExpected(name: string): boolean {
    const at = this.#places.get(name);
    return at !== undefined && this.#bytes[at] === ListRecord.READ;
  }

  /** The content of a file that has come with the listing, for one who reads it. */
  contentOf(path: string): ContentPart | undefined {
    const part = this.#contents.get(path);
    return part && { ...part, pieces: [...part.pieces] };
  }

  /** Notes what is in a record. @returns where the next one is */
  #index(at: number): number {
    const fields = this.#fieldsAt(at);
    const kind = fields.u8();
    const size = kind === ListRecord.FAILURE ? 0 : fields.u32();
    const end = this.#bytes.length - fields.rest + size;
    if (kind === ListRecord.CONTENT) {
      const [part] = readParts(this.#bytes.subarray(end - size, end));
      this.#contents.set(part!.path, part!);
      return end;
    }
    this.#places.set(decodeFileName(fields.blob(CLIENT_AREA_BYTES)), at);
    if (kind !== ListRecord.FAILURE) return end;
    fields.u16();
    return this.#bytes.length - fields.rest;
  }

  #fieldsAt(at: number): FieldReader {
    return new FieldReader(this.#bytes.subarray(at));
  }
}

/** That of a directory that is closed. */
export const NO_LISTING: ClientListing = new ClientListing([], {
  errno: undefined,
  isPseudo: undefined,
});
