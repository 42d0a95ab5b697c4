/**
 * Reports as a page that needs nothing else: no script, no font, no picture from elsewhere.
 *
 * @module
 */

import {
  CHECK_TITLES,
  type CheckResult,
  describePlace,
  type DrillReport,
  type Outcome,
} from "../report.ts";
import { escapeMarkup } from "./markup.ts";

const STYLE = `
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --text: #1c2330; --dim: #5b6676;
  --line: #dfe3e9; --good: #14713d; --good-back: #e3f4ea; --bad: #b3201d; --bad-back: #fdeaea;
  --none: #5b6676; --none-back: #eceff3; }
@media (prefers-color-scheme: dark) { :root { --page: #12151b; --card: #1b2028; --text: #e6e9ee;
  --dim: #9aa5b4; --line: #2d3540; --good: #6fd39a; --good-back: #15301f; --bad: #ff8f8a;
  --bad-back: #3a1a1a; --none: #9aa5b4; --none-back: #262d37; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 2rem 1rem 3rem; background: var(--page); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; }
h1 { margin: 0 0 1.5rem; font-size: 1.5rem; }
article { margin-bottom: 1.5rem; padding: 1.25rem 1.5rem; background: var(--card);
  border: 1px solid var(--line); border-radius: 0.5rem; }
h2 { margin: 0; font-size: 1.1rem; overflow-wrap: anywhere; }
header { display: flex; flex-wrap: wrap; gap: 0.5rem 1rem; align-items: baseline; }
header h2 { flex: 1 1 16rem; }
.facts { margin: 0.25rem 0 1rem; color: var(--dim); }
.mark { display: inline-block; justify-self: start; padding: 0.05rem 0.6rem; border-radius: 1rem; font-size: 0.875rem;
  font-weight: 600; white-space: nowrap; }
.passed { color: var(--good); background: var(--good-back); }
.failed { color: var(--bad); background: var(--bad-back); }
.skipped { color: var(--none); background: var(--none-back); }
.check { display: grid; grid-template-columns: 6rem 11rem 1fr auto; gap: 0 1rem;
  padding: 0.6rem 0; border-top: 1px solid var(--line); align-items: baseline; }
.check h3 { margin: 0; font-size: 1rem; font-weight: 600; }
.check p { margin: 0; overflow-wrap: anywhere; }
.time { justify-self: end; color: var(--dim); font-variant-numeric: tabular-nums; }
.findings { grid-column: 1 / -1; margin: 0.6rem 0 0; padding: 0; list-style: none; }
.findings li { padding: 0.4rem 0.75rem; border-left: 3px solid var(--bad); margin-top: 0.4rem;
  background: var(--bad-back); overflow-wrap: anywhere; }
.findings code { display: block; font: 0.875rem/1.5 ui-monospace, monospace; }
@media (max-width: 40rem) { body { padding: 1rem 0.75rem 2rem; } article { padding: 1rem; }
  .check { grid-template-columns: 1fr auto; } .check h3 { grid-row: 1; }
  .check .mark { grid-row: 1; grid-column: 2; justify-self: end; } .check p { grid-column: 1; } }
`;

const WORDS: Readonly<Record<Outcome, string>> = {
  passed: "passed",
  failed: "failed",
  skipped: "skipped",
};

/** All drills of a run. */
export function formatHtml(reports: readonly DrillReport[]): string {
  const failed = reports.filter(({ outcome }) => outcome === "failed").length;
  const title = failed === 0 ? "Restore drill passed" : "Restore drill failed";
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${title}</h1>
${reports.map(article).join("\n")}
</main>
</body>
</html>
`;
}

function article(report: DrillReport): string {
  const { source, startedAt, durationMs, outcome, serverVersion, recoveredTo, checks } = report;
  const facts = [
    startedAt.replace("T", " ").replace(/\.\d+Z$/u, " UTC"),
    seconds(durationMs),
    ...(serverVersion === null ? [] : [`PostgreSQL ${serverVersion}`]),
    ...(recoveredTo === null
      ? []
      : [`state of ${recoveredTo.replace("T", " ").replace("Z", " UTC")}`]),
  ];
  return `<article>
<header><h2>${escapeMarkup(source)}</h2>${mark(outcome)}</header>
<p class="facts">${escapeMarkup(facts.join(" · "))}</p>
${checks.map(section).join("\n")}
</article>`;
}

function section(check: CheckResult): string {
  const { name, outcome, durationMs, summary } = check;
  return `<section class="check">
${mark(outcome)}<h3>${CHECK_TITLES[name]}</h3><p>${escapeMarkup(summary)}</p>` +
    `<span class="time">${outcome === "skipped" ? "" : seconds(durationMs)}</span>
${findings(check)}</section>`;
}

function findings({ findings, findingCount }: CheckResult): string {
  if (findingCount === 0) return "";
  const items = findings.map((finding) => {
    const place = describePlace(finding);
    const code = place === "" ? "" : `<code>${escapeMarkup(place)}</code>`;
    return `<li>${code}${escapeMarkup(finding.message)}</li>`;
  });
  const more = findingCount - findings.length;
  if (more > 0) items.push(`<li>and ${more} more</li>`);
  return `<ul class="findings">${items.join("\n")}</ul>\n`;
}

function mark(outcome: Outcome): string {
  return `<span class="mark ${outcome}">${WORDS[outcome]}</span>`;
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
