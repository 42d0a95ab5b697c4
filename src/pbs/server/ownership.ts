/**
 * Whose a backup group is.
 *
 * @module
 */

/**
 * Whether somebody may use a group as its owner: he is it, or one of his API tokens is. Not the
 * other way round: a token does not have what is its user's.
 */
export function isOwnedBy(owner: string, authId: string): boolean {
  return owner === authId || owner.startsWith(`${authId}!`);
}
