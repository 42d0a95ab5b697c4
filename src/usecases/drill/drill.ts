/**
 * A restore drill without a restore: a source is mounted, a server started on it, and everything
 * that can be asked whether it is sound is asked. What is wrong with the backup is in the report;
 * what is wrong with the question is thrown.
 *
 * @module
 */

import { Failure, StateError, toRecord, UsageError } from "#src/errors.ts";
import { PostgresConnection, SqlError } from "#src/postgres/connection.ts";
import type { RecoveryTarget } from "#src/postgres/settings.ts";
import { type ClusterRequest, MountedCluster } from "../server_on_source/mounted_cluster.ts";
import { defaultDatabase, listDatabases, openAsSuperuser } from "../server_on_source/superuser.ts";
import { placeIn, runAmcheck } from "./amcheck.ts";
import { type AssertionFile, requireStatements, runAssertions } from "./assertions.ts";
import { runDump } from "./dump.ts";
import { backupsPassedOver } from "./newer_backups.ts";
import { checkPages } from "./page_check.ts";
import { listRelations, type Relation } from "./relations.ts";
import {
  CHECK_TITLES,
  type CheckEnd,
  type CheckName,
  type CheckResult,
  type DrillReport,
  type Finding,
  Findings,
  FINDINGS_MAX,
  Skipped,
} from "./report.ts";

/** A drill, as asked for. */
export interface DrillRequest extends ClusterRequest {
  /** Checks tables and indexes. Default: true. */
  readonly amcheck?: boolean;
  /** Of the pages, so much of a hundred; 0: none. Default: 100. */
  readonly pagePercent?: number;
  /** Statements whose rows must be true. Default: none. */
  readonly assertions?: readonly AssertionFile[];
  /** Where assertions run that name no database. Default: the only one of users, or `postgres`. */
  readonly database?: string | undefined;
  /** Dumps all databases to nowhere. Default: false. */
  readonly dump?: boolean;
  /** Threads and connections that check at a time. Default: one a processor. */
  readonly jobs?: number;
}

const DEFAULTS = { amcheck: true, pagePercent: 100, assertions: [], dump: false } as const;

/**
 * Makes the drill.
 *
 * @example
 * ```ts
 * import { drill } from "@pbkfs/pbkfs/drill";
 *
 * export async function isSound(backup: string): Promise<boolean> {
 *   const { outcome, checks } = await drill({ source: backup, dump: true });
 *   for (const { name, findings } of checks) console.log(name, findings);
 *   return outcome === "passed";
 * }
 * ```
 *
 * @throws {UsageError} when it is not asked for as it should be
 * @throws {FormatError} `sql` when assertions cannot be read
 * @throws {StateError} `interrupted`
 */
export async function drill(request: DrillRequest): Promise<DrillReport> {
  const complete = { ...DEFAULTS, jobs: navigator.hardwareConcurrency, ...request };
  requireStatements(complete.assertions);
  return await new Drill(complete).run();
}

/** A request with nothing left open that a check needs. */
type CompleteRequest =
  & DrillRequest
  & Required<Pick<DrillRequest, "jobs" | keyof typeof DEFAULTS>>;

class Drill {
  readonly #request: CompleteRequest;
  readonly #checks: CheckResult[] = [];
  #relations = new Map<string, Relation[]>();
  #backup: string | null = null;
  #serverVersion: string | null = null;
  #recoveredTo: string | null = null;

  constructor(request: CompleteRequest) {
    this.#request = request;
  }

  async run(): Promise<DrillReport> {
    const startedAt = new Date().toISOString();
    const startMs = performance.now();
    await this.#mountAndCheck();
    return {
      source: this.#request.source,
      backup: this.#backup,
      startedAt,
      durationMs: Math.round(performance.now() - startMs),
      outcome: this.#checks.some(({ outcome }) => outcome === "failed") ? "failed" : "passed",
      serverVersion: this.#serverVersion,
      recoveredTo: this.#recoveredTo,
      checks: this.#checks,
    };
  }

  async #mountAndCheck(): Promise<void> {
    let opened: MountedCluster | undefined;
    await this.#check("mount", async () => {
      const findings = new Findings();
      for (const { backupId, reason } of backupsPassedOver(this.#request.source)) {
        findings.add({ message: `the later backup ${backupId} cannot be opened: ${reason}` });
      }
      opened = await MountedCluster.open(this.#request);
      this.#backup = opened.sourceName;
      return { summary: this.#backup, findings };
    });
    if (opened === undefined) return;
    await using cluster = opened;
    await this.#check("start", () => this.#start(cluster));
    if (this.#serverVersion !== null) await this.#askServer(cluster);
    await cluster.stop();
    await this.#checkPages(cluster);
    this.#addReadFailures(cluster.readFailures());
  }

  async #start(cluster: MountedCluster): Promise<CheckEnd> {
    const findings = new Findings();
    await cluster.start();
    const { user, connection } = await openAsSuperuser(cluster);
    using _ending = connection;
    const { rows: [row] } = await connection.query(
      "select current_setting('server_version'), to_char(pg_last_xact_replay_timestamp() " +
        "at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')",
    );
    this.#serverVersion = row![0] ?? null;
    this.#recoveredTo = row![1] ?? null;
    this.#user = user;
    this.#databases = await listDatabases(connection);
    const recovery = cluster.recovery;
    return {
      summary: `PostgreSQL ${this.#serverVersion}, ${describeRecovery(recovery)}`,
      findings,
    };
  }

  #user = "";
  #databases: readonly string[] = [];

  async #askServer(cluster: MountedCluster): Promise<void> {
    const { amcheck, assertions, dump, jobs, signal, programPath } = this.#request;
    const connect = (database: string) =>
      PostgresConnection.open(cluster.server.target(this.#user, database));
    await this.#listRelations(connect);
    await this.#check("amcheck", () => {
      if (!amcheck) return Promise.resolve(new Skipped("not asked for"));
      const onRelations = (count: number) => this.#tell("amcheck", `${count} relations`);
      return runAmcheck({ relations: this.#relations, jobs, connect, signal, onRelations });
    });
    const { database = defaultDatabase(this.#databases) } = this.#request;
    if (assertions.length > 0) {
      await this.#check(
        "sql",
        () => runAssertions({ files: assertions, database, connect, signal }),
      );
    }
    if (dump) {
      await this.#check("dump", () =>
        runDump({
          target: cluster.server.target(this.#user, this.#databases[0] ?? "template1"),
          binaries: cluster.binaries,
          programPath,
          signal,
          onBytes: (count) => this.#tell("dump", `${count} bytes`),
        }));
    }
  }

  /** Names for files that turn out bad; a database that cannot be asked has none. */
  async #listRelations(connect: (database: string) => Promise<PostgresConnection>): Promise<void> {
    for (const database of this.#databases) {
      try {
        using connection = await connect(database);
        this.#relations.set(database, await listRelations(connection));
      } catch (error) {
        if (!(error instanceof SqlError)) throw error;
        this.#relations.set(database, []);
      }
    }
  }

  async #checkPages(cluster: MountedCluster): Promise<void> {
    const { pagePercent, jobs, signal } = this.#request;
    await this.#check("pages", () => {
      if (pagePercent === 0) return Promise.resolve(new Skipped("not asked for"));
      const owners = new Map(
        [...this.#relations].flatMap(([database, relations]) =>
          relations.map(({ name, file }) => [file, { database, relation: name }] as const)
        ),
      );
      return checkPages({
        dataDirectory: cluster.dataDirectory,
        jobs,
        samplePercent: pagePercent,
        signal,
        relationOf: (file) => owners.get(file) ?? {},
        onPages: (count) => this.#tell("pages", `${count} pages`),
      });
    });
  }

  /** Others have found them by what could not be read; why, only the mount knows. */
  #addReadFailures(messages: readonly string[]): void {
    if (messages.length === 0) return;
    const [mount] = this.#checks;
    const findings = messages.map((message): Finding => ({ message })).concat(mount!.findings)
      .slice(0, FINDINGS_MAX);
    const findingCount = mount!.findingCount + messages.length;
    this.#checks[0] = { ...mount!, outcome: "failed", findings, findingCount };
  }

  /** Makes a check, and puts its end into the report. @throws what is not the backup's fault */
  async #check(name: CheckName, make: () => Promise<CheckEnd | Skipped>): Promise<void> {
    const { signal } = this.#request;
    signal?.throwIfAborted();
    this.#tell(name, "");
    const startMs = performance.now();
    let end: CheckEnd | Skipped;
    try {
      end = await make();
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason;
      if (!isOfBackup(error)) throw error;
      const findings = new Findings();
      findings.add(findingOf(error));
      end = { summary: "not finished", findings };
    }
    this.#checks.push({
      name,
      durationMs: Math.round(performance.now() - startMs),
      ...endOf(end),
    });
  }

  #tell(name: CheckName, detail: string): void {
    const { onProgress } = this.#request;
    onProgress?.(detail === "" ? CHECK_TITLES[name] : `${CHECK_TITLES[name]}: ${detail}`);
  }
}

function describeRecovery(target: RecoveryTarget | undefined): string {
  if (target === undefined) return "recovered by the WAL that it has";
  if (target.type === "immediate") return "recovered from the archive to the end of the backup";
  if (target.type === "latest") return "recovered from the archive to its end";
  return `recovered from the archive to ${target.type} ${target.value}`;
}

function endOf(end: CheckEnd | Skipped) {
  if (end instanceof Skipped) {
    const nothing = { counts: {}, findings: [], findingCount: 0 };
    return { outcome: "skipped", summary: end.reason, ...nothing } as const;
  }
  const { summary, counts = {}, findings: { kept: findings, count: findingCount } } = end;
  const outcome = findingCount === 0 ? "passed" : "failed";
  return { outcome, summary, counts, findings, findingCount } as const;
}

/** Bugs, mistakes of the caller and interruptions are no findings. */
function isOfBackup(error: unknown): boolean {
  if (error instanceof StateError && error.code === "interrupted") return false;
  return error instanceof Failure && !(error instanceof UsageError);
}

function findingOf(error: unknown): Finding {
  const { message, hint, details } = toRecord(error);
  const text = hint === undefined ? message : `${message}: ${hint}`;
  const { path } = details;
  return { message: text, ...(path === undefined ? {} : { file: String(path) }), ...placeIn(text) };
}
