/** A field of a sample; `value` is without its quotes, and otherwise as it stands there. */
export interface ScannedField {
  readonly value: string
  readonly isQuoted: boolean
}

/** A beginning of a file, read in one way. */
export interface Scanned {
  /** Records that are whole, without empty lines. */
  readonly records: readonly (readonly ScannedField[])[]
  /** Something in it cannot be read so: what stands behind a closing quote, a quote that is not closed, a lone CR. */
  readonly isFaulty: boolean
  /** Line ends outside of quotes. */
  readonly ends: { readonly lf: number; readonly crlf: number }
}

interface How {
  readonly delimiter: string
  readonly quote: string | null
  readonly escape: string | null
  /** Lines end in CR, not in LF or CRLF. */
  readonly isCr: boolean
}

/** Reads a sample of a few ten thousand characters; the file itself is read by `csvRows`. */
export function scan(text: string, how: How, isWhole: boolean): Scanned {
  return new Scan(text, how).read(isWhole)
}

class Scan {
  readonly #text: string
  readonly #how: How
  readonly #records: ScannedField[][] = []
  readonly #ends = { lf: 0, crlf: 0 }
  #record: ScannedField[] = []
  #isFaulty = false
  #at = 0

  constructor(text: string, how: How) {
    this.#text = text
    this.#how = how
  }

  read(isWhole: boolean): Scanned {
    const { length } = this.#text
    while (this.#at < length && !this.#isFaulty) {
      const isQuoted = this.#how.quote !== null && this.#text[this.#at] === this.#how.quote
      const isClosed = isQuoted ? this.#quoted() : this.#plain()
      if (!isClosed) {
        if (isWhole) this.#isFaulty = true
        break
      }
      this.#separator()
    }
    // The last line of a file may have no end; of a part of a file the last record may go on.
    if (!this.#isFaulty && this.#record.length > 0 && (isWhole || this.#records.length === 0)) this.#endRecord()
    return { records: this.#records, isFaulty: this.#isFaulty, ends: this.#ends }
  }

  #plain(): boolean {
    const { delimiter, isCr } = this.#how
    const from = this.#at
    for (; this.#at < this.#text.length; this.#at++) {
      const character = this.#text[this.#at]
      if (character === delimiter || character === '\n' || character === '\r') break
    }
    // A quote in the middle of a field, and one line end among those of another kind, say that it is read wrongly.
    const value = this.#text.slice(from, this.#at)
    const next = this.#text[this.#at]
    const isLoneCr = next === '\r' && this.#at + 1 < this.#text.length && this.#text[this.#at + 1] !== '\n'
    if (isCr ? next === '\n' : isLoneCr) this.#isFaulty = true
    if (this.#how.quote === '"' && value.includes('"')) this.#isFaulty = true
    this.#record.push({ value, isQuoted: false })
    return true
  }

  #quoted(): boolean {
    const { quote, escape: before } = this.#how
    const from = this.#at + 1
    for (this.#at = from; this.#at < this.#text.length; this.#at++) {
      const character = this.#text[this.#at]
      if (character === before && before !== quote) this.#at += 1
      else if (character === quote) {
        if (before === quote && this.#text[this.#at + 1] === quote) this.#at += 1
        else {
          this.#record.push({ value: this.#text.slice(from, this.#at), isQuoted: true })
          this.#at += 1
          const next = this.#text[this.#at]
          if (next !== undefined && next !== this.#how.delimiter && next !== '\n' && next !== '\r') {
            this.#isFaulty = true
          }
          return true
        }
      }
    }
    return false
  }

  #separator(): void {
    const next = this.#text[this.#at]
    if (next === undefined) return
    this.#at += 1
    if (next === this.#how.delimiter) {
      // Behind the last delimiter of a file stands an empty field.
      if (this.#at === this.#text.length) this.#record.push({ value: '', isQuoted: false })
      return
    }
    if (next === '\r' && this.#text[this.#at] === '\n') {
      this.#at += 1
      this.#ends.crlf += 1
    } else if (next === '\n') this.#ends.lf += 1
    this.#endRecord()
  }

  #endRecord(): void {
    const [first] = this.#record
    const isEmpty = this.#record.length === 1 && first?.value === '' && !first.isQuoted
    if (!isEmpty) this.#records.push(this.#record)
    this.#record = []
  }
}
