import assert from "node:assert/strict";
import { goldenDatastore } from "#tests/support/pbs_fixtures.ts";
import { mustPbs, pbs, READ_ONLY } from "./_pbs.ts";

const STORE = `dir:${goldenDatastore()}`;
/** Answers of a server for the same datastore; there are none without the shared material. */
const ANSWERS = new URL("../../../../shared/fixtures/pbs/", import.meta.url);

interface Listed {
  readonly "backup-type": string;
  readonly "backup-id": string;
  readonly "backup-time"?: number;
}

function answer(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(new URL(path, ANSWERS));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** The data of an API answer, in the order of lists; servers list in the order of directories. */
function sortedData<Item extends Listed>(path: string): Item[] | undefined {
  const text = answer(path);
  const key = (item: Listed) =>
    `${item["backup-type"]}/${item["backup-id"]}/${item["backup-time"] ?? ""}`;
  return text === undefined
    ? undefined
    : JSON.parse(text).data.sort((a: Item, b: Item) => key(a) < key(b) ? -1 : 1);
}

function read(...args: string[]): Promise<string> {
  return mustPbs([...args, "--repository", STORE], { permissions: READ_ONLY });
}

Deno.test("pbs list prints groups as the real client and server do", async () => {
  const text = await read("list");
  assert.ok(text.startsWith("┌"));
  assert.match(
    text,
    /^│ host\/alpha {4}│ host\/alpha\/2024-01-12T10:00:00Z {4}│ {12}3 │ catalog\.pcat1 index\.json root\.pxar vm\.conf +│$/m,
  );
  assert.equal(text, answer("text/group-list.txt") ?? text);
  const groups = JSON.parse(await read("list", "--format", "json"));
  assert.equal(groups.length, 9);
  const expected = sortedData<{ files: string[] } & Listed>("api/groups.json");
  for (const group of [...groups, ...expected ?? []]) group.files.sort();
  assert.deepEqual(groups, expected ?? groups);
  const [inNamespace] = JSON.parse(
    await read("list", "--ns", "team/sub-1", "--output-format", "json"),
  );
  assert.equal(inNamespace["backup-id"], "nshost");
  assert.equal(inNamespace["last-backup"], 1704880800);
});

Deno.test("pbs snapshots prints snapshots as the real client and server do", async () => {
  // The text was made after notes had been changed; one size differs by that.
  const text = await read("snapshots");
  assert.match(text, /│ ct\/200\/2024-01-10T10:00:00Z +│ 60\.689 KiB │ catalog\.pcat1 index\.json/);
  assert.equal(text.split("\n").filter((line) => line.startsWith("│ ")).length, 17);
  const snapshots = JSON.parse(await read("snapshot", "list", "--output-format", "json-pretty"));
  assert.equal(snapshots.length, 16);
  assert.deepEqual(snapshots, sortedData("api/snapshots.json") ?? snapshots);
  const group = JSON.parse(await read("snapshots", "host/alpha", "--format", "json"));
  assert.deepEqual(
    group.map((snapshot: Listed) => snapshot["backup-time"]),
    [1704880800, 1704967200, 1705053600],
  );
  assert.equal(group[1].comment, "first line of the notes");
  assert.equal(group[1].protected, true);
});

Deno.test("pbs snapshots prints one object a line for jsonl", async () => {
  const lines = (await read("snapshots", "host/alpha", "--format", "jsonl")).trimEnd().split("\n");
  assert.deepEqual(lines.map((line) => JSON.parse(line)["backup-id"]), ["alpha", "alpha", "alpha"]);
});

for (
  const [name, ...rest] of [
    ["ls", "ct/200", "root.pxar"],
    ["find", "ct/200", "root.pxar"],
    ["stat", "ct/200", "root.pxar", "/", "/"],
    ["diff", "ct/200", "host/split", "root.pxar"],
  ] as const
) {
  Deno.test(`pbs ${name} prints one object a line for jsonl`, async () => {
    const outputs = await Promise.all(
      ["json", "jsonl"].map((format) =>
        pbs([name, ...rest, "--format", format, "--repository", STORE], { permissions: READ_ONLY })
      ),
    );
    const [array, lines] = outputs.map(({ stdout }) => stdout);
    const objects = lines!.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.ok(objects.length > 1);
    assert.deepEqual(objects, JSON.parse(array!));
  });
}

Deno.test("pbs files prints files as the real client and server do", async () => {
  const text = await read("files", "host/alpha/2024-01-11T10:00:00Z");
  assert.match(text, /^│ client\.log\.blob {4}│ {12}│ {10}│$/m);
  assert.equal(text, answer("text/snapshot-files-alpha-2.txt") ?? text);
  for (
    const [snapshot, path] of [
      ["host/alpha/2024-01-11T10:00:00Z", "api/files.json"],
      ["host/enc/2024-01-11T10:00:00Z", "api/files-enc.json"],
    ] as const
  ) {
    const files = JSON.parse(await read("snapshot", "files", snapshot, "--format", "json"));
    const expected = answer(path);
    assert.deepEqual(files, expected === undefined ? files : JSON.parse(expected).data);
  }
});

Deno.test("pbs files of a group are those of its last snapshot", async () => {
  const files = JSON.parse(await read("files", "host/enc", "--format", "json"));
  assert.deepEqual(files.at(-2), {
    "crypt-mode": "sign-only",
    "filename": "index.json.blob",
    "size": 549,
  });
  assert.deepEqual(files.at(-1), { "filename": "client.log.blob" });
});

Deno.test("pbs notes and protected show what is noted", async () => {
  const snapshot = "host/alpha/2024-01-11T10:00:00Z";
  const notes = "first line of the notes\nsecond line — ünï";
  assert.equal(await read("notes", snapshot), `${notes}\n`);
  assert.equal(await read("snapshot", "notes", "show", snapshot), `${notes}\n`);
  assert.equal(JSON.parse(await read("notes", snapshot, "--format", "json")), notes);
  assert.equal(await read("notes", "host/enc"), "");
  assert.equal(await read("snapshot", "protected", "show", snapshot), "true\n");
  assert.equal(
    await read("snapshot", "protected", "show", "vm/100/2024-01-10T10:00:00Z"),
    "false\n",
  );
});

Deno.test("pbs namespace list leaves out the root for people only", async () => {
  assert.equal(await read("namespace", "list"), "team\nteam/sub-1\n");
  assert.deepEqual(
    JSON.parse(await read("namespace", "list", "--format", "json")),
    [{ ns: "" }, { ns: "team" }, { ns: "team/sub-1" }],
  );
});

Deno.test("pbs prune --dry-run shows what goes and why, as the real client does", async () => {
  const args = ["prune", "host/alpha", "--keep-last", "1", "--dry-run"];
  const text = await read(...args);
  const row = (time: string, date: string, action: string, reason: string) =>
    `│ host/alpha/${time} │ ${date} │ ${action} │ ${reason} │`;
  assert.deepEqual(text.split("\n").filter((line) => line.startsWith("│ host")), [
    row("2024-01-10T10:00:00Z", "Wed Jan 10 10:00:00 2024", "remove", "         "),
    row("2024-01-11T10:00:00Z", "Thu Jan 11 10:00:00 2024", "  keep", "protected"),
    row("2024-01-12T10:00:00Z", "Fri Jan 12 10:00:00 2024", "  keep", "last     "),
  ]);
  const records = JSON.parse(await read(...args, "--format", "json"));
  const expected = answer("api/prune-dry-run.json");
  assert.deepEqual(
    records.map(({ reason: _, ...record }: Record<string, unknown>) => record),
    expected === undefined
      ? records.map(({ reason: _, ...record }: Record<string, unknown>) => record)
      : JSON.parse(expected).data,
  );
  assert.deepEqual(
    records.map((record: { reason: unknown }) => record.reason),
    [null, "protected", "last"],
  );
});

const FAILURES: readonly [string, RegExp, string][] = [
  [
    "files host/nope",
    /backup group host\/nope does not contain any snapshots: pbkfs pbs list/,
    "not-found",
  ],
  ["files host/alpha/2024-01-11T10:00:01Z", /host\/alpha\/2024-01-11T10:00:01Z/, "not-found"],
  ["snapshots host/nope", /host\/nope/, "not-found"],
  ["list --ns not/there", /not\/there/, "not-found"],
];

for (const [line, message, code] of FAILURES) {
  Deno.test(`pbs ${line} says what is not there`, async () => {
    const args = [...line.split(" "), "--repository", STORE];
    const text = await pbs(args, { permissions: READ_ONLY });
    assert.match(text.stderr, message);
    assert.equal(text.code, 1);
    const json = await pbs([...args, "--format", "json"], { permissions: READ_ONLY });
    assert.equal(JSON.parse(json.stderr).code, code);
  });
}

Deno.test("pbs refuses to change a datastore without FFI", async () => {
  const args = ["protect", "vm/100/2024-01-10T10:00:00Z", "--repository", STORE];
  const { code, stderr } = await pbs(args, { permissions: READ_ONLY });
  assert.notEqual(code, 0);
  assert.match(stderr, /ffi/i);
});

Deno.test("pbs says that a directory is no datastore", async () => {
  const { code, stderr } = await pbs(["list", "--repository", "dir:/usr", "--format", "json"], {
    permissions: READ_ONLY,
  });
  assert.equal(code, 1);
  assert.equal(JSON.parse(stderr).code, "not-found");
});

Deno.test("pbs commands take the namespace of PBS_NAMESPACE where --ns gives none", async () => {
  const env = { PBS_NAMESPACE: "team/sub-1" };
  const args = ["list", "--repository", goldenDatastore(), "--format", "json"];
  const named = await mustPbs([...args, "--ns", "team/sub-1"]);
  assert.notDeepEqual(JSON.parse(named), []);
  assert.equal(await mustPbs(args, { env }), named);
  const root = await mustPbs(args);
  assert.notEqual(root, named);
  assert.equal(await mustPbs([...args, "--ns", ""], { env }), root);
  const wrong = await pbs(args, { env: { PBS_NAMESPACE: "a//b" } });
  assert.equal(wrong.code, 2);
});
