// How long foreign input is made up for: a moment in every test run, FUZZ_SECONDS where that is said (`make fuzz`).

import type { Parameters, RunDetails } from "fast-check";
import { defaultReportMessage } from "fast-check";

/** Shares the time between this many tests, of which each has a part. */
export function fuzz(tests: number) {
  const seconds = Number(process.env["FUZZ_SECONDS"] ?? 0);
  let inputs = 0;
  const reporter = (details: RunDetails<unknown>) => {
    inputs += details.numRuns;
    if (details.failed) throw new Error(defaultReportMessage(details));
  };
  const long = {
    numRuns: Number.POSITIVE_INFINITY,
    interruptAfterTimeLimit: (seconds * 1_000) / tests,
    markInterruptAsFailure: false,
  };
  return {
    /** How a property is tried: so many times unless there is more time. */
    runs: <Ts>(few: number): Parameters<Ts> => ({
      ...(seconds > 0 ? long : { numRuns: few }),
      reporter: reporter as (details: RunDetails<Ts>) => void,
    }),
    /** The time-out of a test that tries it. */
    patience: 60_000 + seconds * 1_000,
    /** Says how many inputs there were, where somebody wants to know. */
    tell: () => {
      if (seconds > 0) process.stdout.write(`fuzzed ${inputs} inputs\n`);
    },
  };
}
