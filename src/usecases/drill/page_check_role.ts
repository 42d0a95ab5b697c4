/**
 * What threads that check pages are called.
 *
 * @module
 */

/** Their role. */
export const PAGE_CHECK_ROLE = "pages";
