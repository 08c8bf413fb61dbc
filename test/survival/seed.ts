/** Chance that can be repeated: a run prints its seed, and `SEED=n` runs it again. */

export function drawSeed(title: string): number {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1_000_000_000))
  console.info(`${title}: SEED=${seed}`)
  return seed
}
