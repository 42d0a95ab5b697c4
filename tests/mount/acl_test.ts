/**
 * Files with ACLs on a read-only mount, with and without a kernel that checks them.
 *
 * @module
 */

import assert from "node:assert/strict";
import { countedOperations, withMount, workerModule } from "#tests/mount/support/mounted.ts";

const workerUrl = workerModule("acl_worker.ts");
const ignore = Deno.uid() !== 0;

/** Who may read which file: one line for each user that may. */
const READERS = `cd d
  for who in "1000 1" "1234 1" "3000 2000" "1234 2000" "4000 1"; do
    set -- $who
    setpriv --reuid=$1 --regid=$2 --clear-groups sh -c '
      for f in *; do cat $f >/dev/null 2>&1 && echo "$f '"$who"'"; done; true'
  done | LC_ALL=C sort
`;

for (const fastPath of [true, false]) {
  Deno.test({
    name: `the kernel checks ACLs where it is asked to, with one request for each file (${
      fastPath ? "fast path" : "callbacks"
    })`,
    ignore,
    fn: () =>
      withMount({ workerUrl, fastPath, allowOther: true, posixAcls: true }, async (test) => {
        assert.equal(test.mount.posixAcls, true);
        const readers = [
          "denying 1000 1",
          "denying 3000 2000",
          "denying 4000 1",
          "granting 1000 1",
          "granting 1234 1",
          "granting 1234 2000",
          "plain 1000 1",
          "plain 1234 2000",
          "plain 3000 2000",
        ];
        assert.equal(await test.sh(READERS), readers.join("\n") + "\n");
        assert.equal(
          await test.sh("cd d; stat -c '%a %n' *"),
          "644 denying\n640 granting\n640 plain\n",
        );
        const before = (await countedOperations(test.mount)).getxattr!.count;
        await test.sh(
          "cd d; setpriv --reuid=1234 --regid=1 --clear-groups cat $(yes granting | head -n 300)",
        );
        const asked = (await countedOperations(test.mount)).getxattr!.count - before;
        // Linux keeps no ACL of the root, which it knew before it was asked to check them: one more
        // at each `cd`.
        assert.ok(asked <= 10, `${asked} requests for 300 times the same file`);
      }),
  });
}

Deno.test({
  name: "where the kernel does not check ACLs, modes give nobody more than these",
  ignore,
  fn: () =>
    withMount({ workerUrl, allowOther: true, posixAcls: false }, async (test) => {
      assert.equal(test.mount.posixAcls, false);
      assert.equal(
        await test.sh("cd d; stat -c '%a %n' *"),
        "600 denying\n600 granting\n640 plain\n",
      );
      const readers = ["denying 1000 1", "granting 1000 1"];
      const ofPlain = ["plain 1000 1", "plain 1234 2000", "plain 3000 2000"];
      assert.equal(await test.sh(READERS), [...readers, ...ofPlain].join("\n") + "\n");
    }),
});
