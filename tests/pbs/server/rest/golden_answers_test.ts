import { deepStrictEqual as same, strictEqual as equal } from "node:assert";
import { join } from "node:path";
import { cpSync, existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { goldenDatastore } from "#tests/support/pbs_fixtures.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { NetworkScene, tokenOf } from "./_network_scene.ts";

const API = fileURLToPath(new URL("../../../../../shared/fixtures/pbs/api", import.meta.url));
const S = "admin/datastore/main";
const ALPHA = "backup-type=host&backup-id=alpha";
const NOTED = `${ALPHA}&backup-time=1704967200`;

/** Calls, and the recorded answers of the reference's server to them. */
const CALLS: Readonly<Record<string, string>> = {
  "groups.json": `${S}/groups`,
  "groups-ns.json": `${S}/groups?ns=team%2Fsub-1`,
  "snapshots.json": `${S}/snapshots`,
  "snapshots-group.json": `${S}/snapshots?${ALPHA}`,
  "files.json": `${S}/files?${NOTED}`,
  "notes.json": `${S}/notes?${NOTED}`,
  "protected.json": `${S}/protected?${NOTED}`,
  "namespaces.json": `${S}/namespace`,
};

type Listed = Readonly<Record<string, unknown>>;

/** Lists come in the order of directories, and so do the files of groups. */
function sorted(data: unknown): unknown {
  if (!Array.isArray(data)) return data;
  const key = (item: unknown) => JSON.stringify(item, Object.keys(item as object).sort());
  return data
    .map((item: Listed) => {
      const { files } = item as { readonly files?: unknown[] };
      if (files === undefined) return item;
      return { ...item, files: files.toSorted((a, b) => key(nameOf(a)) < key(nameOf(b)) ? -1 : 1) };
    })
    .toSorted((a, b) => placeOf(a) < placeOf(b) ? -1 : 1);
}

function nameOf(file: unknown): object {
  return typeof file === "string" ? { file } : { file: (file as Listed)["filename"] };
}

function placeOf(item: Listed): string {
  const names = ["ns", "backup-type", "backup-id", "backup-time", "filename"];
  return names.map((name) => String(item[name])).join(" ");
}

Deno.test({
  name: "answers about the golden datastore are those of the reference's server",
  ignore: !existsSync(API),
  async fn() {
    using directory = new TempDirectory("golden");
    const storePath = directory.join("store");
    cpSync(goldenDatastore(), storePath, { recursive: true });
    await using scene = await NetworkScene.start({ storePath });
    scene.add("tester@pbs", "admin");
    scene.add("tester@pbs!t", "admin");
    const token = tokenOf("tester@pbs!t");
    for (const [file, path] of Object.entries(CALLS)) {
      const recorded = JSON.parse(Deno.readTextFileSync(join(API, file))).data;
      same(sorted(await scene.data("GET", path, token)), sorted(recorded), file);
    }
    // Double slashes are one.
    equal((await scene.call("GET", `/${S}//groups`, token)).status, 200);
  },
});
