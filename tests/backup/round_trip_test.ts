/**
 * A tree with everything in it, backed up to a datastore and restored: every mode of change
 * detection with every crypt mode.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  backup,
  type ChangeDetectionMode,
  parseBackupSpec,
  restoreArchive,
  restoreStream,
} from "#src/backup/mod.ts";
import { parseKeyFile } from "#src/pbs/format/key_file.ts";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { CRYPT_MODES } from "#src/pbs/format/crypt.ts";
import { ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import { DescriptorTarget } from "#src/pxar/mod.ts";
import { bash, describeTree, makeEverythingTree } from "#tests/support/everything_tree.ts";
import { CHECK_DATASTORE, CHECKER_PYTHON, PBS_KEYS } from "#tests/support/pbs_fixtures.ts";
import { runCommand } from "#tests/support/process.ts";
import { MemorySink } from "#tests/support/pxar_fixtures.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const SMALL_FILES = 300;
const SPARSE_SIZE = 64 << 20;
const TIMEOUT_MS = 300_000;
const KEY_FILE = `${PBS_KEYS}/key-none.json`;
const MODES: readonly ChangeDetectionMode[] = ["legacy", "data", "metadata"];

Deno.test("backup() and restoreArchive() give back a tree with everything in it", async (t) => {
  using place = new TempDirectory("backup-round-trip");
  const tree = place.join("tree");
  Deno.mkdirSync(tree);
  await makeEverythingTree(tree, SMALL_FILES, SPARSE_SIZE);
  const expected = (await describeTree(tree)).split("\n");
  // As a server's, but for the directories that stay empty.
  Deno.mkdirSync(place.join("store/.chunks"), { recursive: true });
  const store = Datastore.open(place.join("store"), { access: "write" });
  const key = CryptConfig.fromKeyFile(parseKeyFile(Deno.readTextFileSync(KEY_FILE)));
  const specs = [`root.pxar:${tree}`, `sparse.img:${tree}/sparse`, `some.conf:${tree}/plain`];
  let time = 1_700_000_000;

  for (const cryptMode of CRYPT_MODES) {
    for (const mode of MODES) {
      await t.step(`${cryptMode}, ${mode}`, async () => {
        const group = { ns: ROOT_NAMESPACE, type: "host", id: cryptMode } as const;
        const crypt = cryptMode === "none" ? {} : { crypt: key };
        // The third snapshot of a group is made against the second one.
        const writer = store.startSnapshot({
          group,
          time: time++,
          cryptMode,
          workers: { count: 1 },
          ...crypt,
        });
        const { id } = writer;
        const report = backup(writer, specs.map(parseBackupSpec), { mode, chunkSize: 256 << 10 });
        assert.equal(report.isPartial, false);
        if (mode === "metadata") assert.equal(report.archives[0]!.reuse!.readFileCount, 0);
        if (mode === "metadata") assert.equal(report.archives[1]!.newBytes, 0);

        const snapshot = store.openSnapshot(id, crypt);
        const target = place.join("restored");
        const restored = restoreArchive(snapshot, "root.pxar", DescriptorTarget.open(target));
        assert.deepEqual([restored.errorCount, restored.problems], [0, []]);
        const actual = (await describeTree(target)).split("\n");
        const first = expected.findIndex((line, index) => line !== actual[index]);
        assert.equal(actual[first], expected[first], "first difference");
        assert.equal(actual.length, expected.length);
        const config = new MemorySink();
        restoreStream(snapshot, "some.conf", config);
        assert.deepEqual(config.bytes(), Deno.readFileSync(`${tree}/plain`));
        const image = new MemorySink();
        assert.equal(restoreStream(snapshot, "sparse.img", image), SPARSE_SIZE);
        const wanted = Deno.readFileSync(`${tree}/sparse`);
        assert.equal(Buffer.compare(image.bytes(), wanted), 0);
        snapshot.close();
        await bash('chattr -R -f -ai "$1" || true; rm -rf "$1"', target);
      });
    }
  }
  store.close();
  const checker = CHECK_DATASTORE;
  if (checker === undefined) return;
  await t.step("for the independent checker too", async () => {
    const { stdout } = await runCommand(
      [CHECKER_PYTHON, checker, place.join("store"), "--key", KEY_FILE, "--all-keys"],
      { timeoutMs: TIMEOUT_MS },
    );
    assert.doesNotMatch(stdout, /FAIL|error/i);
  });
});
