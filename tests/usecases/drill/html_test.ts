/** The page of a drill, looked at by a browser. */

import assert from "node:assert/strict";
import { formatHtml } from "#src/usecases/drill/report/html.ts";
import type { DrillReport } from "#src/usecases/drill/report.ts";
import { hasPrograms, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const BROWSER = "chromium";
const HOSTILE = `<img src=x onerror="document.title='stolen'">&amp;\0`;

const REPORT: DrillReport = {
  source: `/backups/${"long".repeat(40)}#main/latest`,
  backup: null,
  startedAt: "2026-11-29T21:40:39.123Z",
  durationMs: 9700,
  outcome: "failed",
  serverVersion: "17.10",
  recoveredTo: "2026-11-29T12:00:00Z",
  checks: [
    {
      name: "mount",
      outcome: "passed",
      durationMs: 12,
      summary: "fine",
      counts: {},
      findings: [],
      findingCount: 0,
    },
    {
      name: "amcheck",
      outcome: "failed",
      durationMs: 3500,
      summary: `${HOSTILE}${"w".repeat(300)}`,
      counts: {},
      findings: [{
        message: HOSTILE,
        database: HOSTILE,
        relation: `public.${"r".repeat(200)}`,
        file: "base/5/16396",
        block: 3,
      }],
      findingCount: 7,
    },
    {
      name: "pages",
      outcome: "skipped",
      durationMs: 0,
      summary: "not asked for",
      counts: {},
      findings: [],
      findingCount: 0,
    },
  ],
};

/** What a script in the page sees. */
interface Look {
  readonly title: string;
  readonly width: number;
  readonly widthOfContents: number;
  /** Of what sticks out at the side. */
  readonly outside: readonly string[];
  readonly images: number;
  readonly dark: boolean;
  /** Lowest contrast of a text and what is behind it. */
  readonly contrast: number;
  readonly text: string;
}

/** Runs in the page. */
const LOOK = `
const number = (text) => text.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
  .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
const behind = (node) => {
  for (; node; node = node.parentElement) {
    const color = number(getComputedStyle(node).backgroundColor);
    if (color.length === 3 || color[3] > 0) return color;
  }
  return [255, 255, 255];
};
const all = [...document.querySelectorAll("main *")].filter((node) => node.tagName !== "SCRIPT");
const contrasts = all.map((node) => {
  const [a, b] = [number(getComputedStyle(node).color), behind(node)].map(light).sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
});
const seen = {
  title: document.title, width: innerWidth, widthOfContents: document.documentElement.scrollWidth,
  outside: all.filter((node) => node.getBoundingClientRect().right > innerWidth + 1).map((node) => node.className || node.tagName),
  images: document.images.length,
  dark: light(behind(document.body)) < 0.2,
  contrast: Math.min(...contrasts),
  text: document.querySelector("main").innerText,
};
document.body.innerHTML = "";
document.body.dataset.seen = encodeURIComponent(JSON.stringify(seen));
`;

async function look(page: string, width: number, scheme: "light" | "dark"): Promise<Look> {
  using home = new TempDirectory("browser");
  const path = home.join("page.html");
  // A window has a least width; a frame has not.
  const inner = page.replace(
    "</body>",
    `<script>${LOOK}parent.postMessage(document.body.dataset.seen, "*");</script></body>`,
  );
  const frame =
    `<meta charset="utf-8"><body><iframe width="${width}" height="900" style="border:0;color-scheme:${scheme}"></iframe>
<script>onmessage = ({ data }) => document.body.dataset.seen = data;
document.querySelector("iframe").srcdoc = ${
      JSON.stringify(inner).replaceAll("<", "\\u003c")
    };</script>`;
  Deno.writeTextFileSync(path, frame);
  const { stdout } = await runCommand([
    BROWSER,
    ...["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000"],
    `--user-data-dir=${home.join("profile")}`,
    `--blink-settings=preferredColorScheme=${scheme === "dark" ? 0 : 1}`,
    ...["--window-size=1400,1000", "--dump-dom", `file://${path}`],
  ], { timeoutMs: 60_000 });
  const [, seen] = /<body[^>]* data-seen="([^"]+)"/u.exec(stdout) ?? [];
  assert.ok(seen !== undefined, stdout.slice(0, 2000));
  return JSON.parse(decodeURIComponent(seen));
}

Deno.test("the page of a drill holds what others have named as text, and loads nothing", () => {
  const page = formatHtml([REPORT]);
  assert.ok(!page.includes("<img") && !page.includes("\0"));
  assert.doesNotMatch(page, /<script|<link|url\(|@import|https?:/u);
});

Deno.test({
  name: "the page of a drill fits a desktop and a telephone, in light and dark",
  ignore: !hasPrograms(BROWSER),
  async fn(t) {
    const page = formatHtml([REPORT, {
      ...REPORT,
      outcome: "passed",
      checks: REPORT.checks.slice(0, 1),
    }]);
    for (const width of [1280, 360]) {
      for (const scheme of ["light", "dark"] as const) {
        await t.step(`${width} pixels, ${scheme}`, async () => {
          const seen = await look(page, width, scheme);
          assert.equal(seen.title, "Restore drill failed");
          assert.equal(seen.width, width);
          assert.ok(seen.widthOfContents <= width, `${seen.widthOfContents}`);
          assert.deepEqual(seen.outside, []);
          assert.equal(seen.images, 0);
          assert.equal(seen.dark, scheme === "dark");
          assert.ok(seen.contrast >= 4.5, `contrast ${seen.contrast}`);
          for (
            const text of [
              "Tables and indexes",
              "block 3",
              "and 6 more",
              "skipped",
              "2026-11-29 21:40:39 UTC",
            ]
          ) {
            assert.ok(seen.text.includes(text), text);
          }
        });
      }
    }
  },
});
