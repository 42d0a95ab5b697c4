/**
 * Reports for a terminal or a mail.
 *
 * @module
 */

import { showMessage } from "#src/bytes/quoting.ts";
import { CHECK_TITLES, type CheckResult, describePlace, type DrillReport } from "../report.ts";

const MARKS = { passed: "ok  ", failed: "BAD ", skipped: "-   " } as const;
const TITLE_WIDTH = Math.max(...Object.values(CHECK_TITLES).map((title) => title.length));
const FINDINGS_SHOWN = 20;

/** One drill. */
export function formatText(report: DrillReport): string {
  const { source, outcome, durationMs, recoveredTo, checks } = report;
  const until = recoveredTo === null ? "" : `, state of ${recoveredTo}`;
  return [
    `${outcome === "passed" ? "GREEN" : "RED"} ${showMessage(source)}${until}, ${
      seconds(durationMs)
    }`,
    ...checks.flatMap(linesOf),
  ].map((line) => `${line}\n`).join("");
}

function linesOf(check: CheckResult): string[] {
  const { name, outcome, durationMs, summary, findings, findingCount } = check;
  const skipped = outcome === "skipped" ? "skipped: " : "";
  const time = outcome === "skipped" ? "" : `, ${seconds(durationMs)}`;
  const shown = findings.slice(0, FINDINGS_SHOWN).map((finding) => {
    const place = describePlace(finding);
    return `         ${
      showMessage(place === "" ? finding.message : `${place}: ${finding.message}`)
    }`;
  });
  const more = findingCount - shown.length;
  return [
    `  ${MARKS[outcome]} ${CHECK_TITLES[name].padEnd(TITLE_WIDTH)}  ${skipped}${summary}${time}`,
    ...shown,
    ...(more > 0 ? [`         … and ${more} more`] : []),
  ];
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
