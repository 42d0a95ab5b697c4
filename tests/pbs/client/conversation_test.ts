/**
 * What is asked in which order, as text. The files in tests/golden/protocol/client are recorded
 * conversations of the real client, but for the order in which it opens and ends two indexes, which
 * differs from run to run there, and for what it asks twice.
 */

import assert from "node:assert/strict";
import { backup, type BackupOptions, parseBackupSpec, restoreStream } from "#src/backup/mod.ts";
import { sha256Of } from "#src/codecs/hashing.ts";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import { type GroupId, ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import { Random } from "#tests/support/property_random.ts";
import { MemorySink } from "#tests/support/pxar_fixtures.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { FakeNetwork } from "./_fake_network.ts";

const GROUP: GroupId = { ns: ROOT_NAMESPACE, type: "host", id: "tr" };
const TIME = 1_704_880_800;
const CRYPT = new CryptConfig(new Uint8Array(32).fill(3));

function golden(name: string): string[] {
  const url = new URL(`../../golden/protocol/client/${name}.txt`, import.meta.url);
  return Deno.readTextFileSync(url).trimEnd().split("\n").filter((line) => !line.startsWith("#"));
}

/** Calls without what differs from backup to backup; those that are made again and again once. */
function plain(calls: readonly string[]): string[] {
  return calls.map((call) =>
    call.replace(/(digest|csum)=[0-9a-f]{64}/g, "$1=HEX")
      .replace(/(encoded-size|\bsize|chunk-count)=\d+/g, "$1=N")
  ).filter((call, index, all) => call !== all[index - 1]);
}

/** A directory, an image and a file. */
function withPlace(use: (place: TempDirectory, network: FakeNetwork) => void): void {
  using place = new TempDirectory("conversation");
  Deno.mkdirSync(place.join("tree"));
  Deno.writeFileSync(place.join("tree/a"), new Random(1).bytes(3_000_000));
  Deno.writeTextFileSync(place.join("a.conf"), "x=1\n");
  const part = new Random(2).bytes(4 << 20);
  Deno.writeFileSync(place.join("disk"), part);
  Deno.writeFileSync(place.join("disk"), new Uint8Array(4 << 20), { append: true });
  Deno.writeFileSync(place.join("disk"), part, { append: true });
  Deno.writeFileSync(place.join("disk"), part.subarray(0, 263_144), { append: true });
  using network = new FakeNetwork();
  use(place, network);
}

/** Backs up. @returns the conversation */
function converse(
  network: FakeNetwork,
  place: TempDirectory,
  specs: readonly string[],
  time: number,
  options: BackupOptions & { readonly crypt?: CryptConfig } = {},
): string[] {
  const { crypt, ...rest } = options;
  const store = network.open("write");
  const writer = store.startSnapshot({ group: GROUP, time, crypt });
  const parsed = specs.map((spec) => {
    const [name, path] = spec.split(":");
    return parseBackupSpec(`${name}:${place.join(path!)}`);
  });
  backup(writer, parsed, rest);
  return plain(network.calls());
}

const DIRECTORY = ["root.pxar:tree", "a.conf:a.conf"];
const IMAGE = ["d.img:disk"];

Deno.test("A backup asks a server what the real client asks: first, incremental, restore", () => {
  withPlace((place, network) => {
    assert.deepEqual(converse(network, place, DIRECTORY, TIME), golden("backup-first"));
    Deno.writeTextFileSync(place.join("tree/b"), "new");
    assert.deepEqual(
      converse(network, place, DIRECTORY, TIME + 100),
      golden("backup-incremental"),
    );
    const reader = network.open("read").openSnapshot({ group: GROUP, time: TIME });
    const source = reader.openArchive("root.pxar.didx");
    restoreStream(reader, "root.pxar", new MemorySink());
    assert.equal(source.size > 3_000_000, true);
    reader.close();
    const calls = new Set(plain(network.calls()));
    assert.deepEqual([...calls], golden("restore"));
  });
});

Deno.test("A backup of an image asks what the real client asks, and reuses its index", () => {
  withPlace((place, network) => {
    assert.deepEqual(converse(network, place, IMAGE, TIME), golden("backup-image"));
    const disk = Deno.readFileSync(place.join("disk"));
    disk[5 << 20] = 1;
    Deno.writeFileSync(place.join("disk"), disk);
    assert.deepEqual(converse(network, place, IMAGE, TIME + 100), golden("backup-image-reuse"));
    assert.deepEqual(converse(network, place, IMAGE, TIME + 200), golden("backup-image-same"));
    const reader = network.open("read").openSnapshot({ group: GROUP, time: TIME + 200 });
    const sink = new MemorySink();
    restoreStream(reader, "d.img", sink);
    assert.equal(sha256Of(sink.bytes()).toHex(), sha256Of(disk).toHex());
    reader.close();
  });
});

Deno.test("A backup in split archives asks what the real client asks, and reads the last one", () => {
  withPlace((place, network) => {
    const [directory] = DIRECTORY;
    const mode = "metadata" as const;
    assert.deepEqual(
      converse(network, place, [directory!], TIME, { mode }),
      golden("backup-split-first"),
    );
    Deno.writeTextFileSync(place.join("tree/b"), "new");
    assert.deepEqual(
      converse(network, place, [directory!], TIME + 100, { mode }),
      golden("backup-split-metadata"),
    );
  });
});

Deno.test("An encrypted backup asks the same, and takes no base of another key", () => {
  withPlace((place, network) => {
    const options = { crypt: CRYPT };
    assert.deepEqual(converse(network, place, DIRECTORY, TIME, options), golden("backup-first"));
    Deno.writeTextFileSync(place.join("tree/b"), "new");
    assert.deepEqual(
      converse(network, place, DIRECTORY, TIME + 100, options),
      golden("backup-incremental"),
    );
    const other = { crypt: new CryptConfig(new Uint8Array(32).fill(4)) };
    const [time, manifest, ...rest] = converse(network, place, DIRECTORY, TIME + 200, other);
    assert.deepEqual([time, manifest], golden("backup-incremental").slice(0, 2));
    assert.deepEqual([time, ...rest], golden("backup-first"));
  });
});
