/**
 * Figures of a server in the text format of Prometheus.
 *
 * @module
 */

/** What is counted from the start on. */
export class ServerCounts {
  /** Logins, tickets and tokens that were no good. */
  failedLogins = 0;
  /** Answers by the first digit of their status. */
  readonly requests = new Map<string, number>();

  /** Counts an answer. */
  countRequest(status: number): void {
    const kind = `${Math.floor(status / 100)}xx`;
    this.requests.set(kind, (this.requests.get(kind) ?? 0) + 1);
  }
}

/** What is so at the moment. */
export interface ServerLevels {
  readonly connections: number;
  readonly backups: number;
  readonly readers: number;
  readonly tasks: number;
  readonly stores: number;
}

/** All figures. */
export function formatMetrics(counts: ServerCounts, levels: ServerLevels): string {
  const { rss, heapUsed } = Deno.memoryUsage();
  const metrics: [name: string, kind: string, help: string, ...values: [string, number][]][] = [
    [
      "pbkfs_requests_total",
      "counter",
      "Requests of HTTP/1.1 by the class of their status",
      ...[...counts.requests].map(([status, count]): [string, number] => [
        `{status="${status}"}`,
        count,
      ]),
    ],
    ["pbkfs_failed_logins_total", "counter", "Credentials that were no good", [
      "",
      counts.failedLogins,
    ]],
    ["pbkfs_connections", "gauge", "Open connections", ["", levels.connections]],
    ["pbkfs_sessions", "gauge", "Open sessions by protocol", [
      '{kind="backup"}',
      levels.backups,
    ], ['{kind="reader"}', levels.readers]],
    ["pbkfs_tasks_running", "gauge", "Tasks that run, sessions among them", ["", levels.tasks]],
    ["pbkfs_datastores", "gauge", "Datastores that are served", ["", levels.stores]],
    ["pbkfs_memory_resident_bytes", "gauge", "Memory of the process", ["", rss]],
    ["pbkfs_memory_heap_bytes", "gauge", "Memory of JavaScript objects", ["", heapUsed]],
  ];
  return metrics.map(([name, kind, help, ...values]) =>
    [
      `# HELP ${name} ${help}\n`,
      `# TYPE ${name} ${kind}\n`,
      ...values.map(([labels, value]) => `${name}${labels} ${value}\n`),
    ].join("")
  ).join("");
}
