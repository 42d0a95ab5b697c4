/**
 * The disk of the diff turns read-only under a live mount, as ext4 does after an error.
 *
 * @module
 */

import assert from "node:assert/strict";
import { buildDirectoryCatalog } from "#tests/support/directory_catalog.ts";
import { MountPlace, pbkfsCommand } from "#tests/support/pbkfs.ts";
import { runCommand } from "#tests/support/process.ts";
import { SmallDisk } from "#tests/support/small_disk.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const TIMEOUT_MS = 60_000;

/** Lets the file system at `path` have an error. @returns why that is not possible here */
async function failDisk(path: string): Promise<string | undefined> {
  const script = 'mount -o remount,errors=remount-ro "$1" && ' +
    'echo test > /sys/fs/ext4/$(basename $(findmnt -no SOURCE "$1"))/trigger_fs_error';
  const { code, stderr } = await runCommand(["sh", "-c", script, "sh", path], {
    timeoutMs: TIMEOUT_MS,
    check: false,
  });
  return code === 0 ? undefined : stderr.trim();
}

Deno.test({
  name: "what is in a diff stays readable when its disk turns read-only, and stat and log say so",
  ignore: Deno.uid() !== 0,
  fn: async (test) => {
    using home = new TempDirectory("read-only");
    await using disk = await SmallDisk.create(64);
    const sample = home.join("sample");
    Deno.mkdirSync(sample);
    Deno.writeFileSync(`${sample}/changed`, new Uint8Array(20 << 20).fill(7));
    Deno.writeTextFileSync(`${sample}/lower`, "lower\n");
    const catalog = buildDirectoryCatalog(home.join("catalog"), sample);
    await using place = new MountPlace("read-only", disk.join("diff"));
    const log = home.join("log");
    await place.mount({
      store: home.join("catalog"),
      ...catalog,
      options: ["--log-file", log],
    });
    const sh = async (script: string) => {
      const command = ["sh", "-c", `exec 2>&1; ${script}`];
      const options = { timeoutMs: TIMEOUT_MS, check: false, cwd: place.root };
      return (await runCommand(command, options)).stdout;
    };
    await sh("echo new > new; mkdir d; echo deep > d/deep; ln -s new link; sync");
    await sh("echo first | dd of=changed conv=notrunc bs=8192 status=none; sync");
    const show = "cat new d/deep lower .pbkfs/worker.pid; md5sum changed; readlink link; ls d";
    const before = await sh(show);
    const reason = await failDisk(disk.path);
    if (reason !== undefined) {
      console.log(`skipped "${test.name}": no error can be caused: ${reason}`);
      return;
    }
    assert.equal(await sh(show), before);
    await sh("echo 3 > /proc/sys/vm/drop_caches");
    assert.equal(await sh(show), before);
    const changes = [
      "sh -c 'echo x > new'",
      "sh -c 'echo x >> d/deep'",
      "sh -c 'echo x > made'",
      "rm new",
      "mv new other",
      "mkdir e",
      "chmod 600 new",
      "truncate -s 5 lower",
    ];
    for (const change of changes) assert.match(await sh(change), /Read-only file system/, change);
    assert.equal(await sh(show), before);
    const stat = async (...args: string[]) =>
      (await runCommand(pbkfsCommand(["stat", "-D", place.root, ...args]), {
        timeoutMs: TIMEOUT_MS,
      })).stdout;
    assert.match(await stat(), /disk of the diff is read-only/);
    assert.equal(JSON.parse(await stat("--format", "json")).diff.read_only, true);
    const said = (await Deno.readTextFile(log)).split("\n").filter((line) =>
      /disk of the diff is read-only/.test(line)
    );
    assert.equal(said.length, 1, said.join("\n"));
    const unmount = pbkfsCommand(["unmount", "-D", place.root]);
    const { code, stderr } = await runCommand(unmount, { timeoutMs: TIMEOUT_MS, check: false });
    assert.equal(code, 1);
    assert.match(stderr, /EROFS/);
  },
});
