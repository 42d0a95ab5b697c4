/**
 * Reports as test results: a suite for each drill, a case for each check.
 *
 * @module
 */

import { CHECK_TITLES, type CheckResult, describePlace, type DrillReport } from "../report.ts";
import { escapeMarkup } from "./markup.ts";

/** All drills of a run. */
export function formatJunit(reports: readonly DrillReport[]): string {
  return ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>"]
    .concat(reports.flatMap(suite), "</testsuites>", "").join("\n");
}

function suite({ source, startedAt, durationMs, checks }: DrillReport): string[] {
  const count = (outcome: string) => checks.filter((check) => check.outcome === outcome).length;
  const attributes = {
    name: `restore drill of ${source}`,
    tests: checks.length,
    failures: count("failed"),
    errors: 0,
    skipped: count("skipped"),
    time: seconds(durationMs),
    timestamp: startedAt.replace(/\.\d+Z$/u, ""),
  };
  const cases = checks.map((check) => `    ${testCase(check, source)}`);
  return [`  <testsuite${format(attributes)}>`, ...cases, "  </testsuite>"];
}

function testCase(check: CheckResult, source: string): string {
  const { name, outcome, durationMs, summary, findings, findingCount } = check;
  const attributes = { classname: source, name: CHECK_TITLES[name], time: seconds(durationMs) };
  const start = `<testcase${format(attributes)}`;
  if (outcome === "passed") {
    return `${start}><system-out>${escapeMarkup(summary)}</system-out></testcase>`;
  }
  if (outcome === "skipped") return `${start}><skipped${format({ message: summary })}/></testcase>`;
  const lines = findings.map((finding) => `${describePlace(finding)}: ${finding.message}`);
  const message = { message: `${findingCount} found: ${lines[0]}`, type: name };
  return `${start}><failure${format(message)}>${
    escapeMarkup(lines.join("\n"))
  }</failure></testcase>`;
}

function format(attributes: Readonly<Record<string, string | number>>): string {
  return Object.entries(attributes)
    .map(([name, value]) => ` ${name}="${escapeMarkup(String(value))}"`).join("");
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(3);
}
