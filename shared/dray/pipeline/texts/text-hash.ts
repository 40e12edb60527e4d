/* Odd numbers without small factors; each text goes through two lanes of 32 bits. */
const LOW_START = 0xdeadbeef
const HIGH_START = 0x41c6ce57
const LOW_FACTOR = 2654435761
const HIGH_FACTOR = 1597334677
const LOW_MIX = 2246822507
const HIGH_MIX = 3266489909
const HIGH_BITS = 2 ** 21 - 1

/** A number of 53 bits made of a text; another text seldom has the same one. */
export function hashOfText(text: string): number {
  let low = LOW_START
  let high = HIGH_START
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    low = Math.imul(low ^ code, LOW_FACTOR)
    high = Math.imul(high ^ code, HIGH_FACTOR)
  }
  const mixedLow = Math.imul(low ^ (low >>> 16), LOW_MIX) ^ Math.imul(high ^ (high >>> 13), HIGH_MIX)
  const mixedHigh = Math.imul(high ^ (high >>> 16), LOW_MIX) ^ Math.imul(mixedLow ^ (mixedLow >>> 13), HIGH_MIX)
  return (mixedHigh & HIGH_BITS) * 2 ** 32 + (mixedLow >>> 0)
}
