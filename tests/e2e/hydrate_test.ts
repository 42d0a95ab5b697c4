/**
 * Hydration of a mount by the program: started and stopped from outside, over unmounts and kills,
 * until the source is not needed any more.
 *
 * @module
 */

import assert from "node:assert/strict";
import { bash } from "#tests/support/everything_tree.ts";
import { waitUntil } from "#tests/support/process.ts";
import { pbkfs } from "./_archive_mount.ts";
import { WritableMount } from "./_writable_mount.ts";

const TREE = `
  cd "$1"; mkdir -p d/e pg_wal; for i in $(seq 60); do head -c 40000 /dev/urandom >d/e/$i; done
  head -c 3000000 /dev/urandom >large; head -c 2000000 /dev/urandom >pg_wal/1; ln -s large link`;
const SUMS = `find . -type f | sort | xargs sha256sum`;

Deno.test("hydrate: at a rate, stopped, over a kill and an unmount, until all is in the diff", async () => {
  await using place = new WritableMount([]);
  const source = place.home.join("source");
  Deno.mkdirSync(source);
  await bash(TREE, source);
  const mount = (...options: string[]) =>
    pbkfs(["mount", source, place.root, "-d", place.diff, ...options], true);
  const hydrate = async (...args: string[]) => {
    const options = ["-D", place.root, "--format", "json"];
    const { stdout } = await pbkfs(["hydrate", ...args, ...options], true);
    return JSON.parse(stdout);
  };
  await mount("--hydrate=200K");
  await waitUntil(async () => (await hydrate("status")).bytes_total > 0, 10_000, () => "a total");
  const started = await hydrate("start", "--rate", "300K");
  assert.equal(started.state, "running");
  assert.equal(started.rate_limit, 300 << 10);
  await place.out("printf changed | dd of=large bs=1 seek=500 conv=notrunc 2>/dev/null");
  const { pid } = JSON.parse(Deno.readTextFileSync(`${place.diff}/.pbkfs/worker.pid`));
  Deno.kill(pid, "SIGKILL");
  await pbkfs(["unmount", place.root], true);

  // While it is under way, the mount ends as any other.
  await mount("--hydrate=300K");
  await place.out("mv d/e/1 d/e/moved; rm d/e/2; echo new >n");
  assert.equal((await hydrate("stop")).state, "off");
  assert.equal((await hydrate("start", "--rate", "300K")).state, "running");
  const sums = await place.out(SUMS);
  await place.mustUnmount();
  assert.ok(!isThere(`${place.diff}/.pbkfs-hydrated`));

  await mount();
  const watch = pbkfs(["stat", "-D", place.root, "--format", "json", "--watch=1"], true);
  const complete = await hydrate("start", "--wait");
  assert.equal(complete.state, "complete");
  assert.equal(complete.bytes_done, complete.bytes_total);
  assert.equal(complete.files_done, 62);
  await place.mustUnmount();
  const watched = (await watch).stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.ok(watched.length > 0 && watched.every((each) => each.pid === watched[0].pid));
  assert.ok(isThere(`${place.diff}/.pbkfs-hydrated`));
  assert.match(
    Deno.readTextFileSync(`${place.diff}/.pbkfs/pbkfs.log`),
    /hydration complete: the diff has everything files=62 /,
  );

  // Of the source nothing is read any more.
  await mount("--hydrate");
  assert.equal(await place.out(SUMS), sums);
  const { stdout } = await pbkfs(["stat", "-D", place.root, "--format", "json"], true);
  const { hydration, overlay } = JSON.parse(stdout);
  assert.match(hydration.state, /^(waiting|complete)$/);
  assert.equal(overlay.reads_from_lower, 0);
  await place.mustUnmount();

  await pbkfs(["mount", source, place.root], true);
  await assert.rejects(hydrate("start"), /it has no diff directory/);
  await pbkfs(["unmount", place.root], true);
  const options = ["-d", place.diff, "--hydrate", "--no-wal"];
  const refused = await pbkfs(["mount", source, place.root, ...options]);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /Cannot use --hydrate with --no-wal/);
});

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
