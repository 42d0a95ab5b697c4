/**
 * A tar archive as a source.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { LocalAccounts } from "#src/io/accounts.ts";
import type { ByteSource, OpenSource } from "#src/io/byte_source.ts";
import { nativeSourceOf, openNativeSource } from "#src/io/files/native_source.ts";
import { openGated } from "#src/io/wait_gate.ts";
import { indexTar } from "#src/tar/tar_index.ts";
import { type TarPart, tarTree, tellsAcl } from "#src/tar/tar_tree.ts";
import type { MountableTree } from "#src/tree/node.ts";
import { formatSourceName } from "../name.ts";
import { factsOf } from "../postgres_facts.ts";
import { identifyFiles } from "../pxar/file_marks.ts";
import { type Source, type SourceDescription, type SourceThread, summaryOf } from "../source.ts";
import { compressionOf, expandToSpool, type SpoolFile } from "./tar_compression.ts";
import { type TarFilePlace, tarFilesOf } from "./tar_files.ts";

/** One file of an archive, listed. */
interface DescribedPart extends TarPart {
  readonly path: string;
  /** Where it is expanded; undefined: it is not compressed. */
  readonly spool: SpoolFile | undefined;
}

/** See {@link SourceDescription}. */
export interface TarDescription extends SourceDescription {
  readonly kind: "tar";
  readonly parts: readonly DescribedPart[];
}

const HEAD_SIZE = 4;

/**
 * Opens an archive: lists it once, and expands it first where it is compressed.
 *
 * @param path absolute, without links
 * @throws what `indexTar()`, `tarTree()` and `expandToSpool()` throw
 */
export async function openTarSource(path: string): Promise<Source> {
  using stack = new DisposableStack();
  const files = tarFilesOf(path);
  const parts: DescribedPart[] = [];
  for (const file of files) parts.push(await describePart(file, stack));
  const name = formatSourceName({ kind: "tar", place: path, item: undefined });
  const description: TarDescription = {
    kind: "tar",
    name,
    label: path,
    content: "tree",
    sizeBytes: files.reduce((sum, each) => sum + sizeOf(each.path), 0),
    mayHaveAcls: parts.some(({ members }) => members.some(tellsAcl)),
    parts,
  };
  const openTree = () => openParts(description);
  openTree().close();
  const kept = stack.move();
  return {
    description,
    get summary() {
      return summaryOf(description, factsOf(openTree));
    },
    identify: () => identifyFiles("tar", name, files.map((file) => file.path)),
    openTree,
    [Symbol.dispose]: () => kept.dispose(),
  };
}

async function describePart(
  { path, directory, link }: TarFilePlace,
  stack: DisposableStack,
): Promise<DescribedPart> {
  const source = openNativeSource(path);
  try {
    const head = host.allocateNativeBuffer(HEAD_SIZE);
    source.readAt(head, 0, HEAD_SIZE, 0);
    const compression = compressionOf(head.bytes);
    const spool = compression && await expandToSpool(source, compression, path);
    if (spool !== undefined) stack.defer(() => void host.close(spool.fd));
    const plain = spool === undefined ? source : nativeSourceOf(spool.fd, spool.sizeBytes, path);
    const members = indexTar(plain, path, host.allocateNativeBuffer, new LocalAccounts());
    return { path, directory, link, spool, members };
  } finally {
    source.close();
  }
}

/** Opens the archive in a thread. @throws {OsError} */
export function attachTar(description: TarDescription, { gate }: SourceThread): MountableTree {
  return openParts(description, (open) => openGated(open, gate));
}

function openParts(
  { parts }: TarDescription,
  gated: (open: OpenSource) => OpenSource = (open) => open,
): MountableTree {
  const sources: ByteSource[] = [];
  try {
    for (const { path, spool } of parts) {
      sources.push(gated(spool === undefined ? openNativeSource : openerOf(spool))(path));
    }
    return tarTree(parts, sources);
  } catch (error) {
    for (const source of sources) source.close();
    throw error;
  }
}

/** Whoever opens a spool has a descriptor of his own, which he closes. */
function openerOf({ fd, sizeBytes }: SpoolFile): OpenSource {
  return (path) => nativeSourceOf(host.unwrap(host.dup(fd), "open", path), sizeBytes, path);
}

function sizeOf(path: string): number {
  const stat = new host.HostStat();
  host.unwrap(host.lstat(path, stat), "stat", path);
  return stat.size;
}
