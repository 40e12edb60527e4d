import { uniformInt } from 'pure-rand/distribution/uniformInt'
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'

/** Murmur3's finalizer: neighbouring numbers get unlike seeds. */
function mix(value: number): number {
  let mixed = value | 0
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}

/** Seeded choices; the same numbers give the same choices on every machine. */
export class Random {
  readonly #generator

  /** A row has its own generator, `new Random(seed, stream, index)`, so that any row can be made without the others. */
  constructor(...seed: readonly number[]) {
    this.#generator = xoroshiro128plus(seed.reduce((hash, number) => mix(Math.imul(hash, 31) + number), 0x9e3779b9))
  }

  /** A whole number from `min` to `max`, both included. */
  int(min: number, max: number): number {
    return uniformInt(this.#generator, min, max)
  }

  pick<T>(choices: readonly [T, ...T[]] | readonly T[]): T {
    const choice = choices[this.int(0, choices.length - 1)]
    if (choice === undefined) throw new RangeError('There is nothing to pick from.')
    return choice
  }

  /** True once in `times`, on average. */
  once(times: number): boolean {
    return this.int(1, times) === 1
  }

  /** Puts a digit for each `%`, a digit from 2 to 9 for each `^` and a capital letter for each `~`. */
  fill(template: string): string {
    let filled = ''
    for (const sign of template) {
      if (sign === '%') filled += this.int(0, 9)
      else if (sign === '^') filled += this.int(2, 9)
      else if (sign === '~') filled += 'ABDEFGHJLNPQRSTUWXYZ'[this.int(0, 19)]
      else filled += sign
    }
    return filled
  }
}
