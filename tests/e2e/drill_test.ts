/** `pbkfs drill`: green on what is sound, red with the place on what is not. */

import assert from "node:assert/strict";
import { dirname } from "node:path";
import type { DrillReport } from "#src/usecases/drill/report.ts";
import { pageChecksum } from "#src/pgprobackup/format/page_checksum.ts";
import {
  copyCatalog,
  fixtureBackupIds,
  pgprobackupFixture,
  pgprobackupFixtureNames,
} from "#tests/support/pgprobackup_fixtures.ts";
import { serverBinaries } from "#tests/support/postgres_binaries.ts";
import { RunningCommand } from "#tests/support/process.ts";
import { SmallDisk } from "#tests/support/small_disk.ts";
import { drill, findingsOf, outcomes } from "./_drill.ts";
import { lastBackupOf, RUN_TIMEOUT_MS, RunPlace } from "./_run_place.ts";

/** Of fixture `a`: its backups, and the file of pgbench_accounts, which each of them has. */
const [FULL, , PAGE, LAST] = ["TOTXMX", "TOTXO5", "TOTXPE", "TOTXQL"];
const ACCOUNTS = "base/5/16396";
/** The file of pgbench_accounts_pkey. */
const ACCOUNTS_KEY = "base/5/16404";
/** A stored page has its number and size before it. */
const STORED_PAGE_SIZE = 8200;
const PAGE_HEADER_SIZE = 8;

/** Their tables are as large as their names say: amcheck would read them twice. */
const LARGE = /^(?:bench|i)-/;

for (const name of pgprobackupFixtureNames()) {
  Deno.test(`a drill of ${name} is green`, async () => {
    using place = new RunPlace();
    const programs = name.startsWith("j-") ? ["--pg-bin", await serverBinaries(17)] : [];
    const options = LARGE.test(name) ? ["--no-amcheck"] : [];
    const report = await drill(place, (await lastBackupOf(name))!, ...programs, ...options);
    const amcheck = LARGE.test(name) ? "skipped" : "passed";
    const sound = { mount: "passed", start: "passed", amcheck, pages: "passed" };
    assert.deepEqual(outcomes(report), sound, JSON.stringify(report));
    assert.match(report.serverVersion!, name.startsWith("j-") ? /^17/ : /^15/);
    const [checked, read] = report.checks.slice(2).map(({ counts }) => counts);
    if (amcheck === "passed") {
      assert.ok(checked!["tables"]! > 100 && checked!["indexes"]! > 150, JSON.stringify(checked));
    }
    assert.ok(read!["pages"]! > 1000);
  });
}

interface Damage {
  readonly name: string;
  readonly source?: string;
  make(backups: string): void;
  check(report: DrillReport): void;
}

const DAMAGES: readonly Damage[] = [
  {
    name: "a changed byte of a page",
    make: (backups) => overwrite(accountsOf(backups), STORED_PAGE_SIZE * 3 + 8 + 4000, "ZZZZ"),
    check(report) {
      assert.deepEqual(outcomes(report), { ...RED, start: "passed" });
      assert.match(findingsOf(report, "mount")[0]!.message, /block 3.*base\/5\/16396.*TOTXMX/);
      const [page, ...others] = findingsOf(report, "pages");
      assert.deepEqual(others, []);
      const place = { database: "postgres", relation: "public.pgbench_accounts" };
      assert.deepEqual({ ...page, message: "" }, {
        ...place,
        file: ACCOUNTS,
        block: 3,
        message: "",
      });
      const relations = findingsOf(report, "amcheck").map(({ relation }) => relation);
      assert.ok(relations.includes("public.pgbench_accounts"), relations.join());
    },
  },
  {
    name: "a file that was cut",
    make: (backups) => Deno.truncateSync(accountsOf(backups), 13_443_000),
    check(report) {
      assert.deepEqual(outcomes(report), { ...RED, start: "passed" });
      assert.match(findingsOf(report, "mount")[0]!.message, /base\/5\/16396.*offset 13443000/);
      assert.equal(findingsOf(report, "pages")[0]!.file, ACCOUNTS);
    },
  },
  {
    name: "a file that is gone",
    make: (backups) => Deno.removeSync(accountsOf(backups)),
    check(report) {
      assert.deepEqual(outcomes(report), { ...RED, start: "passed" });
      assert.equal(findingsOf(report, "pages")[0]!.relation, "public.pgbench_accounts");
    },
  },
  {
    name: "a missing increment",
    make: (backups) => Deno.removeSync(`${backups}/${PAGE}`, { recursive: true }),
    check(report) {
      assert.deepEqual(outcomes(report), { mount: "failed" });
      assert.match(
        findingsOf(report, "mount")[0]!.message,
        /TOTXPE, the parent of TOTXQL, is missing/,
      );
    },
  },
  {
    name: "a missing increment of the latest backup, where an older one is whole",
    source: "latest",
    make: (backups) => Deno.removeSync(`${backups}/${PAGE}`, { recursive: true }),
    check(report) {
      assert.equal(report.outcome, "failed");
      assert.match(report.backup!, /#main\/TOTXO5$/);
      assert.match(findingsOf(report, "mount")[0]!.message, /later backup TOTXQL.*TOTXPE/);
    },
  },
  {
    name: "an index with a wrong page whose checksum is right",
    make: (backups) => swapIndexEntries(`${backups}/${LAST}/database/${ACCOUNTS_KEY}`),
    check(report) {
      const good = { mount: "passed", start: "passed", pages: "passed" };
      assert.deepEqual(outcomes(report), { ...good, amcheck: "failed" }, JSON.stringify(report));
      const [finding] = findingsOf(report, "amcheck");
      assert.equal(finding!.database, "postgres");
      assert.match(finding!.relation!, /_pkey$/);
      assert.match(finding!.message, /item order invariant violated/);
    },
  },
];

const RED = { mount: "failed", start: "passed", amcheck: "failed", pages: "failed" };

for (const { name, source = LAST!, make, check } of DAMAGES) {
  Deno.test(`a drill of a backup with ${name} is red, and says where`, async () => {
    const fixture = (await pgprobackupFixture("a-stream-none"))!;
    using place = new RunPlace();
    const catalog = place.home.join("catalog");
    copyCatalog(fixture.catalog, catalog);
    make(`${catalog}/backups/main`);
    check(await drill(place, `${catalog}#main/${source}`));
  });
}

function accountsOf(backups: string): string {
  return `${backups}/${FULL}/database/${ACCOUNTS}`;
}

function overwrite(path: string, offset: number, text: string): void {
  using file = Deno.openSync(path, { write: true });
  file.seekSync(offset, Deno.SeekMode.Start);
  file.writeSync(new TextEncoder().encode(text));
}

/** Exchanges two neighbours in a leaf of an index, whose checksum is made anew. */
function swapIndexEntries(path: string): void {
  const bytes = Deno.readFileSync(path);
  const view = new DataView(bytes.buffer);
  const isLeaf = (page: number) => view.getUint16(page + 8192 - 4, true) === 1;
  let stored = 0;
  while (!isLeaf(stored + PAGE_HEADER_SIZE)) stored += STORED_PAGE_SIZE;
  const block = view.getUint32(stored, true);
  const page = bytes.slice(stored + PAGE_HEADER_SIZE, stored + STORED_PAGE_SIZE);
  const words = new Int32Array(page.buffer);
  // Line pointers behind the header of 24 bytes.
  [words[12], words[13]] = [words[13]!, words[12]!];
  words[2]! &= ~0xffff;
  words[2]! |= pageChecksum(words, 0, block);
  bytes.set(page, stored + PAGE_HEADER_SIZE);
  Deno.writeFileSync(path, bytes);
}

Deno.test("a drill is red where the archive has a damaged file of WAL, or lacks one", async () => {
  const fixture = await pgprobackupFixture("e-archive-zlib");
  if (fixture === undefined) return;
  using place = new RunPlace();
  const catalog = place.home.join("catalog");
  copyCatalog(fixture.catalog, catalog);
  const archive = `${catalog}/wal/main`;
  const segments = [...Deno.readDirSync(archive)].map(({ name }) => name)
    .filter((name) => /^[0-9A-F]{24}\.gz$/u.test(name)).sort();
  const last = `${archive}/${segments.at(-1)}`;
  Deno.truncateSync(last, Deno.statSync(last).size - 100);
  // To the end of the first backup it is not needed.
  const source = `${catalog}#main/${fixtureBackupIds(fixture)[0]}`;
  const options = ["--no-amcheck", "--pages", "0"];
  assert.equal((await drill(place, source, ...options)).outcome, "passed");
  const report = await drill(place, source, "--recovery-target", "latest", ...options);
  assert.equal(outcomes(report)["start"], "failed");
  assert.ok(findingsOf(report, "start")[0]!.message.includes(last), JSON.stringify(report));
  Deno.removeSync(`${archive}/00000001000000000000001F.gz`);
  // As if pg_probackup changed the backup.
  const backup = `${catalog}/backups/main/${fixtureBackupIds(fixture)[0]}`;
  Deno.writeTextFileSync(`${backup}/backup.pid`, `${Deno.pid}\n`);
  const lacking = await drill(place, source, ...options, "--no-lock");
  assert.equal(outcomes(lacking)["start"], "failed");
  const [{ message }] = findingsOf(lacking, "start");
  assert.ok(message.includes(`00000000001F of the WAL is missing in "${archive}"`), message);
});

Deno.test("a drill runs assertions, dumps everything, and writes reports in all forms", async () => {
  using place = new RunPlace();
  const source = (await lastBackupOf("c-stream-pglz"))!;
  const file = place.home.join("checks.sql");
  Deno.writeTextFileSync(
    file,
    `select count(*) = 100000 from pgbench_accounts;
     select * from pgbench_accounts where abalance is null;
     set local search_path to public;
     \\connect template1
     select current_database() = 'template1';`.replaceAll(/^ +/gm, ""),
  );
  const good = await drill(place, source, "--dump", "--sql", file, "--pages", "20");
  assert.equal(good.outcome, "passed", JSON.stringify(good));
  assert.deepEqual(outcomes(good), {
    ...{ mount: "passed", start: "passed", amcheck: "passed" },
    ...{ sql: "passed", dump: "passed", pages: "passed" },
  });
  assert.ok(good.checks.find(({ name }) => name === "dump")!.counts["bytes"]! > 1_000_000);
  Deno.writeTextFileSync(
    file,
    "select true;\n\nselect aid, '<b>' from pgbench_accounts where aid < 3;\nselect no_such()",
  );
  const paths = ["text", "json", "junit", "prometheus", "html"].map((
    form,
  ) => [form, place.home.join(form)]);
  const reports = paths.flatMap(([form, path]) => ["--report", `${form}=${path}`]);
  const bad = await drill(place, source, "--no-amcheck", "--pages", "0", "--sql", file, ...reports);
  assert.deepEqual(outcomes(bad), {
    ...{ mount: "passed", start: "passed", amcheck: "skipped", sql: "failed", pages: "skipped" },
  });
  const [rows, missing] = findingsOf(bad, "sql");
  assert.deepEqual(
    [rows!.statement, missing!.statement, missing!.database],
    [`${file}:3`, `${file}:4`, "postgres"],
  );
  assert.match(rows!.message, /^not true: aid = 1, \?column\? = <b>, the first such of 2 rows/);
  const [text, json, junit, prometheus, html] = paths.map(([, path]) =>
    Deno.readTextFileSync(path!)
  );
  assert.match(text!, /^RED .*\n {2}ok {3}Mount/);
  assert.deepEqual(JSON.parse(json!), [bad]);
  assert.match(junit!, /<testsuite name="[^"]*" tests="5" failures="1" errors="0" skipped="2"/);
  assert.match(prometheus!, /^pbkfs_drill_success\{source="[^"]*"\} 0$/m);
  assert.doesNotMatch(prometheus!, /check_success\{[^}]*check="pages"/);
  assert.ok(html!.includes("= &lt;b&gt;") && !html!.includes("<b>"));
});

Deno.test("a drill is refused for what is wrong with the question", async () => {
  using place = new RunPlace();
  const source = (await lastBackupOf("a-stream-none"))!;
  const file = place.home.join("checks.sql");
  Deno.writeTextFileSync(file, "select 'a");
  const cases: [string[], RegExp, number][] = [
    [[source, "--report", "pdf=x"], /--report.*text, json, junit, prometheus, html/, 2],
    [[source, "--pages", "101"], /--pages/, 2],
    [[source, "--sql", file], /no end \(".*checks\.sql:1"\)/, 1],
    [[place.home.path], /./, 2],
  ];
  for (const [[name, ...words], message, code] of cases) {
    const result = await place.run("drill", name!, ...words);
    assert.match(result.stderr, message);
    assert.equal(result.code, code, result.stderr);
  }
  assert.deepEqual(place.remains(), []);
});

Deno.test("what a killed drill leaves, the next one removes", async () => {
  using place = new RunPlace();
  const source = (await lastBackupOf("a-stream-none"))!;
  for (let round = 0; round < 3; round++) {
    const running = new RunningCommand(place.command("drill", source, "--dump"));
    await new Promise((resolve) => setTimeout(resolve, 200 + Math.random() * 3000));
    killIfRunning(running.pid!);
    await running.wait(RUN_TIMEOUT_MS);
  }
  await drill(place, source, "--no-amcheck", "--pages", "0");
});

function killIfRunning(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

Deno.test({
  name: "a drill whose disk is full is red, and removes everything",
  ignore: Deno.uid() !== 0,
  async fn() {
    const source = (await lastBackupOf("a-stream-none"))!;
    for (const sizeMib of [2, 24]) {
      using place = new RunPlace();
      await using disk = await SmallDisk.create(sizeMib);
      // Servers run as another user.
      for (const path of [disk.path, dirname(disk.path)]) Deno.chmodSync(path, 0o755);
      const sql = place.home.join("fill.sql");
      Deno.writeTextFileSync(sql, "create table big as select generate_series(1, 2000000)");
      const options = ["--work-dir", disk.path, "--sql", sql];
      const { stdout, stderr, code } = await place.run("drill", source, ...options);
      assert.equal(code, 1, stdout);
      assert.match(stdout + stderr, /No space left on device|ENOSPC/);
      const left = [...Deno.readDirSync(disk.path)].map(({ name }) => name);
      assert.deepEqual(left.filter((name) => name !== "lost+found"), [], `${sizeMib} MiB`);
    }
  },
});
