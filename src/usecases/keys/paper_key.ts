/**
 * Keys on paper: their text to be typed, and a code to be scanned.
 *
 * The text between the lines BEGIN and END is a key file again.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import { formatKeyFile, type KeyFile } from "#src/pbs/format/key_file.ts";

const PROGRAM = "qrencode";
const BEGIN = "-----BEGIN PROXMOX BACKUP KEY-----";
const END = "-----END PROXMOX BACKUP KEY-----";

/** The lines of a key as printed. */
export function paperLines(file: KeyFile): string[] {
  return JSON.stringify(JSON.parse(formatKeyFile(file)), null, 2).split("\n");
}

/** A key to be printed as plain text. @throws {StateError} `not-found` without qrencode */
export async function formatPaperText(
  file: KeyFile,
  subject: string | undefined,
): Promise<string> {
  const lines = paperLines(file);
  const head = subject === undefined ? "" : `Subject: ${subject}\n\n`;
  const code = await encodeLines(lines, ["-t", "UTF8i", "-m", "2"]);
  return `${head}${[BEGIN, ...lines, END].join("\n")}\n${code}`;
}

/** A key to be printed by a browser. @throws {StateError} `not-found` without qrencode */
export async function formatPaperPage(
  file: KeyFile,
  subject: string | undefined,
): Promise<string> {
  const lines = paperLines(file);
  const image = await encodeLines(lines, ["-t", "SVG", "-m", "0"]);
  const code = new TextEncoder().encode(image).toBase64();
  const title = subject === undefined ? "" : `<p>Subject: ${escapeHtml(subject)}</p>\n`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Proxmox Backup Paperkey</title>
<style>
pre { font-size: 11pt; }
img { width: 10cm; image-rendering: pixelated; }
</style>
</head>
<body>
${title}<pre>
${escapeHtml([BEGIN, ...lines, END].join("\n"))}
</pre>
<img alt="QR code" src="data:image/svg+xml;base64,${code}">
</body>
</html>
`;
}

/** The lines as a code, each followed by a line feed, as drawn by qrencode. */
async function encodeLines(lines: readonly string[], options: readonly string[]): Promise<string> {
  const child = startEncoder(options);
  // By standard input: arguments are for everybody to see.
  const writer = child.stdin.getWriter();
  const writing = writer.write(new TextEncoder().encode(lines.map((line) => `${line}\n`).join("")))
    .then(() => writer.close());
  const [{ success, stdout }] = await Promise.all([child.output(), writing]);
  if (success) return new TextDecoder().decode(stdout);
  throw new StateError("not-found", `Cannot print the key: ${PROGRAM} failed`);
}

function startEncoder(options: readonly string[]): Deno.ChildProcess {
  try {
    return new Deno.Command(PROGRAM, {
      args: [...options, "-o", "-"],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new StateError("not-found", `Cannot print the key: there is no program ${PROGRAM}`, {
      hint: "Install the package qrencode",
      cause,
    });
  }
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/gu, (character) => `&#${character.codePointAt(0)};`);
}
