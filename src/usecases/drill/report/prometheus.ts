/**
 * Reports as metrics, for the textfile collector of a node exporter.
 *
 * @module
 */

import type { DrillReport } from "../report.ts";

interface Metric {
  readonly name: string;
  readonly help: string;
  samples(report: DrillReport): { readonly labels?: Labels; readonly value: number }[];
}

type Labels = Readonly<Record<string, string>>;

const METRICS: readonly Metric[] = [
  {
    name: "pbkfs_drill_success",
    help: "1 when no check of the last drill has failed.",
    samples: ({ outcome }) => [{ value: outcome === "passed" ? 1 : 0 }],
  },
  {
    name: "pbkfs_drill_timestamp_seconds",
    help: "When the last drill was started.",
    samples: ({ startedAt }) => [{ value: Math.floor(Date.parse(startedAt) / 1000) }],
  },
  {
    name: "pbkfs_drill_duration_seconds",
    help: "How long the last drill took.",
    samples: ({ durationMs }) => [{ value: durationMs / 1000 }],
  },
  {
    name: "pbkfs_drill_check_success",
    help: "1 when the check has passed, 0 when it has failed; absent when it was skipped.",
    samples: ({ checks }) =>
      checks.filter(({ outcome }) => outcome !== "skipped")
        .map(({ name, outcome }) => ({
          labels: { check: name },
          value: outcome === "passed" ? 1 : 0,
        })),
  },
  {
    name: "pbkfs_drill_check_duration_seconds",
    help: "How long the check took.",
    samples: ({ checks }) =>
      checks.map(({ name, durationMs }) => ({ labels: { check: name }, value: durationMs / 1000 })),
  },
  {
    name: "pbkfs_drill_check_findings",
    help: "What the check has found wrong.",
    samples: ({ checks }) =>
      checks.map(({ name, findingCount }) => ({ labels: { check: name }, value: findingCount })),
  },
  {
    name: "pbkfs_drill_recovered_timestamp_seconds",
    help: "The moment of the last transaction that was recovered from the archive.",
    samples: ({ recoveredTo }) =>
      recoveredTo === null ? [] : [{ value: Date.parse(recoveredTo) / 1000 }],
  },
];

/** All drills of a run. */
export function formatPrometheus(reports: readonly DrillReport[]): string {
  return METRICS.map((metric) => formatMetric(metric, reports)).join("");
}

function formatMetric({ name, help, samples }: Metric, reports: readonly DrillReport[]): string {
  const lines = reports.flatMap((report) =>
    samples(report).map(({ labels = {}, value }) =>
      `${name}{${formatLabels({ source: report.source, ...labels })}} ${value}\n`
    )
  );
  return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${lines.join("")}`;
}

function formatLabels(labels: Labels): string {
  return Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`).join(",");
}

function escapeLabel(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
