import { deepEqual, equal, ok, throws } from "node:assert/strict";
import {
  describeChainChange,
  lockChain,
  readInstance,
  resolveChain,
} from "#src/pgprobackup/mod.ts";
import { CatalogWriter, makePage } from "./_catalog_writer.ts";

const START = 1795226505;
const READER = { pid: Deno.pid, uid: Deno.uid()!, gid: Deno.gid()! };

/** A catalog with a FULL backup and an increment. */
class LockPlace {
  readonly writer: CatalogWriter;

  constructor(readonly store: string) {
    this.writer = new CatalogWriter(store);
    const relation = (seed: number) => ({
      path: "base/5/16384",
      blockCount: 1,
      pages: new Map([[0, makePage(0, seed)]]),
    });
    this.writer.write({ startTime: START, entries: [relation(1)] });
    this.writer.write({ startTime: START + 1, parent: START, entries: [relation(2)] });
  }

  get chain() {
    const instance = readInstance(this.store, "main");
    return resolveChain(instance, instance.backups.at(-1)!.id, false);
  }

  get directories(): string[] {
    return [START, START + 1].map((time) => this.writer.directory(time));
  }

  /** Names in both backup directories that begin with `backup`, with what the lock files say. */
  get locks(): Record<string, string>[] {
    return this.directories.map((directory) =>
      Object.fromEntries(
        [...Deno.readDirSync(directory)].map(({ name }) => name)
          .filter((name) => /\.pid/.test(name)).sort()
          .map((name) => [name, Deno.readTextFileSync(`${directory}/${name}`)]),
      )
    );
  }
}

function withPlace(run: (place: LockPlace) => void): void {
  const store = Deno.makeTempDirSync({ prefix: "pbkfs-lock-" });
  try {
    run(new LockPlace(store));
  } finally {
    Deno.removeSync(store, { recursive: true });
  }
}

Deno.test("lockChain() enters the reader into all backups, and leaves nothing behind", () =>
  withPlace((place) => {
    const lock = lockChain(place.chain, READER);
    const mine = { "backup_ro.pid": `${Deno.pid}\n` };
    deepEqual(place.locks, [mine, mine]);
    equal(Deno.statSync(`${place.directories[0]}/backup_ro.pid`).mode! & 0o777, 0o600);
    lock.release();
    deepEqual(place.locks, [{}, {}]);
  }));

Deno.test("lockChain() keeps live readers and drops dead ones", () =>
  withPlace((place) => {
    const path = `${place.directories[1]}/backup_ro.pid`;
    const live = new Deno.Command("sleep", { args: ["60"] }).spawn();
    try {
      Deno.writeTextFileSync(path, `${live.pid}\nnonsense\n${2 ** 31 - 2}\n`);
      const lock = lockChain(place.chain, READER);
      equal(Deno.readTextFileSync(path), `${live.pid}\n${Deno.pid}\n`);
      const again = lockChain(place.chain, READER);
      equal(Deno.readTextFileSync(path), `${live.pid}\n${Deno.pid}\n`, "nobody is in it twice");
      lock.release();
      equal(Deno.readTextFileSync(path), `${live.pid}\n`);
      again.release();
    } finally {
      live.kill("SIGKILL");
    }
  }));

Deno.test("lockChain() refuses a backup that a live process changes, and locks none", () =>
  withPlace((place) => {
    const changer = new Deno.Command("sleep", { args: ["60"] }).spawn();
    try {
      Deno.writeTextFileSync(`${place.directories[0]}/backup.pid`, `${changer.pid}\n`);
      throws(() => lockChain(place.chain, READER), (error: Error & { code?: string }) => {
        equal(error.code, "locked");
        ok(error.message.includes(`is being changed by process ${changer.pid}`), error.message);
        return true;
      });
      deepEqual(place.locks, [{ "backup.pid": `${changer.pid}\n` }, {}]);
    } finally {
      changer.kill("SIGKILL");
    }
  }));

Deno.test("lockChain() takes over from processes that were killed", () =>
  withPlace((place) => {
    const dead = `${2 ** 31 - 2}\n`;
    Deno.writeTextFileSync(`${place.directories[0]}/backup.pid`, dead);
    Deno.writeTextFileSync(`${place.directories[1]}/backup_ro.pid`, dead);
    Deno.writeTextFileSync(`${place.directories[1]}/backup_ro.pidtmp`, dead);
    const lock = lockChain(place.chain, READER);
    const mine = { "backup_ro.pid": `${Deno.pid}\n` };
    deepEqual(place.locks, [mine, mine]);
    lock.release();
    deepEqual(place.locks, [{}, {}]);
  }));

Deno.test("A chain lock is released beside a process that waits for its readers", () =>
  withPlace((place) => {
    const lock = lockChain(place.chain, READER);
    const waiting = new Deno.Command("sleep", { args: ["60"] }).spawn();
    try {
      Deno.writeTextFileSync(`${place.directories[0]}/backup.pid`, `${waiting.pid}\n`);
      lock.release();
      deepEqual(place.locks, [{ "backup.pid": `${waiting.pid}\n` }, {}]);
    } finally {
      waiting.kill("SIGKILL");
    }
  }));

Deno.test("lockChain() does not follow links out of the catalog", () =>
  withPlace((place) => {
    const victim = `${place.store}/victim`;
    Deno.writeTextFileSync(victim, "precious");
    for (const name of ["backup_ro.pid", "backup_ro.pidtmp"]) {
      Deno.symlinkSync(victim, `${place.directories[1]}/${name}`);
    }
    throws(() => lockChain(place.chain, READER), { name: "OsError" });
    Deno.removeSync(`${place.directories[1]}/backup_ro.pid`);
    lockChain(place.chain, READER).release();
    equal(Deno.readTextFileSync(victim), "precious");
  }));

Deno.test("describeChainChange() says what pg_probackup did to a chain", () =>
  withPlace((place) => {
    const { chain } = place;
    equal(describeChainChange(chain), undefined);
    equal(describeChainChange(chain, 'Cannot read "/elsewhere/file": EIO'), undefined);
    const failure = `Cannot open stored file: ENOENT ("${place.directories[0]}/database/base/5/1")`;
    ok(/a file of backup TOTXMX .* merge, delete or/.test(describeChainChange(chain, failure)!));
    const path = `${place.directories[0]}/backup.control`;
    const text = Deno.readTextFileSync(path);
    const changes: [string, RegExp][] = [
      [text.replace("status = OK", "status = MERGING"), /status MERGING now: pg_probackup merge/],
      [text.replace("status = OK", "status = DELETING"), /status DELETING now/],
      [`${text}merge-time = '2026-11-25 10:00:00+00'\n`, /was changed by pg_probackup merge/],
      [text.replace(/content-crc = \d/, "content-crc = 9"), /another file list/],
      ["", /cannot be read any more/],
    ];
    for (const [changed, says] of changes) {
      Deno.writeTextFileSync(path, changed);
      ok(says.test(describeChainChange(chain)!), describeChainChange(chain));
    }
    Deno.removeSync(place.directories[0]!, { recursive: true });
    ok(/is gone: .* delete or retention/.test(describeChainChange(chain)!));
  }));
