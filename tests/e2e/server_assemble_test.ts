/**
 * Snapshots of a server made of several of its snapshots.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describeHost } from "#tests/support/expected_tree.ts";
import { Random } from "#tests/support/property_random.ts";
import { mustPbs, ServedStore } from "./_served_store.ts";

Deno.test("Snapshots of a server are assembled of those of several groups, plain and encrypted", async () => {
  await using served = await ServedStore.start();
  const { home } = served;
  const key = home.join("key");
  await mustPbs(["key", "create", key, "--kdf", "none"]);
  const random = new Random(7);
  for (const name of ["a", "b"]) {
    Deno.mkdirSync(home.join(`${name}/dir`), { recursive: true });
    Deno.writeFileSync(home.join(`${name}/dir/large-${name}`), random.bytes(9 << 20));
    Deno.writeTextFileSync(home.join(`${name}/dir/small-${name}`), `${name}\n`);
  }
  Deno.writeFileSync(home.join("disk"), random.bytes(5 << 20));
  for (const keyed of [[], ["--keyfile", key]]) {
    const id = (name: string) => `${name}${keyed.length}`;
    for (const name of ["a", "b"]) {
      const sources = [`root.pxar:${home.join(name)}`, `disk.img:${home.join("disk")}`];
      const mode = ["--change-detection-mode", name === "a" ? "data" : "legacy"];
      await served.must(["backup", ...sources, "--backup-id", id(name), ...mode, ...keyed]);
    }
    const parts = ["a", "b"].map((name) => `host/${id(name)}/root.pxar:/dir/large-${name}`);
    const more = [`host/${id("b")}/disk.img`, "--backup-id", id("both")];
    await served.must(["assemble", ...parts, ...more, ...keyed]);
    const restore = async (archive: string): Promise<string> => {
      const target = home.join(`restored-${id(archive)}`);
      await served.must(["restore", `host/${id("both")}`, archive, target, ...keyed]);
      return target;
    };
    const root = await restore("root.pxar");
    for (const name of ["a", "b"]) {
      const path = `dir/large-${name}`;
      assert.deepEqual(
        Deno.readFileSync(`${root}/${path}`),
        Deno.readFileSync(home.join(name, path)),
      );
    }
    assert.deepEqual(
      Deno.readFileSync(await restore("disk.img")),
      Deno.readFileSync(home.join("disk")),
    );
    // As a whole, into a group whose last snapshot is another one.
    const whole = ["assemble", `host/${id("a")}/root.pxar`, "--backup-id", id("both"), ...keyed];
    await served.must(whole);
    const again = home.join(`whole-${keyed.length}`);
    await served.must(["restore", `host/${id("both")}`, "root.pxar", again, ...keyed]);
    assert.deepEqual(describeHost(again), describeHost(home.join("a")));
    await served.must(["verify"]);
  }
});
