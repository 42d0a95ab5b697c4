/** What a test and the workers of `late_worker.ts` share. */

/** Cells of the workers' description. */
export const Cell = { SERVING_COUNT: 0, LET_IN: 1, TOLD_TO_END: 2, COUNT: 3 } as const;
