/**
 * Settings with which a server may start on anybody's data directory: it reaches nobody, nobody
 * but its user reaches it, and it needs nothing of the host that the data come from.
 *
 * They are given on the command line, and the configuration files of the data directory are not
 * read. They may lie elsewhere, include others, and name libraries, certificates, languages and
 * directories that only their host has.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";

/** Names of settings and their values. */
export type PostgresSettings = Readonly<Record<string, string>>;

/** What a server is started for. */
export interface SettingsRequest {
  /** Major version: 17. */
  readonly major: number;
  /** Directory of the socket; private to the server's user. */
  readonly socketDirectory: string;
  readonly port: number;
  /** Rules of access, read instead of those in the data directory. */
  readonly hbaPath: string;
  /** Shown by `ps`. */
  readonly clusterName: string;
  /** The data may be lost when the system goes down. */
  readonly isVolatile: boolean;
  /** Transactions cannot write unless they ask for it. */
  readonly readOnly: boolean;
  readonly recovery: RecoveryRequest | undefined;
  /** Settings that count more than all of these. */
  readonly extra: PostgresSettings;
}

/** A place in the WAL that recovery goes to. */
export type RecoveryTarget =
  | { readonly type: "immediate" }
  | { readonly type: "latest" }
  | { readonly type: "time" | "xid" | "lsn" | "name"; readonly value: string };

/** Recovery from an archive of WAL. */
export interface RecoveryRequest {
  readonly target: RecoveryTarget;
  /** Command that fetches a file of WAL, as the server has it: `%f` and `%p` are replaced. */
  readonly restoreCommand: string;
  /** A number, `latest` or `current`. */
  readonly timeline: string | undefined;
  /** Whether what stands at the target is replayed too. */
  readonly inclusive: boolean;
}

/** More of everything than most servers have: what is not used costs address space alone. */
const CAPACITY: PostgresSettings = {
  max_connections: "64",
  // What was prepared when the backup was made has to fit.
  max_prepared_transactions: "256",
  max_locks_per_transaction: "256",
  max_replication_slots: "64",
  max_worker_processes: "8",
  shared_buffers: "128MB",
  // Whatever the host could do for the former server, this one does not need.
  huge_pages: "off",
  dynamic_shared_memory_type: "posix",
};

/** Nothing leaves the host, and nothing comes in. */
const ALONE: PostgresSettings = {
  listen_addresses: "",
  unix_socket_permissions: "0700",
  unix_socket_group: "",
  ssl: "off",
  archive_mode: "off",
  archive_command: "",
  // Slots of a copied data directory are there only for a server that has this level.
  wal_level: "logical",
  max_wal_senders: "0",
  // Subscriptions would go on where the original does.
  max_logical_replication_workers: "0",
  primary_conninfo: "",
  primary_slot_name: "",
  synchronous_standby_names: "",
};

/** No code of others, and none that starts by itself. */
const PLAIN: PostgresSettings = {
  shared_preload_libraries: "",
  session_preload_libraries: "",
  local_preload_libraries: "",
  archive_cleanup_command: "",
  recovery_end_command: "",
  autovacuum: "off",
  restart_after_crash: "off",
  ident_file: "/dev/null",
  config_file: "/dev/null",
};

/** Messages that can be understood everywhere, on standard error. */
const MESSAGES: PostgresSettings = {
  logging_collector: "off",
  log_destination: "stderr",
  log_min_messages: "warning",
  log_min_error_statement: "panic",
  log_line_prefix: "",
  log_timezone: "GMT",
  log_connections: "off",
  log_disconnections: "off",
  log_checkpoints: "off",
  log_statement: "none",
  log_duration: "off",
  log_min_duration_statement: "-1",
  lc_messages: "C",
  // The languages of another host may not be there, and then the server does not start.
  lc_monetary: "C",
  lc_numeric: "C",
  lc_time: "C",
};

/** Connections are taken when recovery is over: so nothing has to be as the primary had it. */
const RECOVERY: PostgresSettings = {
  hot_standby: "off",
  restore_command: "",
  recovery_target_action: "promote",
  recovery_target_timeline: "latest",
  recovery_target_inclusive: "on",
};

/** Settings that name a target; the server refuses a second one. */
const TARGET_NAMES = [
  "recovery_target",
  "recovery_target_time",
  "recovery_target_xid",
  "recovery_target_lsn",
  "recovery_target_name",
];

/** What is lost with the system may be lost. */
const VOLATILE: PostgresSettings = {
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
};

const DURABLE: PostgresSettings = { fsync: "on", synchronous_commit: "on", full_page_writes: "on" };

/** Settings by the first major version that has them. */
const SINCE: readonly (readonly [major: number, settings: PostgresSettings])[] = [
  // A trigger at login may be anything.
  [17, { event_triggers: "off" }],
];

/** All settings of a server. */
export function safeSettings(request: SettingsRequest): PostgresSettings {
  const { major, socketDirectory, port, hbaPath, clusterName, isVolatile, readOnly } = request;
  const ofVersion = SINCE.filter(([since]) => major >= since).map(([, settings]) => settings);
  return Object.assign(
    {},
    CAPACITY,
    ALONE,
    PLAIN,
    MESSAGES,
    RECOVERY,
    isVolatile ? VOLATILE : DURABLE,
    ...ofVersion,
    {
      unix_socket_directories: socketDirectory,
      port: String(port),
      hba_file: hbaPath,
      cluster_name: clusterName,
      default_transaction_read_only: readOnly ? "on" : "off",
    },
    request.recovery === undefined ? targetSettings({}) : recoverySettings(request.recovery),
    request.extra,
  );
}

function recoverySettings({ target, restoreCommand, timeline, inclusive }: RecoveryRequest) {
  return {
    restore_command: restoreCommand,
    recovery_target_timeline: timeline ?? "latest",
    recovery_target_inclusive: inclusive ? "on" : "off",
    ...targetSettings(settingOf(target)),
  };
}

/** The chosen target behind all others, which are none: the server looks at them in this order. */
function targetSettings(chosen: PostgresSettings): PostgresSettings {
  const others = TARGET_NAMES.filter((name) => !Object.hasOwn(chosen, name));
  return { ...Object.fromEntries(others.map((name) => [name, ""])), ...chosen };
}

function settingOf(target: RecoveryTarget): PostgresSettings {
  if (target.type === "latest") return {};
  if (target.type === "immediate") return { recovery_target: "immediate" };
  return { [`recovery_target_${target.type}`]: target.value };
}

/** Settings that would take away what makes the server safe. */
const FIXED: ReadonlySet<string> = new Set([
  ...Object.keys(RECOVERY),
  ...TARGET_NAMES,
  "config_file",
  "data_directory",
  "external_pid_file",
  "hba_file",
  "ident_file",
  "listen_addresses",
  "logging_collector",
  "log_destination",
  "lc_messages",
  "port",
  "unix_socket_directories",
]);

/** Refuses settings that are not the user's to choose. @throws {UsageError} */
export function requireFree(settings: PostgresSettings): void {
  const name = Object.keys(settings).find((each) => FIXED.has(each.toLowerCase()));
  if (name === undefined) return;
  throw new UsageError(`Cannot set "${name}": the server could not be reached, or not alone`, {
    option: "config",
  });
}
