import assert from "node:assert/strict";
import { IntegrityError, StateError } from "#src/errors.ts";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { DynamicIndex } from "#src/pbs/format/dynamic_index.ts";
import { verifyStateOf } from "#src/pbs/format/manifest.ts";
import {
  formatSnapshot,
  parseNamespace,
  parseSnapshot,
  type SnapshotId,
} from "#src/pbs/format/snapshot_path.ts";
import { parseUpid } from "#src/pbs/format/upid.ts";
import { type VerifyFault, type VerifyOptions, verifyStore } from "#src/pbs/verify/verify_store.ts";
import { BLOCK_SIZE, blockOf, groupOf, makeStore, openStore } from "#tests/support/pbs_activity.ts";
import {
  expectedDatastore,
  goldenDatastore,
  goldenKey,
  HAS_ALL_CHUNKS,
} from "#tests/support/pbs_fixtures.ts";
import { Random } from "#tests/support/property_random.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { FATES, HangingThread } from "../_hanging_thread.ts";

const DAY = 86_400;
const ALL_KEYS = ["keys/key-none.json", "keys/key-scrypt.json", "keys/key-pbkdf2.json"];
const WORKERS = { count: 2, startBytes: 1 };

/** A copy of the golden store that may be changed. */
class GoldenCopy implements Disposable {
  readonly #home = new TempDirectory("verify");
  readonly path = this.#home.join("store");
  readonly store: Datastore;

  constructor() {
    const { code } = new Deno.Command("cp", { args: ["-a", goldenDatastore(), this.path] })
      .outputSync();
    assert.equal(code, 0);
    this.store = openStore(this.path, 100);
  }

  snapshot(text: string, ns = ""): SnapshotId {
    return parseSnapshot(text, parseNamespace(ns));
  }

  chunkPath(digest: string): string {
    return `${this.path}/.chunks/${digest.slice(0, 4)}/${digest}`;
  }

  digests(index: string): string[] {
    const parsed = DynamicIndex.parse(Deno.readFileSync(`${this.path}/${index}`));
    return Array.from({ length: parsed.count }, (_, position) => parsed.digestOf(position));
  }

  verify(options: VerifyOptions = {}) {
    return verifyStore(this.store, { kind: "namespace" }, { ignoreVerified: false, ...options });
  }

  [Symbol.dispose](): void {
    this.store.close();
    this.#home[Symbol.dispose]();
  }
}

function flip(path: string, offset: number): void {
  const bytes = Deno.readFileSync(path);
  bytes[offset < 0 ? bytes.length + offset : offset]! ^= 1;
  Deno.writeFileSync(path, bytes);
}

function names(path: string): string[] {
  return [...Deno.readDirSync(path)].map(({ name }) => name).sort();
}

if (HAS_ALL_CHUNKS) {
  Deno.test("verifyStore finds nothing wrong with the golden store, with and without keys and threads", () => {
    using copy = new GoldenCopy();
    const crypts = ALL_KEYS.map((name) => goldenKey(name)!);
    for (const options of [{}, { crypts }, { crypts, threads: WORKERS }, { threads: WORKERS }]) {
      const faults: VerifyFault[] = [];
      const report = copy.verify({ ...options, onFault: (fault) => faults.push(fault) });
      assert.deepEqual(faults, []);
      assert.ok(report.isClean);
      assert.equal(report.badChunkCount, 0);
      assert.equal(report.chunkCount, names(copy.path + "/.chunks").length);
      assert.ok(report.plainBytes > report.storedBytes);
      assert.deepEqual(
        report.snapshots.map(({ snapshot, result }) => [
          snapshot.group.ns,
          formatSnapshot(snapshot),
          result,
        ]),
        expectedOrder().map((place) => [...place, "ok"]),
      );
      for (const { snapshot } of report.snapshots) {
        const state = verifyStateOf(copy.store.manifest(snapshot));
        assert.equal(state?.state, "ok");
        const upid = parseUpid(state!.upid);
        assert.equal(upid.type, "verificationjob");
        assert.ok(Math.abs(upid.startTime - Date.now() / 1000) < 100);
      }
    }
  });

  Deno.test("verifyStore checks signatures and digests of encrypted chunks where it has the key", () => {
    using copy = new GoldenCopy();
    const crypt = goldenKey("keys/key-scrypt.json")!;
    const snapshot = copy.snapshot("host/enc/2024-01-10T10:00:00Z");
    const index = "host/enc/2024-01-10T10:00:00Z/root.pxar.didx";
    const [digest] = copy.digests(index) as [string];
    // Bytes 12 to 43 are the IV and the tag, which no CRC covers.
    flip(copy.chunkPath(digest), 30);
    const scope = { kind: "snapshot", snapshot } as const;
    assert.ok(verifyStore(copy.store, scope).isClean);
    const warnings: string[] = [];
    const onWarning = (message: string) => warnings.push(message);
    const crypts = [goldenKey("keys/key-none.json")!];
    assert.ok(verifyStore(copy.store, scope, { crypts, onWarning }).isClean);
    assert.match(warnings[0]!, /^The given key is that of none/);
    const report = verifyStore(copy.store, scope, {
      crypts: [crypt],
      threads: WORKERS,
      onWarning,
    });
    assert.equal(warnings.length, 1);
    assert.deepEqual(report.snapshots[0]!.faults.map(({ file }) => file), ["root.pxar.didx"]);
    assert.ok(report.snapshots[0]!.faults[0]!.renamedTo !== undefined);
    const signed = copy.snapshot("host/sign/2024-01-10T10:00:00Z");
    copy.store.changeManifest(signed, (manifest) => ({
      ...manifest,
      files: manifest.files.map((file) => ({ ...file, extra: { more: 1 } })),
    }));
    const signKey = goldenKey("keys/key-pbkdf2.json")!;
    const signScope = { kind: "snapshot", snapshot: signed } as const;
    assert.ok(verifyStore(copy.store, signScope, { crypts: [crypt] }).isClean);
    const bad = verifyStore(copy.store, signScope, { crypts: [crypt, signKey] });
    const [fault] = bad.snapshots[0]!.faults;
    assert.ok(fault!.error instanceof IntegrityError && fault!.error.code === "signature");
    copy.store.changeManifest(signed, (manifest) => ({
      ...manifest,
      signature: undefined,
      unprotected: {},
    }));
    assert.equal(verifyStore(copy.store, signScope, { crypts: [signKey] }).isClean, false);
  });

  Deno.test("verifyStore finds every kind of damage of files", () => {
    const path = "vm/100/2024-01-10T10:00:00Z";
    const cases: [string, (copy: GoldenCopy) => void, string][] = [
      ["a flipped bit of a blob", (copy) => {
        flip(`${copy.path}/${path}/qemu-server.conf.blob`, -1);
      }, "qemu-server.conf.blob"],
      ["a short blob", (copy) => {
        Deno.truncateSync(`${copy.path}/${path}/qemu-server.conf.blob`, 10);
      }, "qemu-server.conf.blob"],
      ["a missing blob", (copy) => {
        Deno.removeSync(`${copy.path}/${path}/qemu-server.conf.blob`);
      }, "qemu-server.conf.blob"],
      ["a blob that is a link", (copy) => {
        Deno.removeSync(`${copy.path}/${path}/qemu-server.conf.blob`);
        Deno.symlinkSync("/etc/passwd", `${copy.path}/${path}/qemu-server.conf.blob`);
      }, "qemu-server.conf.blob"],
      ["a flipped bit of an index", (copy) => {
        flip(`${copy.path}/${path}/drive-scsi0.img.fidx`, 4097);
      }, "drive-scsi0.img.fidx"],
      ["a missing index", (copy) => {
        Deno.removeSync(`${copy.path}/${path}/drive-scsi0.img.fidx`);
      }, "drive-scsi0.img.fidx"],
      ["an index that is a FIFO", (copy) => {
        Deno.removeSync(`${copy.path}/${path}/drive-scsi0.img.fidx`);
        new Deno.Command("mkfifo", { args: [`${copy.path}/${path}/drive-scsi0.img.fidx`] })
          .outputSync();
      }, "drive-scsi0.img.fidx"],
      ["the index of another snapshot", (copy) => {
        Deno.copyFileSync(
          `${copy.path}/vm/100/2024-01-11T10:00:00Z/drive-scsi0.img.fidx`,
          `${copy.path}/${path}/drive-scsi0.img.fidx`,
        );
      }, "drive-scsi0.img.fidx"],
      ["chunks that are encrypted", (copy) => {
        const [encrypted] = copy.digests("host/enc/2024-01-10T10:00:00Z/catalog.pcat1.didx");
        const bytes = Deno.readFileSync(`${copy.path}/${path}/drive-scsi0.img.fidx`);
        const digest = bytes.subarray(4096, 4128).toHex();
        Deno.copyFileSync(copy.chunkPath(encrypted!), copy.chunkPath(digest));
      }, "drive-scsi0.img.fidx"],
    ];
    using copy = new GoldenCopy();
    const snapshot = copy.snapshot(path);
    const backup = `${copy.path}.backup`;
    new Deno.Command("cp", { args: ["-a", `${copy.path}/${path}`, backup] }).outputSync();
    const chunks = `${copy.path}.chunks`;
    new Deno.Command("cp", { args: ["-al", `${copy.path}/.chunks`, chunks] }).outputSync();
    for (const [what, damage, file] of cases) {
      damage(copy);
      const report = verifyStore(copy.store, { kind: "snapshot", snapshot });
      assert.equal(report.isClean, false, what);
      const faults = report.snapshots[0]!.faults;
      assert.deepEqual([...new Set(faults.map((fault) => fault.file))], [file], what);
      assert.deepEqual(faults.filter(({ renamedTo }) => renamedTo !== undefined), [], what);
      Deno.removeSync(`${copy.path}/${path}`, { recursive: true });
      new Deno.Command("cp", { args: ["-a", backup, `${copy.path}/${path}`] }).outputSync();
    }
  });

  Deno.test("verifyStore fails a snapshot whose manifest is damaged, and saves nothing", () => {
    using copy = new GoldenCopy();
    const path = `${copy.path}/ct/200/2024-01-10T10:00:00Z/index.json.blob`;
    flip(path, -1);
    const before = Deno.readFileSync(path);
    const report = copy.verify();
    assert.equal(report.isClean, false);
    const failed = report.snapshots.filter(({ result }) => result === "failed");
    assert.deepEqual(failed.map(({ snapshot }) => snapshot.group.id), ["200"]);
    assert.deepEqual(Deno.readFileSync(path), before);
  });

  Deno.test("verifyStore changes nothing in a store that is open for reading", () => {
    using copy = new GoldenCopy();
    const [digest] = copy.digests("host/alpha/2024-01-10T10:00:00Z/root.pxar.didx");
    flip(copy.chunkPath(digest!), 3000);
    const store = Datastore.open(copy.path);
    const snapshot = copy.snapshot("host/alpha/2024-01-10T10:00:00Z");
    const report = verifyStore(store, { kind: "snapshot", snapshot });
    assert.equal(report.isClean, false);
    assert.equal(report.snapshots[0]!.faults[0]!.renamedTo, undefined);
    assert.equal(verifyStateOf(store.manifest(snapshot)), undefined);
    assert.deepEqual(names(copy.chunkPath(digest!).slice(0, -65)), [digest]);
    store.close();
  });
}

function expectedOrder(): [string, string][] {
  const time = (text: string) => text.slice(text.lastIndexOf("/") + 1);
  const group = (text: string) => text.slice(0, text.lastIndexOf("/"));
  return expectedDatastore().snapshots
    .map(({ ns, snapshot }): [string, string] => [ns, snapshot])
    .sort(([nsA, a], [nsB, b]) => {
      if (nsA !== nsB) return nsA < nsB ? -1 : 1;
      if (group(a) !== group(b)) return group(a) < group(b) ? -1 : 1;
      return time(a) > time(b) ? -1 : 1;
    });
}

/** A store with one snapshot of blocks. */
class SmallStore implements Disposable {
  readonly #home = new TempDirectory("verify");
  readonly path = this.#home.join("store");
  readonly store: Datastore;

  constructor() {
    makeStore(this.path);
    this.store = openStore(this.path);
  }

  backUp(blocks: readonly number[], time: number, id = "a", crypt?: CryptConfig): SnapshotId {
    const writer = this.store.startSnapshot({
      group: groupOf(id),
      time,
      crypt,
    });
    const image = writer.openFixed("disk.img.fidx", blocks.length * BLOCK_SIZE, BLOCK_SIZE);
    for (const block of blocks) image.write(blockOf(block));
    image.finish();
    writer.addBlob("a.conf.blob", new TextEncoder().encode("configuration"));
    writer.finish();
    return writer.id;
  }

  [Symbol.dispose](): void {
    this.store.close();
    this.#home[Symbol.dispose]();
  }
}

Deno.test("verifyStore passes over what has a result that is not too old", () => {
  using small = new SmallStore();
  const snapshot = small.backUp([1], 1_700_000_000);
  const results = (options: VerifyOptions) => {
    const [only] = verifyStore(small.store, { kind: "namespace" }, options).snapshots;
    return only!.reason ?? only!.result;
  };
  assert.equal(results({ now: () => 1_700_000_000 }), "ok");
  assert.equal(results({}), "verified");
  const at = (seconds: number) => ({
    outdatedAfterDays: 2,
    now: () => 1_700_000_000 + seconds,
  });
  assert.equal(results(at(3 * DAY - 1)), "verified");
  assert.equal(results(at(3 * DAY)), "ok");
  assert.equal(results(at(3 * DAY)), "verified");
  // By a clock that was years ahead.
  assert.equal(results(at(-1000 * DAY)), "ok");
  assert.equal(results({ ignoreVerified: false }), "ok");
  const [asked] = verifyStore(small.store, { kind: "snapshot", snapshot }).snapshots;
  assert.equal(asked!.result, "ok");
  small.store.changeManifest(snapshot, (manifest) => ({
    ...manifest,
    unprotected: { ...manifest.unprotected, verify_state: { state: "ok", upid: "UPID:nonsense" } },
  }));
  assert.equal(results({}), "ok");
});

Deno.test("verifyStore passes over what is unfinished, locked or a benchmark", () => {
  using small = new SmallStore();
  const locked = small.backUp([1], 1_700_000_000);
  small.backUp([2], 1_700_000_000, "b");
  small.backUp([3], 1_700_000_000, "benchmark");
  const running = small.store.startSnapshot({ group: groupOf("c"), time: 1_700_000_000 });
  const lock = small.store.locks!.lockSnapshot(locked, "exclusive");
  const warnings: string[] = [];
  const { snapshots } = verifyStore(small.store, { kind: "namespace" }, {
    onWarning: (message) => warnings.push(message),
  });
  assert.deepEqual(
    snapshots.map(({ snapshot, result, reason }) => [snapshot.group.id, result, reason]),
    [["a", "skipped", "locked"], ["b", "ok", undefined], ["c", "skipped", "locked"]],
  );
  assert.deepEqual(warnings.map((message) => /^host\/\w/.exec(message)?.[0]), ["host/a", "host/c"]);
  lock.release();
  running.abort();
  Deno.mkdirSync(`${small.path}/host/d/2024-01-01T00:00:00Z`, { recursive: true });
  const [unfinished] = verifyStore(small.store, { kind: "group", group: groupOf("d") }).snapshots;
  assert.equal(unfinished!.reason, "unfinished");
  assert.throws(
    () => verifyStore(small.store, { kind: "group", group: groupOf("nobody") }),
    (error) => error instanceof StateError && error.code === "not-found",
  );
});

Deno.test("verifyStore overwrites the last name when a chunk was corrupt ten times", () => {
  using small = new SmallStore();
  const snapshot = small.backUp([1], 1_700_000_000);
  const index = Deno.readFileSync(
    `${small.path}/host/a/2023-11-14T22:13:20Z/disk.img.fidx`,
  );
  const digest = index.subarray(4096, 4128).toHex();
  const chunk = `${small.path}/.chunks/${digest.slice(0, 4)}/${digest}`;
  const good = Deno.readFileSync(chunk);
  for (let round = 0; round < 12; round++) {
    Deno.writeTextFileSync(chunk, `round ${round}`);
    const { snapshots: [report] } = verifyStore(small.store, { kind: "snapshot", snapshot });
    assert.equal(report!.faults[0]!.renamedTo, `${chunk}.${Math.min(round, 9)}.bad`);
  }
  assert.equal(Deno.readTextFileSync(`${chunk}.9.bad`), "round 11");
  assert.equal(Deno.readTextFileSync(`${chunk}.8.bad`), "round 8");
  // The next backup heals.
  small.backUp([1], 1_700_000_001);
  assert.deepEqual(Deno.readFileSync(chunk), good);
  assert.ok(verifyStore(small.store, { kind: "snapshot", snapshot }).isClean);
});

Deno.test("verifyStore gives the same result with threads, for many chunks", () => {
  using small = new SmallStore();
  const crypt = new CryptConfig(new Uint8Array(32).fill(7));
  const blocks = Array.from({ length: 3000 }, (_, number) => number % 2900);
  const plain = small.backUp(blocks, 1_700_000_000);
  const encrypted = small.backUp(blocks.slice(0, 500), 1_700_000_000, "e", crypt);
  const damaged = new Set<string>();
  for (const directory of Deno.readDirSync(`${small.path}/.chunks`)) {
    for (const { name } of Deno.readDirSync(`${small.path}/.chunks/${directory.name}`)) {
      if (name.endsWith("5") && name.charCodeAt(62) < 0x34) {
        flip(`${small.path}/.chunks/${directory.name}/${name}`, -1);
        damaged.add(name);
      }
    }
  }
  assert.ok(damaged.size > 10);
  const readOnly = Datastore.open(small.path);
  const results = [undefined, WORKERS].map((threads) => {
    let last = 0;
    const report = verifyStore(readOnly, { kind: "namespace" }, {
      crypts: [crypt],
      threads,
      onProgress: ({ chunksDone, chunksTotal, file }) => {
        assert.ok(chunksDone <= chunksTotal);
        if (file === "disk.img.fidx") last = chunksDone;
      },
    });
    assert.equal(last, 500);
    return report;
  });
  const [alone, helped] = results as [typeof results[0], typeof results[0]];
  const key = ({ message }: VerifyFault) => message;
  for (const report of [alone, helped]) {
    assert.deepEqual(report.snapshots.map(({ snapshot }) => snapshot), [plain, encrypted]);
    assert.equal(report.badChunkCount, damaged.size);
    assert.equal(report.chunkCount, 2900 + 500 - damaged.size);
  }
  for (const [index, { faults }] of alone.snapshots.entries()) {
    assert.deepEqual(helped.snapshots[index]!.faults.map(key).sort(), faults.map(key).sort());
  }
  readOnly.close();
});

for (const fate of FATES) {
  Deno.test(`verifyStore checks by itself what a thread has in hand that ${fate}`, () => {
    using small = new SmallStore();
    small.backUp(Array.from({ length: 300 }, (_, number) => number), 1_700_000_000);
    small.backUp(Array.from({ length: 50 }, (_, number) => 1000 + number), 1_700_000_000, "b");
    const thread = new HangingThread(small.path, fate);
    const report = verifyStore(small.store, { kind: "namespace" }, {
      threads: { count: 1, startBytes: 1, spawn: thread.spawn, timeoutMs: 50 },
      onProgress: () => {
        thread.waitForJob();
      },
    });
    assert.ok(report.isClean);
    assert.equal(report.chunkCount, 350);
  });
}

Deno.test("verifyStore stops when it is told to while it waits for a thread", () => {
  using small = new SmallStore();
  small.backUp(Array.from({ length: 30 }, (_, number) => number), 1_700_000_000);
  const thread = new HangingThread(small.path, "hangs");
  const stop = new DOMException("stop", "AbortError");
  let askedAfterAll = 0;
  let isAllButOneDone = false;
  assert.throws(() =>
    verifyStore(small.store, { kind: "namespace" }, {
      threads: { count: 1, startBytes: 1, spawn: thread.spawn, timeoutMs: 1000 },
      signal: {
        throwIfAborted() {
          // Nobody but the wait asks any more, which would go on for a second.
          if (isAllButOneDone && ++askedAfterAll > 1) throw stop;
        },
      } as AbortSignal,
      onProgress: ({ chunksDone, chunksTotal }) => {
        thread.waitForJob();
        isAllButOneDone ||= chunksDone === chunksTotal - 1;
      },
    }), stop);
});

Deno.test("verifyStore stops when it is told to", () => {
  using small = new SmallStore();
  small.backUp(Array.from({ length: 300 }, (_, number) => number), 1_700_000_000);
  const controller = new AbortController();
  assert.throws(() =>
    verifyStore(small.store, { kind: "namespace" }, {
      threads: WORKERS,
      signal: controller.signal,
      onProgress: ({ chunksDone }) => chunksDone > 20 && controller.abort(),
    }), { name: "AbortError" });
});

/** What `verify-damaged.txt` of the golden data tells of. */
Deno.test("verifyStore finds the same damage as a server, and gives corrupt chunks the same names", () => {
  for (const threads of [undefined, WORKERS]) {
    using small = new SmallStore();
    const blocks = Array.from({ length: 40 }, (_, number) => number);
    const older = small.backUp(blocks, 1_704_880_800);
    const newer = small.backUp(blocks, 1_704_880_900);
    const index = Deno.readFileSync(`${small.path}/host/a/2024-01-10T10:00:00Z/disk.img.fidx`);
    const digestOf = (block: number) =>
      index.subarray(4096 + 32 * block, 4128 + 32 * block).toHex();
    const pathOf = (block: number) =>
      `${small.path}/.chunks/${digestOf(block).slice(0, 4)}/${digestOf(block)}`;
    flip(pathOf(0), 20);
    Deno.writeFileSync(pathOf(1), new Uint8Array(0));
    Deno.writeFileSync(pathOf(2), new Uint8Array(0));
    Deno.removeSync(pathOf(3));
    Deno.copyFileSync(pathOf(11), pathOf(5));
    const faults: VerifyFault[] = [];
    const report = verifyStore(small.store, { kind: "namespace" }, {
      onFault: (fault) => faults.push(fault),
      threads,
    });
    assert.deepEqual(
      report.snapshots.map(({ snapshot, result, faultCount }) => [snapshot, result, faultCount]),
      [[newer, "failed", 5], [older, "failed", 5]],
    );
    assert.equal(report.badChunkCount, 5);
    assert.equal(report.chunkCount, 35);
    const first = faults.slice(0, 5);
    const of = (block: number) => first.find(({ message }) => message.includes(digestOf(block)))!;
    assert.equal(of(3).message, `Chunk ${digestOf(3)} is missing`);
    const codeOf = ({ error }: VerifyFault) => (error as { code: string }).code;
    assert.deepEqual([0, 1, 2, 3, 5].map((block) => codeOf(of(block))), [
      "crc",
      "corrupt",
      "corrupt",
      "not-found",
      "digest",
    ]);
    assert.deepEqual(
      [0, 1, 2, 3, 5].map((block) => of(block).renamedTo),
      [0, 1, 2, 3, 5].map((block) => block === 3 ? undefined : `${pathOf(block)}.0.bad`),
    );
    for (const { message, renamedTo } of faults.slice(5)) {
      assert.match(message, /before/);
      assert.equal(renamedTo, undefined);
    }
    for (const block of [0, 1, 2, 5]) {
      const kept = names(pathOf(block).slice(0, -65));
      assert.ok(kept.includes(`${digestOf(block)}.0.bad`) && !kept.includes(digestOf(block)));
    }
    for (const snapshot of [older, newer]) {
      assert.equal(verifyStateOf(small.store.manifest(snapshot))?.state, "failed");
    }
    // A failed snapshot is no base, so everything that is missing is stored anew.
    const writer = small.store.startSnapshot({ group: groupOf("a"), time: 1_704_881_000 });
    assert.equal(writer.previous, undefined);
    writer.abort();
    small.backUp(blocks, 1_704_881_000);
    const healed = verifyStore(small.store, { kind: "namespace" }, { ignoreVerified: false });
    assert.ok(healed.isClean);
  }
});

Deno.test("verifyStore finds a flipped bit anywhere", () => {
  using small = new SmallStore();
  const crypt = new CryptConfig(new Uint8Array(32).fill(7));
  small.backUp([1, 2, 3], 1_700_000_000);
  small.backUp([1, 2, 3], 1_700_000_000, "e", crypt);
  const files: string[] = [];
  const walk = (path: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(path)) {
      if (isDirectory) walk(`${path}/${name}`);
      else if (!["owner", ".lock"].includes(name)) files.push(`${path}/${name}`);
    }
  };
  walk(small.path);
  assert.equal(files.length, 6 + 2 * 3);
  const store = Datastore.open(small.path);
  const isClean = () =>
    verifyStore(store, { kind: "namespace" }, { ignoreVerified: false, crypts: [crypt] }).isClean;
  assert.ok(isClean());
  const random = new Random(11);
  for (const path of files.sort()) {
    const good = Deno.readFileSync(path);
    const isIndex = path.endsWith(".fidx");
    const offsets = Array.from({ length: 30 }, () => random.between(0, good.length - 1));
    for (const offset of [...offsets, 0, 8, 11, 12, 31, 32, 43, 44, good.length - 1]) {
      if (offset >= good.length) continue;
      const bad = good.slice();
      bad[offset]! ^= 1 << random.between(0, 7);
      Deno.writeFileSync(path, bad);
      // Nothing covers the uuid and the time of an index.
      const isCovered = !(isIndex && offset >= 8 && offset < 32);
      assert.equal(isClean(), !isCovered, `${path}, offset ${offset}`);
    }
    Deno.writeFileSync(path, good.slice(0, -1));
    assert.equal(isClean(), false);
    Deno.writeFileSync(path, good);
  }
  assert.ok(isClean());
  store.close();
});
