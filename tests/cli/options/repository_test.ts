import assert from "node:assert/strict";
import { datastorePath, repositoryOf } from "#src/cli/options/repository.ts";
import { contextOf } from "../pbs/_context.ts";

Deno.test("repositoryOf() takes the option before the environment", () => {
  const context = contextOf({ PBS_REPOSITORY: "dir:/environment" });
  assert.deepEqual(repositoryOf({ repository: "dir:/option" }, context), {
    kind: "directory",
    path: "/option",
  });
  assert.deepEqual(repositoryOf({}, context), { kind: "directory", path: "/environment" });
  assert.throws(
    () => repositoryOf({}, contextOf({})),
    { message: "unable to get (default) repository" },
  );
});

Deno.test("datastorePath() refuses a server", () => {
  assert.throws(
    () => datastorePath({ repository: "h:main" }, contextOf({})),
    { code: "unsupported", message: /root@pam@h:8007:main/ },
  );
});
