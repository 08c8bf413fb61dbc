/**
 * The one source of chance: sfc32, seeded through splitmix32 so that neighbouring seeds share nothing. The same seed draws
 * the same numbers on every machine, which is what makes a failed schedule repeat exactly.
 */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

export class Random {
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number) {
    const draw = splitmix32(seed)
    this.#a = draw()
    this.#b = draw()
    this.#c = draw()
    for (let i = 0; i < 12; i++) this.#next()
  }

  /** At least 0, below 1. */
  fraction(): number {
    return this.#next() / 4_294_967_296
  }

  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low + 1))
  }

  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  pick<T>(choices: readonly T[]): T {
    const choice = choices[this.between(0, choices.length - 1)]
    if (choice === undefined) throw new Error('Nothing to pick from')
    return choice
  }

  /** Picks by weight: a choice of weight 2 comes twice as often as one of weight 1. */
  weighted<T>(choices: readonly (readonly [weight: number, choice: T])[]): T {
    let rest = this.fraction() * choices.reduce((sum, [weight]) => sum + weight, 0)
    for (const [weight, choice] of choices) {
      rest -= weight
      if (rest < 0) return choice
    }
    throw new Error('Nothing to pick from')
  }

  /** Characters of Crockford base 32. */
  text(length: number): string {
    let text = ''
    for (let i = 0; i < length; i++) text += ALPHABET[this.#next() & 31]
    return text
  }

  #next(): number {
    const sum = (this.#a + this.#b + this.#counter++) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    return sum >>> 0
  }
}

function splitmix32(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    return mixed ^ (mixed >>> 15)
  }
}
