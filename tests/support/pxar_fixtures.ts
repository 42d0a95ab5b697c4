/**
 * The golden pxar archives. Those of the shared material are used where it is there, else the small
 * ones that are committed.
 *
 * @module
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { decodeFileName } from "#src/bytes/file_name.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import type { SequentialSource, Sink } from "#src/io/streams.ts";
import type { PxarEntry, PxarHardlink } from "#src/pxar/entry.ts";

const CHECKOUT = fileURLToPath(new URL("../../", import.meta.url));

/** Directories with archives, the most complete one first. */
const DIRECTORIES = [
  join(CHECKOUT, "../shared/fixtures/pxar"),
  join(CHECKOUT, "tests/fixtures/pxar"),
];

/** Where the archives are. */
export const PXAR_FIXTURES: string = DIRECTORIES.find(isPresent)!;

/** The independent checker, where the shared material is there. */
export const CHECK_PXAR: string | undefined = [join(CHECKOUT, "../shared/tools/check_pxar.py")]
  .find(isPresent);

/** An entry in `NAME.expected.json`. */
export interface ExpectedEntry {
  readonly path_hex: string;
  readonly type: string;
  readonly mode?: number;
  readonly flags?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime_secs?: number;
  readonly mtime_nanos?: number;
  readonly size?: number;
  readonly sha256?: string;
  readonly xattrs?: readonly (readonly [string, string])[];
  readonly acl?: {
    readonly users?: readonly (readonly [number, number])[];
    readonly groups?: readonly (readonly [number, number])[];
    readonly group_obj?: number | null;
    readonly default?: readonly (number | null)[] | null;
    readonly default_users?: readonly (readonly [number, number])[];
    readonly default_groups?: readonly (readonly [number, number])[];
  };
  readonly fcaps?: string;
  readonly projid?: number;
  readonly link_hex?: string;
  readonly hardlink_hex?: string;
  readonly device?: readonly [number, number];
}

/** One form of a fixture. */
export interface PxarFixture {
  /** `kinds.go.mpxar`. */
  readonly name: string;
  readonly path: string;
  /** Payload stream of a split archive. */
  readonly payloadPath: string | undefined;
  /** Written by the reference, so that the same entries must give the same bytes. */
  readonly isReproducible: boolean;
  readonly entries: readonly ExpectedEntry[];
}

/** Composed by hand, or with padding between the payloads: only read. */
const READ_ONLY = ["entryv1", "v1explicit", "v2inline", "reuse"];

/** All healthy archives. */
export function pxarFixtures(): PxarFixture[] {
  const fixtures: PxarFixture[] = [];
  for (const file of Deno.readDirSync(PXAR_FIXTURES)) {
    const [, base] = /^(.*)\.expected\.json$/.exec(file.name) ?? [];
    if (base === undefined) continue;
    const expected = JSON.parse(Deno.readTextFileSync(join(PXAR_FIXTURES, file.name)));
    for (const archive of expected.archives as { files: string[]; writer: string }[]) {
      const [name, payload] = archive.files as [string, string?];
      const isSecondWriter = /\.go\.mpxar$/.test(name);
      fixtures.push({
        name,
        path: join(PXAR_FIXTURES, name),
        payloadPath: payload === undefined ? undefined : join(PXAR_FIXTURES, payload),
        isReproducible: !READ_ONLY.includes(base) && !isSecondWriter,
        entries: expected.entries,
      });
    }
  }
  return fixtures.filter(({ path }) => isPresent(path)).sort((a, b) => a.name < b.name ? -1 : 1);
}

/** A case of `malformed/expected.json`. */
export interface MalformedCase {
  readonly name: string;
  readonly path: string;
  readonly payloadPath: string | undefined;
  readonly class: string;
  readonly expect: { readonly sequential: Verdict; readonly random: Verdict };
  /** How the reference library fared, in order and at random. */
  readonly outcomes: readonly string[];
}

/** A case as `expected.json` has it. */
type StoredCase = Pick<MalformedCase, "class" | "expect"> & {
  readonly files: [string, string?];
  readonly reference: { readonly sequential: string; readonly random: string };
};

/** `either`: an error of the case's class, or a correct result. */
export type Verdict = "ok" | "error" | "either";

/** All malformed archives; none where only the committed fixtures are there. */
export function malformedCases(): MalformedCase[] {
  const directory = join(PXAR_FIXTURES, "malformed");
  if (!isPresent(directory)) return [];
  const { cases } = JSON.parse(Deno.readTextFileSync(join(directory, "expected.json")));
  return (cases as StoredCase[]).map((given) => ({
    name: given.files[0],
    path: join(directory, given.files[0]),
    payloadPath: given.files[1] === undefined ? undefined : join(directory, given.files[1]),
    class: given.class,
    expect: given.expect,
    outcomes: [given.reference.sequential, given.reference.random],
  }));
}

/** Bytes as a sequential source that gives at most `pieceSize` at once. */
export function sequentialBytes(bytes: Uint8Array, pieceSize = 65_536): SequentialSource {
  let offset = 0;
  return {
    read: (target) => {
      const part = bytes.subarray(offset, offset + Math.min(target.length, pieceSize));
      target.set(part);
      offset += part.length;
      return part.length;
    },
    skip: (size) => {
      const count = Math.min(size, bytes.length - offset);
      offset += count;
      return count;
    },
  };
}

/** A source over bytes in memory that counts what is read. */
export class MemorySource implements ByteSource {
  readonly size: number;
  /** Number of reads. */
  readCount = 0;
  /** Bytes read. */
  readBytes = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.size = bytes.length;
  }

  readAt(target: NativeBuffer, start: number, size: number, offset: number): number {
    if (!(offset >= 0) || start + size > target.bytes.length) throw new RangeError("bad read");
    const part = this.#bytes.subarray(offset, offset + size);
    target.bytes.set(part, start);
    this.readCount++;
    this.readBytes += part.length;
    return part.length;
  }

  close(): void {}
}

/** A sink that keeps what it is given. */
export class MemorySink implements Sink {
  /** Number of writes. */
  writeCount = 0;
  readonly #parts: Uint8Array[] = [];

  write(bytes: Uint8Array): void {
    this.writeCount++;
    this.#parts.push(bytes.slice());
  }

  /** Everything written. */
  bytes(): Uint8Array<ArrayBuffer> {
    const result = new Uint8Array(this.#parts.reduce((sum, part) => sum + part.length, 0));
    let offset = 0;
    for (const part of this.#parts) {
      result.set(part, offset);
      offset += part.length;
    }
    return result;
  }
}

/** What `entry` is in the terms of `expected.json`, without content. */
export function describeEntry(
  path: string,
  entry: PxarEntry | PxarHardlink,
): Record<string, unknown> {
  if (entry.kind === "hardlink") return { path, type: "hardlink", target: entry.targetPath };
  const { metadata: { mode, flags, uid, gid, mtime, xattrs, acl, fcaps, projectId } } = entry;
  return {
    path,
    type: entry.kind,
    mode,
    flags,
    uid,
    gid,
    mtime,
    xattrs: xattrs.map(({ name, value }) => [name, value.toHex()]),
    acl,
    fcaps: fcaps?.toHex(),
    projectId,
    ...(entry.kind === "file" ? { size: entry.payload.size } : {}),
    ...(entry.kind === "symlink" ? { target: entry.target } : {}),
    ...(entry.kind === "device" ? { device: [entry.major, entry.minor] } : {}),
  };
}

const KINDS: Readonly<Record<string, string>> = {
  dir: "directory",
  chardev: "device",
  blockdev: "device",
};

/** The same for an entry of `expected.json`. */
export function describeExpected(expected: ExpectedEntry): Record<string, unknown> {
  const path = textOfHex(expected.path_hex);
  const type = KINDS[expected.type] ?? expected.type;
  if (type === "hardlink") return { path, type, target: textOfHex(expected.hardlink_hex!) };
  const { acl } = expected;
  const entries = (pairs: readonly (readonly [number, number])[] = []) => {
    return pairs.map(([id, permissions]) => ({ id: BigInt(id), permissions: BigInt(permissions) }));
  };
  const optional = (value: number | null | undefined) => {
    return value === null || value === undefined ? undefined : BigInt(value);
  };
  const defaults = acl?.default ?? undefined;
  return {
    path,
    type,
    mode: expected.mode,
    flags: BigInt(expected.flags ?? 0),
    uid: expected.uid,
    gid: expected.gid,
    mtime: { seconds: expected.mtime_secs, nanoseconds: expected.mtime_nanos },
    xattrs: expected.xattrs ?? [],
    acl: {
      users: entries(acl?.users),
      groups: entries(acl?.groups),
      groupObject: optional(acl?.group_obj),
      default: defaults === undefined ? undefined : {
        userObject: optional(defaults[0]),
        groupObject: optional(defaults[1]),
        other: optional(defaults[2]),
        mask: optional(defaults[3]),
      },
      defaultUsers: entries(acl?.default_users),
      defaultGroups: entries(acl?.default_groups),
    },
    fcaps: expected.fcaps,
    projectId: BigInt(expected.projid ?? 0),
    ...(type === "file" ? { size: expected.size } : {}),
    ...(type === "symlink" ? { target: textOfHex(expected.link_hex!) } : {}),
    ...(type === "device" ? { device: expected.device!.map(BigInt) } : {}),
  };
}

/** The string for bytes written in hexadecimal digits. */
export function textOfHex(hex: string): string {
  return decodeFileName(Uint8Array.fromHex(hex));
}

function isPresent(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
