/**
 * Links of the lower tree whose target depends on where the tree is mounted, as the diff keeps
 * them: not the target of one mount, but a reference to the link, so that the next mount shows the
 * target that is right there.
 *
 * Text of the link in the diff: `PBKFSLNK:NONCE:PATH`, the nonce in hexadecimal, the path in the
 * lower tree. The nonce keeps users of the mount from making such a link, as it does for partial
 * files.
 *
 * @module
 */

const MAGIC = "PBKFSLNK";

/** Text of a link that stands for the link at `lowerPath` of the lower tree. */
export function formatLinkReference(nonce: Uint8Array, lowerPath: string): string {
  return prefix(nonce) + lowerPath;
}

/** Path in the lower tree of the link that `text` stands for; undefined for a link of its own. */
export function parseLinkReference(nonce: Uint8Array, text: string): string | undefined {
  const start = prefix(nonce);
  return text.startsWith(start) ? text.slice(start.length) : undefined;
}

function prefix(nonce: Uint8Array): string {
  return `${MAGIC}:${nonce.toHex()}:`;
}
