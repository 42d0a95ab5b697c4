import assert from "node:assert/strict";
import fc from "fast-check";
import { CONTROL_HEAD_SIZE, parseControlFile } from "#src/sources/format/control_file.ts";
import { openSource } from "#src/sources/mod.ts";
import { bash } from "#tests/support/everything_tree.ts";
import { initializeCluster, serverHome } from "#tests/support/postgres.ts";
import { serverBinaries } from "#tests/support/postgres_binaries.ts";
import { clientProgram } from "#tests/support/postgres_binaries.ts";
import { pbkfs } from "../e2e/_archive_mount.ts";

Deno.test({
  name: "The facts of a data directory are those that PostgreSQL says, whatever the kind",
  async fn(t) {
    for (const version of [15, 17] as const) {
      await t.step(`PostgreSQL ${version}`, async () => {
        await serverBinaries(version);
        using home = serverHome("facts");
        const data = home.join("data");
        await initializeCluster(version, data);
        const said = await bash(
          'LC_ALL=C "$1" "$2" | grep -E "identifier|checksum version|TimeLineID|REDO|segment:"',
          clientProgram("pg_controldata"),
          data,
        );
        const identifier = /system identifier: +(\d+)/.exec(said)![1]!;
        const expected = {
          version: String(version),
          systemIdentifier: identifier,
          checksums: /checksum version: +1/.test(said),
          timeline: Number(/Latest checkpoint's TimeLineID: +(\d+)/.exec(said)![1]),
        };
        const control = parseControlFile(Deno.readFileSync(`${data}/global/pg_control`))!;
        const [, part, place] = /REDO location: +([0-9A-F]+)\/([0-9A-F]+)/.exec(said)!;
        assert.equal(control.redo, BigInt(`0x${part}`) << 32n | BigInt(`0x${place}`));
        const segmentSize = /Bytes per WAL segment: +(\d+)/.exec(said)![1]!;
        assert.equal(control.walSegmentSizeBytes, Number(segmentSize));
        const { code, stderr } = await pbkfs(["pxar", "create", home.join("x.pxar"), data]);
        assert.equal(code, 0, stderr);
        for (const name of [`dir:${data}`, home.join("x.pxar")]) {
          using source = await openSource(name);
          assert.deepEqual(source.summary.postgres, expected);
        }
        Deno.writeTextFileSync(`${data}/global/pg_control`, "damaged");
        using damaged = await openSource(`dir:${data}`);
        assert.equal(damaged.summary.postgres, null);
      });
    }
  },
});

Deno.test("parseControlFile() takes nothing that its checksum does not prove", () => {
  const sizes = fc.uint8Array({ minLength: 0, maxLength: CONTROL_HEAD_SIZE });
  fc.assert(fc.property(sizes, (bytes) => {
    assert.equal(parseControlFile(bytes), undefined);
  }));
});
