import assert from "node:assert/strict";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { mustPbs, pbs } from "./_pbs.ts";

Deno.test("pbs assemble makes a snapshot of parts of others, whose chunks it uses again", async () => {
  using place = new TempDirectory("assemble");
  const store = ["--repository", `dir:${place.join("store")}`];
  await mustPbs(["datastore", "create", place.join("store")]);
  for (const name of ["a", "b"]) {
    Deno.mkdirSync(place.join(`${name}/${name}/d`), { recursive: true });
    Deno.writeFileSync(place.join(`${name}/${name}/d/f`), new Uint8Array(1 << 20).fill(65));
    await mustPbs(["backup", `root.pxar:${place.join(name)}`, "--backup-id", name, ...store]);
  }
  const json = ["--format", "json", ...store];
  const whole = JSON.parse(
    await mustPbs(["assemble", "host/a/root.pxar", "--backup-id", "copy", ...json]),
  );
  assert.match(whole.snapshot, /^host\/copy\//);
  assert.equal(whole.reused_share, 1);
  const list = await mustPbs(["ls", "-R", "host/copy", "root.pxar", ...store]);
  assert.equal(list, await mustPbs(["ls", "-R", "host/a", "root.pxar", ...store]));
  const { code, stderr } = await pbs(["assemble", "host/a", "--backup-id", "c", ...store]);
  assert.equal(code, 2);
  assert.match(stderr, /Cannot use "host\/a" as a part: expected SNAPSHOT\/ARCHIVE/);
  const missing = await pbs(["assemble", "host/a/no.pxar", "--backup-id", "c", ...store]);
  assert.equal(missing.code, 1);
  assert.doesNotMatch(await mustPbs(["list", "--format", "json", ...store]), /"c"/);
});
