import assert from "node:assert/strict";
import { makeStore, openStore } from "#tests/support/pbs_activity.ts";
import { goldenDatastore, HAS_ALL_CHUNKS } from "#tests/support/pbs_fixtures.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { mustPbs, pbs } from "./_pbs.ts";

/** Skipped where it would copy chunks that only the shared fixture has, not the committed one. */
const LACKS_CHUNKS = !HAS_ALL_CHUNKS;
const SOURCE = `dir:${goldenDatastore()}`;
const GROUP = ["--group", "host/alpha"];

class Place implements Disposable {
  readonly #home = new TempDirectory("pbs-sync");
  readonly path = this.#home.join("target");
  readonly repository = `dir:${this.path}`;

  constructor() {
    makeStore(this.path);
  }

  [Symbol.dispose](): void {
    this.#home[Symbol.dispose]();
  }
}

Deno.test(
  "pbs sync copies, says what, and copies nothing twice",
  { ignore: LACKS_CHUNKS },
  async () => {
    using place = new Place();
    const dry = await mustPbs(["sync", SOURCE, place.repository, ...GROUP, "--dry-run"]);
    assert.match(dry, /^would copy host\/alpha\//m);
    assert.equal(
      await mustPbs(["list", "--repository", place.repository, "--format", "json"]),
      "[]\n",
    );
    const text = await mustPbs(["sync", SOURCE, place.repository, ...GROUP]);
    assert.match(text, /^copied host\/alpha\/\S+: \S+ \S+ in \d+ chunks?$/m);
    assert.match(text, /^copied \d+ snapshots, .* that were not there; 0 present, .* 0 failed$/m);
    const lists = await Promise.all(
      [SOURCE, place.repository].map((repository) =>
        mustPbs(["snapshots", "host/alpha", "--repository", repository, "--format", "json"])
      ),
    );
    const [there, here] = lists.map((list) =>
      JSON.parse(list).map((
        { "backup-time": time, comment, protected: isProtected }: never,
      ) => [time, comment, isProtected])
    );
    assert.deepEqual(here, there);
    const json = await mustPbs(["sync", SOURCE, place.repository, ...GROUP, "--format", "json"]);
    const { ok, copied, present, new_chunks } = JSON.parse(json);
    assert.deepEqual({ ok, copied, present, new_chunks }, {
      ok: true,
      copied: 0,
      present: there!.length,
      new_chunks: 0,
    });
  },
);

Deno.test("pbs sync names what it could not copy, does the rest, and fails", {
  ignore: LACKS_CHUNKS,
}, async () => {
  using place = new Place();
  using broken = new Place();
  await mustPbs(["sync", SOURCE, broken.repository, ...GROUP, "--group", "host/split"]);
  const store = openStore(broken.path);
  const [first] = store.groups("" as never);
  const [id] = store.snapshots(first!);
  const { filename } = store.manifest(id!).files.find((file) => file.filename.endsWith("idx"))!;
  store.close();
  const [type, name] = [first!.type, first!.id];
  const time = new Date(id!.time * 1000).toISOString().replace(".000", "");
  const path = `${broken.path}/${type}/${name}/${time}/${filename}`;
  Deno.truncateSync(path, 100);
  const { code, stdout, stderr } = await pbs(
    ["sync", broken.repository, place.repository, "--format", "jsonl"],
  );
  assert.equal(code, 1);
  const events = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  const failed = events.filter(({ result }) => result === "failed");
  assert.deepEqual(failed.map((event) => event.name), [`${type}/${name}/${time}`]);
  assert.ok(failed[0].message.includes(filename), failed[0].message);
  assert.ok(events.some(({ result, name: other }) => result === "copied" && other !== name));
  assert.deepEqual(events.at(-1).type, "summary");
  const problems = stderr.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(problems.map((problem) => problem.type), ["problem", "error"]);
  assert.equal(problems[1].code, "partial");
});

Deno.test(
  "pbs sync --remove-vanished keeps what is protected",
  { ignore: LACKS_CHUNKS },
  async () => {
    using mirror = new Place();
    using source = new Place();
    await mustPbs(["sync", SOURCE, source.repository, ...GROUP]);
    await mustPbs(["sync", source.repository, mirror.repository]);
    const list = await mustPbs([
      "snapshots",
      "--repository",
      mirror.repository,
      "--format",
      "json",
    ]);
    const [first] = JSON.parse(list);
    const time = new Date(first["backup-time"] * 1000).toISOString().replace(".000", "");
    const kept = `host/alpha/${time}`;
    await mustPbs(["protect", kept, "--repository", mirror.repository]);
    await pbs(["protect", "--off", kept, "--repository", source.repository]);
    await mustPbs(["forget", kept, "--repository", source.repository]);
    const text = await mustPbs(["sync", source.repository, mirror.repository, "--remove-vanished"]);
    assert.match(text, new RegExp(`^kept ${kept}: protected$`, "m"));
  },
);

for (
  const [words, message] of [
    [[SOURCE, SOURCE, "--dry-run"], /with itself/],
    [[SOURCE, "dir:/nonexistent"], /\/nonexistent/],
    [["one.example:main", "me@pbs@one.example:8007:main"], /with itself/],
    [[SOURCE], /missing required argument 'target'/],
    [[SOURCE, "dir:/x", "--last", "0"], /--last/],
    [[SOURCE, "dir:/x", "--group", "alpha"], /alpha/],
    [[SOURCE, "dir:/x", "--ns", "a//b"], /a\/\/b/],
  ] as const
) {
  Deno.test(`pbs sync refuses ${words.join(" ").replaceAll(SOURCE, "the source")}`, async () => {
    const { code, stderr, stdout } = await pbs(["sync", ...words]);
    assert.notEqual(code, 0);
    assert.match(stderr, message);
    assert.equal(stdout, "");
  });
}
