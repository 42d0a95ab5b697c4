/**
 * Sparse files stay sparse when they are copied out of a mount, with tools that look for holes.
 *
 * @module
 */

import assert from "node:assert/strict";
import { MountPlace } from "#tests/support/pbkfs.ts";
import { KEY_PASSPHRASE, PBS_KEYS } from "#tests/support/pbs_fixtures.ts";
import { copyCatalog, pgprobackupFixture } from "#tests/support/pgprobackup_fixtures.ts";
import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { CatalogWriter, makePage } from "../pgprobackup/_catalog_writer.ts";
import { ArchiveMount, pbkfs } from "./_archive_mount.ts";
import { PbsStore } from "./_pbs_store.ts";

const TIMEOUT_MS = 120_000;
/** When a backup was made. */
const START = 1_795_226_505;
const SIZE = 1 << 29;
const DATA_OFFSET = 300_000_000;
/** Chunks of zeros are holes, and those at both ends of a hole are cut where the content says. */
const CHUNK_SLACK = 64 << 20;

async function sh(script: string, ...args: string[]): Promise<string> {
  const { stdout } = await runCommand(["sh", "-euc", script, "sh", ...args], {
    timeoutMs: TIMEOUT_MS,
  });
  return stdout.trim();
}

/** A file with one block of data, and one without holes. */
function makeFiles(directory: string): Promise<string> {
  return sh(
    `truncate -s ${SIZE} "$1/sparse"
     head -c 4096 /dev/urandom | dd of="$1/sparse" bs=4096 seek=${Math.floor(DATA_OFFSET / 4096)} \\
       conv=notrunc status=none
     head -c 3000000 /dev/urandom >"$1/dense"`,
    directory,
  );
}

/** Copies as users do. @returns bytes that each copy takes */
async function copies(from: string, original: string): Promise<number[]> {
  using directory = new TempDirectory("copies");
  const taken = await sh(
    `cp --sparse=auto "$1/sparse" "$1/dense" "$3"
     cmp "$3/sparse" "$2/sparse" && cmp "$3/dense" "$2/dense"
     du -k "$3/sparse" | cut -f1
     rm "$3/sparse"
     tar -C "$1" -Scf - sparse dense | tar -C "$3" -xf -
     cmp "$3/sparse" "$2/sparse" && cmp "$3/dense" "$2/dense"
     du -k "$3/sparse" | cut -f1`,
    from,
    original,
    directory.path,
  );
  return taken.split("\n").map((line) => Number(line) * 1024);
}

Deno.test("cp and tar keep files of a mounted archive sparse", async (t) => {
  using directory = new TempDirectory("sparse");
  Deno.mkdirSync(directory.join("src"));
  await makeFiles(directory.join("src"));
  for (const name of ["a.pxar", "a.mpxar"]) {
    await t.step(name, async () => {
      const archive = directory.join(name);
      await pbkfs(["pxar", "create", archive, directory.join("src")], true);
      await using mount = new ArchiveMount();
      assert.equal((await mount.mount(archive)).code, 0);
      for (const taken of await copies(mount.root, directory.join("src"))) {
        assert.ok(taken <= 1 << 20, `${taken} bytes`);
      }
      await mount.sh(`rm -f ${archive}`);
    });
  }
});

Deno.test("cp and tar keep files of a mounted snapshot sparse, which its chunks of zeros tell", async (t) => {
  await using store = await PbsStore.create();
  const source = store.home.join("src");
  Deno.mkdirSync(source);
  await makeFiles(source);
  const key = ["--keyfile", `${PBS_KEYS}/key-scrypt.json`];
  const env = { PBS_ENCRYPTION_PASSWORD: KEY_PASSPHRASE };
  for (const [id, options] of [["plain", []], ["encrypted", key]] as const) {
    await t.step(id, async () => {
      const sources = [`root.pxar:${source}`, `sparse.img:${source}/sparse`];
      await store.backup([...sources, "--backup-id", id, ...options], { env });
      await using mount = new ArchiveMount();
      await store.must(["mount", `host/${id}`, "root.pxar", mount.root, ...options], { env });
      assert.ok(Number(await sh('stat -c %b "$1/sparse"', mount.root)) * 512 < CHUNK_SLACK);
      assert.equal(
        await sh('stat -c %b "$1/dense"', mount.root),
        String(Math.ceil(3_000_000 / 512)),
      );
      for (const taken of await copies(mount.root, source)) {
        assert.ok(taken < CHUNK_SLACK, `${taken} bytes`);
      }
      await pbkfs(["unmount", mount.root]);
      await store.must(["mount", `host/${id}`, "sparse.img", mount.root, ...options], { env });
      const image = `${mount.root}/sparse.img`;
      // One chunk of 4 MiB has data.
      assert.equal(await sh('stat -c %b "$1"', image), String((4 << 20) / 512));
      const seeks = await sh(
        `python3 -c 'import os, sys
f = os.open(sys.argv[1], os.O_RDONLY)
data = os.lseek(f, 0, os.SEEK_DATA)
print(data, os.lseek(f, data, os.SEEK_HOLE), os.lseek(f, 0, os.SEEK_HOLE))' "$1"`,
        image,
      );
      const chunk = Math.floor(DATA_OFFSET / (4 << 20)) * (4 << 20);
      assert.equal(seeks, `${chunk} ${chunk + (4 << 20)} 0`);
      await sh('cmp "$1" "$2/sparse"', image, source);
    });
  }
});

Deno.test("du and tar see the holes of a relation, of which no backup of the chain stores all blocks", async () => {
  using directory = new TempDirectory("sparse");
  const store = directory.join("catalog");
  Deno.mkdirSync(store);
  const writer = new CatalogWriter(store);
  const path = "base/5/16384";
  const blockCount = 20_000;
  const pages = (blocks: number[]) =>
    new Map(blocks.map((block) => [block, makePage(block, block)]));
  writer.write({ startTime: START, entries: [{ path, blockCount, pages: pages([0, 1, 2, 777]) }] });
  const entries = [{ path, blockCount, pages: pages([2, 9000, blockCount - 1]) }];
  const backupId = writer.write({ startTime: START + 1, parent: START, entries });
  for (const options of [[], ["--whole-copies", "0"]]) {
    await using place = new MountPlace("holes");
    await place.mount({ store, instance: "main", backupId, options });
    const relation = `${place.root}/${path}`;
    const stored = 7 * 8192;
    assert.equal(
      await sh('stat -c "%s %b" "$1"', relation),
      `${blockCount * 8192} ${stored / 512}`,
    );
    assert.equal(await sh('du -B1 "$1" | cut -f1', relation), String(stored));
    const archive = directory.join("a.tar");
    const copy = async () => {
      await sh(
        `tar -C "$(dirname "$1")" -Scf "$2" 16384 && mkdir -p "$3" && tar -C "$3" -xf "$2"
       cmp "$1" "$3/16384"`,
        relation,
        archive,
        directory.join("copy"),
      );
      return Deno.statSync(archive).size;
    };
    assert.ok(await copy() < 1 << 20);
    for (const blocks of [4882, 1]) {
      await sh(
        'printf x | dd of="$1" bs=8192 seek=$2 conv=notrunc status=none',
        relation,
        String(blocks),
      );
      assert.ok(await copy() < 4 << 20, "copied whole or by blocks, the file keeps its holes");
      const changed = Number(await sh('stat -c %b "$1"', relation)) * 512;
      assert.ok(changed >= stored + 4096 && changed < 4 << 20, `${changed} bytes`);
    }
    await place.unmount();
  }
});

Deno.test("cp and tar keep files sparse that were written to a mounted backup", async () => {
  const fixture = await pgprobackupFixture("a-stream-none");
  assert.ok(fixture);
  using directory = new TempDirectory("sparse");
  Deno.mkdirSync(directory.join("src"));
  await makeFiles(directory.join("src"));
  copyCatalog(fixture.catalog, directory.join("catalog"));
  await using place = new MountPlace("holes");
  await place.mount({ store: directory.join("catalog"), instance: "main", backupId: "TOTXQL" });
  await sh('cp --sparse=always "$1/sparse" "$1/dense" "$2"', directory.join("src"), place.root);
  for (const taken of await copies(place.root, directory.join("src"))) {
    assert.ok(taken <= 1 << 20, `${taken} bytes`);
  }
  // A relation that was made longer: a hole behind the last page of the backup.
  const relation = `${place.root}/base/5/1259`;
  const size = Number(await sh('stat -c %s "$1"', relation));
  await sh(
    'truncate -s 500M "$1" && printf x | dd of="$1" bs=1 seek=100 conv=notrunc status=none',
    relation,
  );
  const copy = directory.join("copy");
  await sh('cp --sparse=auto "$1" "$2" && cmp "$1" "$2"', relation, copy);
  assert.ok(Number(await sh('du -k "$1" | cut -f1', copy)) * 1024 <= size + (1 << 20));
  await place.unmount();
});
