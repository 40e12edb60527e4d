import type { Random } from './random.ts'

/** What a staged object is damaged to; null when it is gone. */
export function damaged(
  bytes: Buffer,
  key: string,
  objects: ReadonlyMap<string, Buffer>,
  random: Random,
): { readonly how: string; readonly bytes: Buffer | null } {
  const header = bytes.indexOf(10) + 1
  const how = random.pick(['missing', 'emptied', 'cut at a row', 'cut within a row', 'flipped', 'stale'] as const)
  switch (how) {
    case 'missing':
      return { how, bytes: null }
    case 'emptied':
      return { how, bytes: bytes.length === header ? null : bytes.subarray(0, header) }
    case 'cut at a row':
      return { how, bytes: bytes.length === header ? null : bytes.subarray(0, bytes.lastIndexOf(10, -2) + 1) }
    case 'cut within a row':
      return { how, bytes: bytes.subarray(0, bytes.length - 2) }
    case 'flipped': {
      const flipped = Buffer.from(bytes)
      const place = random.integer(Math.min(header, bytes.length - 2), bytes.length - 2)
      flipped[place] = (flipped[place] as number) ^ 1
      return { how, bytes: flipped }
    }
    case 'stale': {
      const folder = key.slice(0, key.lastIndexOf('/'))
      const others = [...objects].filter(([other, content]) => other.startsWith(folder) && !content.equals(bytes))
      return { how, bytes: others[0]?.[1] ?? null }
    }
  }
}
