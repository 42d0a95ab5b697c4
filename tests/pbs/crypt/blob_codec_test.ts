import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { join } from "node:path";
import { constants, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { type ChunkDigest, parseDigest } from "#src/bytes/chunk_digest.ts";
import { crc32, sha256Of } from "#src/codecs/hashing.ts";
import { builtInCodecs, type Codecs, nativeCodecs } from "#src/codecs/codecs.ts";
import { AuthError, FormatError, IntegrityError, LimitError } from "#src/errors.ts";
import { BlobCodec, type BlobDecodeOptions } from "#src/pbs/crypt/blob_codec.ts";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import {
  BLOB_HEADER_SIZE,
  encodeBlobHeader,
  ENCRYPTED_BLOB_HEADER_SIZE,
  parseBlobHeader,
} from "#src/pbs/format/blob.ts";
import {
  chunkPath,
  expectedDatastore,
  goldenKey,
  HAS_ALL_CHUNKS,
  hasChunk,
  readIndex,
  snapshotPath,
} from "#tests/support/pbs_fixtures.ts";

const CODECS: readonly [string, Codecs][] = [
  ["native codecs", nativeCodecs()],
  ["built-in codecs", builtInCodecs()],
];
const CRYPT = new CryptConfig(Uint8Array.from({ length: 32 }, (_, index) => index));
const OTHER_CRYPT = new CryptConfig(new Uint8Array(32).fill(7));
const NO_IV = { iv: new Uint8Array(16), tag: new Uint8Array(16) };

/** A blob with a right CRC around any data. */
function blobOf(data: Uint8Array, isCompressed: boolean): Uint8Array<ArrayBuffer> {
  const blob = new Uint8Array(BLOB_HEADER_SIZE + data.length);
  const crc = crc32(data, 0, data.length);
  encodeBlobHeader({ isCompressed, isEncrypted: false, crc, ...NO_IV }, blob, 0);
  blob.set(data, BLOB_HEADER_SIZE);
  return blob;
}

function zeroFrame(size: number): Uint8Array {
  // Without a pledge the frame does not state the size of its content.
  const options = { params: {}, pledgedSrcSize: size };
  return new Uint8Array(zstdCompressSync(new Uint8Array(size), options));
}

function refusal(
  codec: BlobCodec,
  blob: Uint8Array<ArrayBuffer>,
  options: BlobDecodeOptions = {},
): { name: string; code: string } {
  try {
    codec.decodeBytes(blob, options);
  } catch (error) {
    ok(
      error instanceof FormatError || error instanceof IntegrityError ||
        error instanceof AuthError || error instanceof LimitError,
      `${error}`,
    );
    return { name: error.name, code: error.code };
  }
  return { name: "none", code: "none" };
}

const isFormatError = { name: "FormatError", code: "corrupt" };
const isCrcError = { name: "IntegrityError", code: "crc" };
const isTagError = { name: "IntegrityError", code: "tag" };

for (const [name, codecs] of CODECS) {
  Deno.test(`BlobCodec reads back what it wrote in every form, with ${name}`, () => {
    const codec = new BlobCodec(codecs);
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.nat({ max: 400 }),
        fc.boolean(),
        fc.boolean(),
        (piece, repeats, compress, encrypt) => {
          const plain = new Uint8Array(piece.length * repeats);
          for (let index = 0; index < repeats; index++) plain.set(piece, index * piece.length);
          const crypt = encrypt ? CRYPT : undefined;
          const blob = codec.encodeBytes(plain, { compress, crypt });
          const headerSize = encrypt ? ENCRYPTED_BLOB_HEADER_SIZE : BLOB_HEADER_SIZE;
          ok(blob.length <= headerSize + plain.length);
          const { isCompressed, isEncrypted } = parseBlobHeader(blob);
          equal(isEncrypted, encrypt);
          equal(isCompressed, blob.length < headerSize + plain.length);
          ok(compress || !isCompressed);
          deepEqual(codec.decodeBytes(blob, { crypt, size: plain.length }), plain);
        },
      ),
      { seed: 5, numRuns: 300 },
    );
  });

  Deno.test(`BlobCodec.decodeInto() fills exactly its region, with ${name}`, () => {
    const codec = new BlobCodec(codecs);
    const plain = codecs.allocate(1000);
    plain.bytes.fill(3).set([1, 2, 3], 100);
    for (const compress of [false, true]) {
      for (const crypt of [undefined, CRYPT]) {
        const digest = codec.digest(plain, 100, 500, crypt);
        const encoded = codec.encode(plain, 100, 500, { compress, crypt });
        const stored = codecs.allocate(encoded.size + 20);
        stored.bytes.set(encoded.buffer.bytes.subarray(0, encoded.size), 7);
        const target = codecs.allocate(600);
        const options = { crypt, digest, size: 500, isEncrypted: crypt !== undefined };
        equal(codec.decodeInto(stored, 7, encoded.size, target, 50, 500, options), 500);
        deepEqual(target.bytes.subarray(50, 550), plain.bytes.subarray(100, 600));
        ok(target.bytes.subarray(0, 50).every((byte) => byte === 0));
        ok(target.bytes.subarray(550).every((byte) => byte === 0));
        const small = () => codec.decodeInto(stored, 7, encoded.size, target, 0, 499, { crypt });
        throws(small, LimitError);
      }
    }
  });

  Deno.test(`BlobCodec refuses another key, no key, another size or digest, with ${name}`, () => {
    const codec = new BlobCodec(codecs);
    const plain = new TextEncoder().encode("x".repeat(300));
    const digest = parseDigest(sha256Of(plain).toHex());
    const wrong = "0".repeat(64) as ChunkDigest;
    const stored = codec.encodeBytes(plain, { compress: true });
    const encrypted = codec.encodeBytes(plain, { compress: true, crypt: CRYPT });
    const integrity = (code: string) => ({ name: "IntegrityError", code });
    equal(refusal(codec, stored, { digest }).name, "none");
    deepEqual(refusal(codec, stored, { digest: wrong }), integrity("digest"));
    deepEqual(refusal(codec, encrypted, { digest, crypt: CRYPT }), integrity("digest"));
    for (const size of [0, 299, 301]) {
      deepEqual(refusal(codec, stored, { size, sizeMax: 1000 }), integrity("length"));
      deepEqual(refusal(codec, stored, { size, sizeMax: size }), integrity("length"));
    }
    deepEqual(refusal(codec, stored, { isEncrypted: true }), integrity("crypt-mode"));
    deepEqual(refusal(codec, encrypted, { isEncrypted: false }), integrity("crypt-mode"));
    deepEqual(refusal(codec, encrypted, { crypt: OTHER_CRYPT }), integrity("tag"));
    deepEqual(refusal(codec, encrypted), { name: "AuthError", code: "missing-key" });
    deepEqual(refusal(codec, stored, { sizeMax: 299 }), { name: "LimitError", code: "limit" });
  });

  Deno.test(`BlobCodec notices every flipped bit of a blob, with ${name}`, () => {
    const codec = new BlobCodec(codecs);
    const texts = ["", "hello", "hello ".repeat(40)].map((text) => new TextEncoder().encode(text));
    for (const crypt of [undefined, CRYPT]) {
      for (const plain of texts) {
        const blob = codec.encodeBytes(plain, { compress: true, crypt });
        const digest = codec.digest(copyOf(codecs, plain), 0, plain.length, crypt);
        for (let bit = 0; bit < 8 * blob.length; bit++) {
          const damaged = blob.slice();
          damaged[bit >> 3]! ^= 1 << (bit & 7);
          const seen = refusal(codec, damaged, { crypt, digest });
          const offset = bit >> 3;
          if (offset < 8) deepEqual(seen, isFormatError, `magic, bit ${bit}`);
          else if (offset < 12) deepEqual(seen, isCrcError, `CRC, bit ${bit}`);
          else if (crypt !== undefined && offset < 44) deepEqual(seen, isTagError, `bit ${bit}`);
          else deepEqual(seen, isCrcError, `data, bit ${bit}`);
        }
      }
    }
  });

  Deno.test(`BlobCodec refuses blobs of every length that is too short, with ${name}`, () => {
    const codec = new BlobCodec(codecs);
    for (const crypt of [undefined, CRYPT]) {
      const blob = codec.encodeBytes(new TextEncoder().encode("a".repeat(99)), {
        compress: true,
        crypt,
      });
      const headerSize = crypt === undefined ? BLOB_HEADER_SIZE : ENCRYPTED_BLOB_HEADER_SIZE;
      for (let size = 0; size < blob.length; size++) {
        const expected = size < headerSize ? isFormatError : isCrcError;
        deepEqual(refusal(codec, blob.slice(0, size), { crypt }), expected, `${size} bytes`);
      }
    }
  });

  Deno.test(`BlobCodec accepts exactly one whole zstd frame, with ${name}`, () => {
    const codec = new BlobCodec(codecs);
    const plain = Uint8Array.from({ length: 300_000 }, (_, index) => (index * index) >> 9);
    const streamed = new Uint8Array(zstdCompressSync(plain));
    const options = {
      params: { [constants.ZSTD_c_checksumFlag]: 1 },
      pledgedSrcSize: plain.length,
    };
    const withChecksum = new Uint8Array(zstdCompressSync(plain, options));
    for (const frame of [streamed, withChecksum]) {
      deepEqual(codec.decodeBytes(blobOf(frame, true), { size: plain.length }), plain);
      for (const size of [0, 1, 4, 5, 6, 9, 100, frame.length >> 1, frame.length - 1]) {
        deepEqual(refusal(codec, blobOf(frame.subarray(0, size), true)), isFormatError, `${size}`);
      }
      const twice = new Uint8Array([...frame, ...frame]);
      deepEqual(refusal(codec, blobOf(twice, true)), isFormatError);
      deepEqual(refusal(codec, blobOf(new Uint8Array([...frame, 0]), true)), isFormatError);
    }
    const damaged = withChecksum.slice();
    damaged[damaged.length - 1]! ^= 1;
    deepEqual(refusal(codec, blobOf(damaged, true)), isFormatError);
  });

  Deno.test(`BlobCodec takes no more memory than the caller allows, with ${name}`, () => {
    const bomb = blobOf(zeroFrame(512 << 20), true);
    ok(bomb.length < 1 << 20);
    let largest = 0;
    const { zlib, lz4, zstd, compressZstd, sha256, aead } = codecs;
    const allocate = (size: number) => {
      largest = Math.max(largest, size);
      return codecs.allocate(size);
    };
    const counting = { zlib, lz4, zstd, compressZstd, sha256, aead, allocate };
    const codec = new BlobCodec(counting);
    const isLimit = { name: "LimitError", code: "limit" };
    deepEqual(refusal(codec, bomb, { sizeMax: 1 << 20 }), isLimit);
    ok(largest <= 1 << 20, `${largest} bytes`);
    // A frame that states far more than its blocks can hold.
    const liar = zeroFrame(300_000).slice();
    new DataView(liar.buffer).setUint32(5, 0xffff_fff0, true);
    deepEqual(refusal(codec, blobOf(liar, true)), isFormatError);
    // A stated size that is too small for what comes.
    new DataView(liar.buffer).setUint32(5, 1000, true);
    deepEqual(refusal(codec, blobOf(liar, true)), isFormatError);
    ok(largest <= 1 << 20, `${largest} bytes`);
  });

  Deno.test(`BlobCodec gives a result or a typed error for any frame, with ${name}`, () => {
    const codec = new BlobCodec(codecs);
    const frame = zstdCompressSync(new TextEncoder().encode("abcdefgh".repeat(99) + Math.PI));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: frame.length - 1 }), fc.nat({ max: 255 })), {
          minLength: 1,
          maxLength: 4,
        }),
        (changes) => {
          const damaged = new Uint8Array(frame);
          for (const [offset, byte] of changes) damaged[offset] = byte;
          refusal(codec, blobOf(damaged, true), { sizeMax: 1 << 20 });
        },
      ),
      { seed: 13, numRuns: 3000 },
    );
  });

  Deno.test(`BlobCodec decodes all chunks of the golden datastore, with ${name}`, () => {
    const codec = new BlobCodec(codecs);
    const seen = new Set<ChunkDigest>();
    for (const snapshot of expectedDatastore().snapshots) {
      const crypt = goldenKey(snapshot.key);
      const isEncrypted = snapshot["crypt-mode"] === "encrypt";
      for (const { name } of Deno.readDirSync(snapshotPath(snapshot))) {
        if (!/idx$/.test(name)) continue;
        const index = readIndex(join(snapshotPath(snapshot), name));
        for (let position = 0; position < index.count; position++) {
          const digest = index.digestOf(position);
          if (seen.has(digest) || !hasChunk(digest)) continue;
          seen.add(digest);
          const size = index.endOf(position) - index.startOf(position);
          const stored = Deno.readFileSync(chunkPath(digest));
          codec.decodeBytes(stored, { crypt, digest, size, isEncrypted });
        }
      }
    }
    equal(seen.size, HAS_ALL_CHUNKS ? 76 : 51);
  });

  Deno.test(`BlobCodec decodes all blobs of the golden datastore, with ${name}`, () => {
    const codec = new BlobCodec(codecs);
    let count = 0;
    for (const snapshot of expectedDatastore().snapshots) {
      const crypt = goldenKey(snapshot.key);
      for (const [file, { size, sha256 }] of Object.entries(snapshot.blobs)) {
        const stored = Deno.readFileSync(join(snapshotPath(snapshot), file));
        const isEncrypted = snapshot["crypt-mode"] === "encrypt";
        const plain = codec.decodeBytes(stored, { crypt, size, isEncrypted });
        equal(sha256Of(plain).toHex(), sha256);
        // What is not compressed comes out as the same bytes again; of a frame that is not
        // promised.
        const { isCompressed, iv } = parseBlobHeader(stored);
        const writer = new BlobCodec(codecs, (target) => target.set(iv));
        const again = writer.encodeBytes(plain, { compress: isCompressed, crypt });
        if (!isCompressed) deepEqual(again, stored);
        else deepEqual(parseBlobHeader(again).isCompressed, true);
        count++;
      }
    }
    equal(count, 13);
  });
}

function copyOf(codecs: Codecs, bytes: Uint8Array) {
  const buffer = codecs.allocate(bytes.length);
  buffer.bytes.set(bytes);
  return buffer;
}
