/**
 * The verbs that look into archives of snapshots: `pbkfs pbs ls`, `cat`, `find`, …
 *
 * @module
 */

import {
  addArchiveArguments,
  addArchiveOptions,
  ARCHIVE_ENVIRONMENT,
  type ArchiveOptions,
  withArchive,
} from "../../datastore/archive_command.ts";
import { openFoundSnapshot } from "../../datastore/snapshot_access.ts";
import { withStore } from "../../datastore/store.ts";
import { ENCRYPTED_STORE_USES } from "../../datastore/store_uses.ts";
import { Output } from "../../output/output.ts";
import { catCommand } from "../entries/cat.ts";
import { diffCommand } from "../entries/diff.ts";
import { findCommand } from "../entries/find.ts";
import { lsCommand } from "../entries/list.ts";
import type { PairOperands, TreeOperands } from "../entries/operands.ts";
import { entryStatCommand } from "../entries/stat.ts";

const group = {
  noun: "an archive of a snapshot",
  uses: ENCRYPTED_STORE_USES,
  environment: ARCHIVE_ENVIRONMENT,
  addOptions: addArchiveOptions,
  output: (options, context) => new Output(options, context),
} satisfies Partial<TreeOperands<ArchiveOptions>>;

const archive: TreeOperands<ArchiveOptions> = {
  ...group,
  placeholder: "<snapshot> <archive-name>",
  count: 2,
  // That would load chunks from one end to the other.
  isReadInOrder: false,
  line: (verb, rest = "") => `pbkfs pbs ${verb} host/db1 root.pxar ${rest}`.trimEnd(),
  addArguments: (command) => addArchiveArguments(command, "archive: root.pxar"),

  async use(options, context, use) {
    const { treeOfArchive } = await import("#src/usecases/archive/trees.ts");
    return await withArchive(options, context, (input) => use(treeOfArchive(input)));
  },
};

/** How paths are told from snapshots. */
const PATH = /^(?:\/|\.\.?(?:\/|$))/u;

const pair: PairOperands<ArchiveOptions> = {
  ...group,
  description: "Show what differs between an archive in two snapshots, or one and a directory",
  examples: [
    {
      text: "What changed between two snapshots",
      line: "pbkfs pbs diff host/db1/2024-01-10T10:00:00Z host/db1 root.pxar",
    },
    { text: "Whether a directory is as it was", line: "pbkfs pbs diff host/db1 / root.pxar" },
  ],
  addArguments: (command) =>
    command.argument("<a>", "snapshot; of a group the last one")
      .argument("<b>", "snapshot, or a directory: a path that begins with / or ./")
      .argument("<archive-name>", "archive: root.pxar"),

  async use(options, context, use) {
    const [left, right, name] = options.args;
    const { treeOfArchive, treeOfPath } = await import("#src/usecases/archive/trees.ts");
    const { snapshotInput } = await import("#src/sources/pbs/snapshot_input.ts");
    const { archiveInput } = await import("#src/usecases/archive/named_archive.ts");
    return await withStore(options, context, "read", async (store) => {
      using opened = new DisposableStack();
      const open = async (text: string) => {
        const snapshot = await openFoundSnapshot(store, text, options, context);
        opened.defer(() => snapshot.close());
        return treeOfArchive(snapshotInput(snapshot, name!));
      };
      const a = await open(left!);
      if (!PATH.test(right!)) return use(a, await open(right!));
      return use(a, treeOfPath(await archiveInput(right!, undefined)));
    });
  },
};

/** In the order of the help. */
export const snapshotVerbs = [
  lsCommand(archive),
  catCommand(archive),
  findCommand(archive),
  entryStatCommand(archive),
  diffCommand(pair),
];
