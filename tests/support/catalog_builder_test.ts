import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { CatalogBuilder } from "#tests/support/catalog_builder.ts";
import { initializeCluster, PostgresServer, serverHome } from "#tests/support/postgres.ts";
import { runCommand } from "#tests/support/process.ts";
import { buildSyntheticCatalog } from "#tests/support/synthetic_catalog.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

/**
 * A reader that shares no code with the builder; it is not part of the project, so it may be
 * absent.
 */
const CHECKER = fileURLToPath(
  new URL("../../../shared/tools/check_pgprobackup.py", import.meta.url),
);

function hasChecker(): boolean {
  try {
    return Deno.statSync(CHECKER).isFile;
  } catch {
    return false;
  }
}

async function assertSound(catalog: string): Promise<string> {
  const options = { timeoutMs: 120_000, check: false };
  const { code, stdout } = await runCommand(["python3", CHECKER, catalog], options);
  assert.equal(code, 0, stdout);
  return stdout;
}

Deno.test({
  name: "CatalogBuilder writes chains that an independent reader finds sound",
  ignore: !hasChecker(),
  async fn() {
    using home = serverHome("builder");
    const dataDirectory = home.join("data");
    await initializeCluster(15, dataDirectory);
    const server = await PostgresServer.start({ version: 15, dataDirectory });
    try {
      await server.client("pgbench", ["-i", "-q", "-s", "1", "postgres"], 60_000);
      await server.sql("create unlogged table u(i int); insert into u values (1)");
      const builder = await CatalogBuilder.create(home.join("catalog"), server);
      const full = await builder.backup({
        compressionOf: (path) => path.endsWith("7") ? "none" : "zlib",
      });
      await server.sql(
        "update pgbench_accounts set bid = 2 where aid < 100; create table t(i int)",
      );
      const delta = await builder.backup({ parent: full });
      const report = await assertSound(builder.catalog);
      assert.match(report, new RegExp(`chain=${delta.id}-${full.id}`));
    } finally {
      await server.stop();
    }
  },
});

Deno.test({
  name: "buildSyntheticCatalog() writes a catalog that an independent reader finds sound",
  ignore: !hasChecker(),
  async fn() {
    using directory = new TempDirectory("synthetic");
    buildSyntheticCatalog(directory.join("catalog"), { fileCount: 40, blocksPerFile: 20 });
    assert.match(await assertSound(directory.join("catalog")), /files=46 /);
  },
});

Deno.test("buildSyntheticCatalog() makes 300 GiB in 50,000 files on little disk", async () => {
  using directory = new TempDirectory("synthetic");
  const catalog = buildSyntheticCatalog(directory.join("catalog"), {
    fileCount: 50_000,
    blocksPerFile: 787,
  });
  assert.ok(catalog.logicalBytes >= 300 * 2 ** 30);
  const { stdout } = await runCommand(["du", "-sm", directory.path], { timeoutMs: 60_000 });
  assert.ok(Number.parseInt(stdout) < 100, `${stdout.trim()}: more MiB than expected`);
});
