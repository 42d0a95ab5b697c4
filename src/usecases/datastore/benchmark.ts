/**
 * How fast this machine does what backups are made of, and how fast a server takes them.
 *
 * @module
 */

import { hostCodecs } from "#src/codecs/codecs.ts";
import { IntegrityError } from "#src/errors.ts";
import type { NetworkLink } from "#src/pbs/client/network_link.ts";
import { BlobCodec } from "#src/pbs/crypt/blob_codec.ts";

/** Bytes a second, and those of a computer to compare with (AMD Ryzen 7 2700X, 2020). */
export interface Speed {
  readonly speed: number;
  readonly top: number;
}

/** Results by the names that other programs have for them. */
export interface BenchmarkResult {
  /** Uploads over a connection with TLS; left out without a server. */
  readonly tls?: Speed;
  readonly sha256: Speed;
  readonly compress: Speed;
  readonly decompress: Speed;
  readonly aes256_gcm: Speed;
  /** Decoding a chunk and comparing its digest. */
  readonly verify: Speed;
}

/** Uploads for some time. */
export interface UploadSpeed {
  readonly requests: number;
  readonly seconds: number;
  readonly bytesPerSecond: number;
}

const TOP = {
  tls: 1_235e6,
  sha256: 2_022e6,
  compress: 752e6,
  decompress: 1_198e6,
  aes256_gcm: 3_645e6,
  verify: 758e6,
} as const;

/** Size of a chunk of an image. */
const DATA_SIZE = 4 << 20;

/** As other programs use: numbers one after the other, of 32 bits. */
function testData(): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(DATA_SIZE);
  const view = new DataView(data.buffer);
  for (let offset = 0; offset < data.length; offset += 4) view.setUint32(offset, offset / 4, true);
  return data;
}

/**
 * Measures what needs no server.
 *
 * @param timeMs for each figure
 */
export function measureMachine(timeMs: number): BenchmarkResult {
  const codecs = hostCodecs();
  const plain = codecs.allocate(DATA_SIZE);
  plain.bytes.set(testData());
  const packed = codecs.allocate(DATA_SIZE);
  const target = codecs.allocate(DATA_SIZE);
  const compress = () => codecs.compressZstd(plain, 0, DATA_SIZE, packed, 0, packed.bytes.length);
  const packedSize = compress();
  const message = {
    key: crypto.getRandomValues(new Uint8Array(32)),
    iv: crypto.getRandomValues(new Uint8Array(16)),
    tag: new Uint8Array(16),
  };
  const blobs = new BlobCodec(codecs);
  const digest = blobs.digest(plain, 0, DATA_SIZE);
  const encoded = blobs.encodeBytes(plain.bytes, { compress: true });
  const source = codecs.allocate(encoded.length);
  source.bytes.set(encoded);
  const speed = (name: keyof typeof TOP, work: () => void) => ({
    speed: bytesPerSecond(work, timeMs),
    top: TOP[name],
  });
  return {
    sha256: speed("sha256", () => codecs.sha256(plain, 0, DATA_SIZE)),
    compress: speed("compress", compress),
    decompress: speed("decompress", () => {
      if (codecs.zstd(packed, 0, packedSize, target, 0, DATA_SIZE) === DATA_SIZE) return;
      throw new IntegrityError("What was compressed cannot be decompressed");
    }),
    aes256_gcm: speed("aes256_gcm", () => {
      codecs.aead.seal(message, plain, 0, DATA_SIZE, target, 0);
    }),
    verify: speed("verify", () => {
      blobs.decodeInto(source, 0, encoded.length, target, 0, DATA_SIZE, { digest });
    }),
  };
}

function bytesPerSecond(work: () => void, timeMs: number): number {
  const beginMs = performance.now();
  for (let bytes = DATA_SIZE;; bytes += DATA_SIZE) {
    work();
    const passedMs = performance.now() - beginMs;
    if (passedMs >= timeMs) return bytes / passedMs * 1000;
  }
}

/**
 * Measures uploads to a server, which keeps nothing of them.
 *
 * @throws {AuthError | StateError | ProtocolError} when the server does not begin a backup
 */
export function measureUploads(
  link: NetworkLink,
  store: string,
  timeMs: number,
): { readonly upload: UploadSpeed; readonly tls: Speed } {
  const parameters = {
    store,
    "backup-type": "host",
    "backup-id": "benchmark",
    "backup-time": Math.floor(Date.now() / 1000),
    benchmark: true,
  };
  const { session } = link.ask({ what: "open-backup", parameters }) as { session: number };
  try {
    const upload = link.ask({ what: "speedtest", session, timeMs }, { payload: testData() });
    const { requests, seconds } = upload as { requests: number; seconds: number };
    const bytesPerSecond = requests * DATA_SIZE / seconds;
    return {
      upload: { requests, seconds, bytesPerSecond },
      tls: { speed: bytesPerSecond, top: TOP.tls },
    };
  } finally {
    link.ask({ what: "close", session });
  }
}
