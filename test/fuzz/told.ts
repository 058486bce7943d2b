/**
 * Tells once, before the first law, how a long run of this room is set; vitest.config.ts names it where HEARSAY_FUZZ is set. Guarded: a setting
 * that means nothing ends the run, instead of a short one that looks like a long one.
 */
export default function tell(): void {
  const { HEARSAY_FUZZ: seconds, HEARSAY_FUZZ_SEED: seed, HEARSAY_FUZZ_PATH: path } = process.env;
  if (!/^\d{1,7}(\.\d{1,3})?$/.test(seconds ?? '')) throw new Error(`HEARSAY_FUZZ: ${seconds} is no number of seconds`);
  if (!/^-?\d{1,16}$/.test(seed ?? '0')) throw new Error(`HEARSAY_FUZZ_SEED: ${seed} is no whole number`);
  process.stdout.write(
    `fuzz: HEARSAY_FUZZ=${seconds} (seconds for each law), HEARSAY_FUZZ_SEED=${seed ?? '(of the moment)'}, ` +
      `HEARSAY_FUZZ_PATH=${path ?? '(all cases of the seed)'}\n`,
  );
}
