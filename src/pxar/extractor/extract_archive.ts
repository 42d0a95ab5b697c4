/**
 * Extracts an archive that is read in order, from a file or a pipe.
 *
 * @module
 */

import { Failure } from "#src/errors.ts";
import type { PxarAccessor } from "../accessor.ts";
import type { PxarDecoder, PxarEntryEvent } from "../decoder.ts";
import type { PxarHardlink } from "../entry.ts";
import type { PathPattern } from "../exclude/pattern.ts";
import type { ExtractTarget } from "./extract_target.ts";
import { Extraction, type ExtractionOptions, factsOfEntry, type ReadNext } from "./extraction.ts";
import { type DamageHelp, DamagePath } from "../damage_path.ts";
import { RestoredLinks } from "./linked_files.ts";
import type { ExtractReport } from "./report.ts";
import { EntrySelection } from "./selection.ts";

/** How a whole archive is extracted. */
export interface ExtractArchiveOptions extends ExtractionOptions, DamageHelp {
  /** Restores only what they select, and the directories on the way; see `selection.ts`. */
  readonly patterns?: readonly PathPattern[];
  /** Called with the prelude, if the archive has one. */
  readonly onPrelude?: (bytes: Uint8Array) => void;
  /**
   * Gives random access to the same archive, where that can be had: called at most once, for a hard
   * link whose file is not selected, or cannot be linked to, which then gets the content. Without
   * it such a link is an error.
   */
  readonly openAccessor?: (() => PxarAccessor) | undefined;
}

/**
 * Extracts what `decoder` reads into `target`, and closes the target. The target directory gets the
 * metadata of the archive's root.
 *
 * @throws {FormatError} when the archive is broken, at its beginning or where there are no tables
 *   by which to go on; what is restored until there stays
 * @throws {IntegrityError | StateError} when an entry is damaged, and there are no such tables
 * @throws {OsError} when it cannot be read
 * @throws in strict mode, the first error of an entry
 *
 * @example
 * ```ts ignore
 * const report = extractArchive(new PxarDecoder(source), DescriptorTarget.open("restored"));
 * for (const { path, error } of report.problems) console.error(path, error.message);
 * ```
 */
export function extractArchive(
  decoder: PxarDecoder,
  target: ExtractTarget,
  options: ExtractArchiveOptions = {},
): ExtractReport {
  const selection = new EntrySelection(options.patterns ?? []);
  const hasTables = options.openTables !== undefined;
  return new Extraction(target, options, hasTables).run((extraction) => {
    const damage = new DamagePath(decoder, extraction, options);
    const links = new SelectedLinks(extraction, selection, damage, options.openAccessor);
    /** Whether the directories on the way are selected. */
    const selected: boolean[] = [];
    const leave = () => {
      selected.pop();
      extraction.leaveDirectory();
    };
    const read: ReadNext = ({ bytes }, start, size) => {
      const isWhole = start === 0 && size === bytes.length;
      return decoder.readContent(isWhole ? bytes : bytes.subarray(start, start + size));
    };
    const select = (path: string, isDirectory: boolean) => {
      const isSelected = selection.selects(path, isDirectory, selected.at(-1) ?? false);
      if (isDirectory) selected.push(isSelected);
      return isSelected;
    };
    const next = () =>
      damage.next((depth) => {
        // The root itself is damaged: what is in it need not be.
        if (selected.length === 0) {
          select("/", true);
          extraction.beginRoot(undefined);
        }
        while (selected.length > depth) leave();
      });
    for (let event = next(); event !== undefined; event = next()) {
      if (event.type === "prelude") options.onPrelude?.(event.bytes);
      else if (event.type === "leave") leave();
      else if (event.type === "entry") {
        const isSelected = select(event.path, event.entry.kind === "directory");
        restore(extraction, event, isSelected, links, read);
      }
    }
  });
}

function restore(
  extraction: Extraction,
  event: PxarEntryEvent,
  isSelected: boolean,
  links: SelectedLinks,
  read: ReadNext,
): void {
  const { name, path, depth, offset, entry } = event;
  if (entry.kind === "directory") {
    if (depth === 0) extraction.beginRoot(entry.metadata);
    else extraction.enterDirectory(name, path, entry.metadata, isSelected);
  } else if (!isSelected) {
    extraction.skip();
  } else if (entry.kind === "hardlink") {
    links.restore({ name, path, offset, entry });
  } else {
    extraction.restoreEntry(name, path, factsOfEntry(entry), read);
  }
}

/** A hard link that is to be restored. */
interface SelectedLink {
  readonly name: string;
  readonly path: string;
  readonly offset: number;
  readonly entry: PxarHardlink;
}

/** Restores hard links, also those whose file is not selected. */
class SelectedLinks {
  readonly #extraction: Extraction;
  readonly #selection: EntrySelection;
  readonly #damage: DamagePath;
  readonly #openAccessor: (() => PxarAccessor) | undefined;
  #opened: { readonly accessor: PxarAccessor; readonly files: RestoredLinks } | undefined;

  constructor(
    extraction: Extraction,
    selection: EntrySelection,
    damage: DamagePath,
    openAccessor: (() => PxarAccessor) | undefined,
  ) {
    this.#extraction = extraction;
    this.#selection = selection;
    this.#damage = damage;
    this.#openAccessor = openAccessor;
  }

  restore(link: SelectedLink): void {
    const { name, path, offset, entry: { targetPath, distance } } = link;
    const isSelected = this.#selection.selectsFile(`/${targetPath}`);
    const openAccessor = this.#openAccessor;
    const mayCopy = openAccessor !== undefined;
    const isDone = (isSelected || !mayCopy) &&
      this.#extraction.restoreHardlink(name, path, targetPath, {
        isTargetSelected: isSelected,
        mayCopy,
        isTargetLost: this.#damage.isLost(offset - Number(distance)),
      });
    if (isDone || openAccessor === undefined) return;
    try {
      this.#opened ??= this.#open(openAccessor);
      const { accessor, files } = this.#opened;
      files.restore(accessor.resolveHardlink(link), name, path.slice(1));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      this.#extraction.fail(path, error);
    }
  }

  #open(openAccessor: () => PxarAccessor) {
    const accessor = openAccessor();
    return { accessor, files: new RestoredLinks(accessor, this.#extraction) };
  }
}
