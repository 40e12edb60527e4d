import type { MergeTarget } from '../adapter.ts'

const ZERO = 48
const NINE = 57

/**
 * Sees whether the keys of rows of COPY text are whole numbers that grow from row to row, as a table read by its key
 * gives them: then none comes twice.
 */
export class AscendingKeys {
  isAscending: boolean
  readonly #place: number
  #last = ''

  constructor({ key, columns }: MergeTarget) {
    this.#place = columns.indexOf(key[0] ?? '')
    this.isAscending = key.length === 1 && this.#place >= 0
  }

  /** Takes the next whole rows. */
  add(bytes: Buffer): void {
    if (!this.isAscending) return
    const text = bytes.toString('latin1')
    for (let from = 0; from < text.length && this.isAscending; from = text.indexOf('\n', from) + 1) {
      this.#take(text, this.#start(text, from))
    }
  }

  #start(text: string, from: number): number {
    let start = from
    for (let column = 0; column < this.#place; column++) start = text.indexOf('\t', start) + 1
    return start
  }

  #take(text: string, start: number): void {
    let end = start
    while (isDigit(text.charCodeAt(end))) end += 1
    const ends = text[end] === '\t' || text[end] === '\n'
    const key = text.slice(start, end)
    const isNumber = ends && end > start && (text.charCodeAt(start) !== ZERO || key === '0')
    const last = this.#last
    this.isAscending = isNumber && (key.length === last.length ? key > last : key.length > last.length)
    this.#last = key
  }
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE
}
