import fc from 'fast-check'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

const names = fc.constantFrom(
  ...['__proto__', 'constructor', 'toString', 'length', 'then', 'hasOwnProperty', '', '0', 'id', '\u0000', '\u202e'],
)
const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  names,
  fc.constantFrom(...['\n', '\u001b[2J', '\ud800', '../../etc/passwd', 'NaN', '1e400', '2026-13-45T99:99:99Z', ' ']),
  fc.integer({ min: 100, max: 20_000 }).map((length) => 'x'.repeat(length)),
)
const numbers = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(-0, -1, 0, 2 ** 53, 1e21, 1.5),
)

/** Any JSON, with names that objects have of themselves. */
export const hostileJson: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.oneof(fc.constant(null), fc.boolean(), numbers, texts),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.array(fc.tuple(fc.oneof(names, texts), tie('value')), { maxLength: 5 }).map(withOwnNames),
  ),
})).value

/** As JSON.parse makes it: `__proto__` is a name as any other. */
function withOwnNames(entries: readonly (readonly [string, Json])[]): Json {
  const object: Json = {}
  for (const [name, value] of entries) {
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
  }
  return object
}

type Damage = (holder: Json[] | { [key: string]: Json }, name: string, hostile: Json) => void

const damages: readonly Damage[] = [
  (holder, name, hostile) => set(holder, name, hostile),
  (holder, name) => (Array.isArray(holder) ? holder.splice(Number(name), 1) : delete holder[name]),
  (holder, name, hostile) =>
    Array.isArray(holder) ? holder.splice(Number(name), 0, hostile) : set(holder, `${name}s`, hostile),
  (holder, name) => set(holder, name, [holder[name as never]]),
  (holder, name) => set(holder, name, { [name]: holder[name as never] }),
  (holder, name) => set(holder, name, JSON.stringify(holder[name as never])),
]

function set(holder: Json[] | { [key: string]: Json }, name: string, value: Json): void {
  Object.defineProperty(holder, name, { value, enumerable: true, configurable: true, writable: true })
}

/** The value with one to three places of it changed; those of `kept` names at the top stay. */
export function damaged<T extends object>(valid: fc.Arbitrary<T>, kept: readonly string[] = []): fc.Arbitrary<Json> {
  const change = fc.record({ place: fc.nat(), how: fc.nat(), hostile: hostileJson })
  return fc.tuple(valid, fc.array(change, { minLength: 1, maxLength: 3 })).map(([value, changes]) => {
    const root = structuredClone(value) as Json
    for (const { place, how, hostile } of changes) {
      const places = placesIn(root).filter(([holder, name]) => holder !== root || !kept.includes(name))
      const found = places[place % Math.max(1, places.length)]
      if (found !== undefined) (damages[how % damages.length] as Damage)(found[0], found[1], structuredClone(hostile))
    }
    return root
  })
}

function placesIn(value: Json): [Json[] | { [key: string]: Json }, string][] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => [
    [value, name] as [typeof value, string],
    ...placesIn(inner as Json),
  ])
}

/** Texts that claim to be JSON: some are, some nest deeper than a stack. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: hostileJson.map((value) => JSON.stringify(value)) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 200 }) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        fc.constantFrom('[', '{"a":', '{"detail":', '{"__proto__":'),
        fc.integer({ min: 1, max: 50_000 }),
        fc.boolean(),
      )
      .map(([open, depth, isClosed]) => {
        const close = open === '[' ? ']' : '}'
        return isClosed ? `${open.repeat(depth)}1${close.repeat(depth)}` : open.repeat(depth)
      }),
  },
)
