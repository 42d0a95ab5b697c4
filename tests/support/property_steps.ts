/**
 * Chooses the steps of a client.
 *
 * @module
 */

import { Draws, type Step, type StepPlaces } from "#tests/support/property_draws.ts";
import { FileSteps } from "#tests/support/property_file_steps.ts";
import type { Model } from "#tests/support/property_model.ts";
import type { Random } from "#tests/support/property_random.ts";
import { NameSteps } from "#tests/support/property_name_steps.ts";
import { SharedSteps } from "#tests/support/property_shared_steps.ts";

type Maker = (model: Model, isDoomed: boolean) => Step | undefined;

/** Makes up the steps of one client. */
export class StepMaker {
  readonly #random: Random;
  readonly #makers: readonly Maker[];

  constructor(places: StepPlaces) {
    const draws = new Draws(places);
    this.#random = places.random;
    const files = new FileSteps(draws);
    const shared = new SharedSteps(draws);
    const names = new NameSteps(draws);
    const weights: readonly (readonly [number, Maker])[] = [
      [12, (model) => files.write(model)],
      [5, (model, isDoomed) => shared.writeShared(model, isDoomed)],
      [6, (model, isDoomed) => shared.writeStripes(model, isDoomed)],
      [3, (model) => files.append(model)],
      [3, () => shared.appendToJournal()],
      [6, (model) => files.truncate(model)],
      [4, (model) => files.fallocate(model)],
      [12, (model) => files.read(model)],
      [3, (model) => shared.readUntouched(model)],
      [2, (model) => files.seek(model)],
      [3, (model) => files.copyRange(model)],
      [5, (model, isDoomed) => files.writeMapped(model, isDoomed)],
      [2, (model, isDoomed) => files.hold(model, isDoomed)],
      [3, () => files.letGo()],
      [4, (model) => files.sync(model)],
      [2, (model) => names.syncDirectory(model)],
      [9, (model) => names.create(model)],
      [2, (model) => names.unlink(model)],
      [3, (model) => names.link(model)],
      [7, (model) => names.rename(model)],
      [3, (model) => names.mkdir(model)],
      [2, (model) => names.rmdir(model)],
      [3, (model) => names.list(model)],
      [4, (model) => files.status(model)],
    ];
    this.#makers = weights.flatMap(([weight, maker]) => Array<Maker>(weight).fill(maker));
  }

  /** Makes up a step. `isDoomed`: the mount may end during it, which mappings do not survive. */
  next(model: Model, isDoomed: boolean): Step {
    for (;;) {
      const step = this.#random.pick(this.#makers)(model, isDoomed);
      if (step !== undefined) return step;
    }
  }
}
