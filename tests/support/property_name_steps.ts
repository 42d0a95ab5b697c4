/**
 * Steps that change and list names.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Errno, OsError } from "#ffi/os_error.ts";
import * as posix from "#tests/support/posix_calls.ts";
import { withFile } from "#tests/support/posix_files.ts";
import type { Draws, Step } from "#tests/support/property_draws.ts";
import { type Model, parentOf, type RenameRules } from "#tests/support/property_model.ts";

const { O, Rename } = posix;

/** What the host may say to a change of names that cannot be. */
const REFUSALS: ReadonlySet<number> = new Set([
  Errno.ENOENT,
  Errno.EPERM,
  Errno.EEXIST,
  Errno.ENOTEMPTY,
  Errno.ENOTDIR,
  Errno.EISDIR,
  Errno.EINVAL,
]);

/** See the module. */
export class NameSteps {
  readonly #draws: Draws;

  constructor(draws: Draws) {
    this.#draws = draws;
  }

  /** A change of names that the model makes or refuses; the host must do the same. */
  #change(
    text: string,
    model: Model,
    change: (model: Model) => boolean,
    call: () => void,
  ): Step {
    const isPossible = change(model.clone());
    return {
      text: isPossible ? text : `${text} (impossible)`,
      perform: isPossible ? call : () => assertRefused(call, text),
      effect: (model) => void change(model),
    };
  }

  create(model: Model): Step {
    const path = this.#draws.random.pick(this.#draws.pool);
    const flags = O.RDWR | O.CREAT | O.EXCL;
    return this.#change(
      `create "${path}"`,
      model,
      (model) => model.create(path),
      () => posix.close(posix.open(this.#draws.path(path), flags)),
    );
  }

  unlink(model: Model): Step {
    const path = this.#draws.anyName(model);
    return this.#change(
      `unlink "${path}"`,
      model,
      (model) => model.unlink(path),
      () => posix.unlink(this.#draws.path(path)),
    );
  }

  link(model: Model): Step {
    const [path, newPath] = [this.#draws.fileName(model), this.#draws.newName(model)];
    return this.#change(
      `link "${path}" to "${newPath}"`,
      model,
      (model) => model.link(path, newPath),
      () => posix.link(this.#draws.path(path), this.#draws.path(newPath)),
    );
  }

  rename(model: Model): Step {
    const random = this.#draws.random;
    const isMovable = (path: string) =>
      this.#draws.isOwn(path) && path !== parentOf(this.#draws.places.commonPrefix);
    const directories = [...model.directories].filter(isMovable);
    const wantsDirectory = directories.length > 0 && random.oneIn(3);
    const from = wantsDirectory ? random.pick(directories) : this.#draws.anyName(model);
    const to = wantsDirectory && random.oneIn(2)
      ? random.pick(directories)
      : this.#draws.newName(model);
    const flags = random.pick([0, 0, 0, 0, Rename.NOREPLACE, Rename.EXCHANGE]);
    const rules: RenameRules = {
      isExchange: flags === Rename.EXCHANGE,
      mayReplace: flags !== Rename.NOREPLACE,
    };
    return this.#change(
      `rename "${from}" to "${to}" flags ${flags}`,
      model,
      (model) => model.rename(from, to, rules),
      () => posix.rename(this.#draws.path(from), this.#draws.path(to), flags),
    );
  }

  mkdir(model: Model): Step {
    const path = this.#draws.random.pick(this.#draws.pool);
    return this.#change(
      `mkdir "${path}"`,
      model,
      (model) => model.mkdir(path),
      () => posix.mkdir(this.#draws.path(path)),
    );
  }

  rmdir(model: Model): Step | undefined {
    const { homes, commonPrefix } = this.#draws.places;
    const path = this.#draws.random.oneIn(2)
      ? this.#draws.directoryName(model)
      : this.#draws.anyName(model);
    if (homes.includes(path) || path === parentOf(commonPrefix)) return undefined;
    return this.#change(
      `rmdir "${path}"`,
      model,
      (model) => model.rmdir(path),
      () => posix.rmdir(this.#draws.path(path)),
    );
  }

  list(model: Model): Step {
    const { commonPrefix } = this.#draws.places;
    const path = this.#draws.directoryName(model);
    const isCommon = path === parentOf(commonPrefix);
    const own = commonPrefix.slice(commonPrefix.lastIndexOf("/") + 1);
    return {
      text: `list "${path}"`,
      perform: () => {
        const names = posix.names(this.#draws.path(path));
        const known = isCommon ? names.filter((name) => name.startsWith(own)) : names;
        assert.deepEqual(known, model.children(path), `entries of ${path}`);
      },
    };
  }

  syncDirectory(model: Model): Step {
    const path = this.#draws.directoryName(model);
    return {
      text: `fsync directory "${path}"`,
      perform: () => withFile(this.#draws.path(path), O.RDONLY | O.DIRECTORY, posix.fsync),
    };
  }
}

function assertRefused(call: () => void, text: string): void {
  try {
    call();
  } catch (error) {
    if (error instanceof OsError && REFUSALS.has(error.errno)) return;
    throw error;
  }
  assert.fail(`${text}: succeeded although it is impossible`);
}
