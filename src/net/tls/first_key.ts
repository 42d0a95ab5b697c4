/**
 * The first secret key of a process.
 *
 * @module
 */

/**
 * Makes it, though nobody uses it: it takes the runtime 20 ms of a processor, whoever wants it.
 * Better in a thread of the runtime's, now, than within the first connection.
 */
export function makeFirstKey(): void {
  void crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
}
