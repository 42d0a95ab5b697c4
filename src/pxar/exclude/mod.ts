/**
 * The pattern language of `--exclude`, `--pattern` and `.pxarexclude` files. Pure: bytes in,
 * decisions out.
 *
 * @module
 */

export { PATTERN_SIZE_MAX } from "./compile.ts";
export { PathPattern, type PatternAction, type PatternOptions } from "./pattern.ts";
export { formatPatterns, parseExcludeOptions, PatternList } from "./pattern_list.ts";
export {
  EXCLUDE_FILE_NAME,
  EXCLUDE_FILE_SIZE_MAX,
  type ParsedExcludeFile,
  parseExcludeFile,
  withoutByteOrderMark,
} from "./pxarexclude_file.ts";
