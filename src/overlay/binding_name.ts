/**
 * The name by which a diff directory is known: alone, for who looks for one and has not to read it.
 *
 * @module
 */

/** Name of the record in the diff directory. */
export const BINDING_FILE_NAME = ".pbkfs-binding.json";
