import fc from 'fast-check'
import type { Engine } from '#test/contracts/values.ts'
import { type Cell, EXTRA_KINDS, KEY_KINDS, type Kind } from './kinds.ts'
import { columnNames, tableName } from './names.ts'

export interface TableColumn {
  readonly name: string
  readonly kind: Kind
  readonly from: string
  readonly into: string
}

/** What writers do to the source between two runs; `row` is counted round over those that there are. */
export type Change =
  | { readonly change: 'insert'; readonly keys: readonly Cell[]; readonly extras: readonly Cell[] }
  | { readonly change: 'update'; readonly row: number; readonly extras: readonly Cell[] }
  | { readonly change: 'rename'; readonly row: number; readonly keys: readonly Cell[] }
  | { readonly change: 'delete'; readonly row: number }

/** What the target does to every fifth row (see `isMinded`), or to every row. */
export type Nuisance = (typeof NUISANCES)[number]

const NUISANCES = [
  'none',
  // A trigger drops the row, refuses it, refuses to change it, writes it under another key, or notes something in it.
  'drops',
  'raises',
  'closes',
  'rekeys',
  'stamps',
  'check',
  'unique',
  // A default, and a generated column.
  'filled',
  // A foreign key that every fifth row lacks, judged at once or at COMMIT; one to the row that comes next in the table.
  'foreign',
  'deferred',
  'parents',
  // A policy of the table, for a user who does not own it.
  'policy',
] as const

/** Nuisances under which every fifth row may be quarantined, whatever it holds. */
export const REFUSING: ReadonlySet<Nuisance> = new Set([
  'drops',
  'raises',
  'closes',
  'rekeys',
  'check',
  'foreign',
  'deferred',
  'policy',
])

/** Those that a table of `createTable()` can have: they are put upon it. */
const TRIGGERS: ReadonlySet<Nuisance> = new Set(['none', 'drops', 'raises', 'closes', 'rekeys'])

export interface HostileTable {
  readonly table: string
  readonly keys: readonly TableColumn[]
  readonly extras: readonly TableColumn[]
  readonly way: 'upsert' | 'append' | 'replace' | 'history'
  readonly isIncremental: boolean
  readonly deletes: 'ignore' | 'hard' | 'soft'
  readonly partitionRows: number
  readonly nuisance: Nuisance
  /** The target's table is made by the model. */
  readonly isMade: boolean
  /** A second run of the same rows is to write nothing. */
  readonly isLookedAtAgain: boolean
  /** Triggers count what is written, where the engine does not show it. */
  readonly isCounted: boolean
  /** Zones of servers and databases other than those that they begin with. */
  readonly zones: Zones | null
  readonly phases: readonly (readonly Change[])[]
}

export interface Zones {
  readonly postgres: string
  readonly mysql: string
}

const ZONES: readonly Zones[] = [
  { postgres: 'Asia/Kathmandu', mysql: '+05:45' },
  { postgres: 'Pacific/Pago_Pago', mysql: '-11:00' },
]

/** A table that the source has and one that the target has, and what is done to the first between the runs. */
export function hostileTable(source: Engine, target: Engine): fc.Arbitrary<HostileTable> {
  const kinds = (all: readonly Kind[]) => all.filter((kind) => kind.source(source).length > 0)
  const keyKinds = fc.array(fc.constantFrom(...kinds(KEY_KINDS)), { minLength: 1, maxLength: 3 })
  const extraKinds = fc.array(fc.constantFrom(...kinds(EXTRA_KINDS)), { maxLength: 4 })
  return fc
    .tuple(keyKinds, extraKinds)
    .chain(([ofKeys, ofExtras]) => {
      const columns = (of: readonly Kind[]) =>
        fc.tuple(
          ...of.map((kind) =>
            fc.record({ from: fc.constantFrom(...kind.source(source)), into: fc.constantFrom(...kind.target(target)) }),
          ),
        )
      return fc.record({
        table: tableName,
        names: columnNames(ofKeys.length + ofExtras.length),
        keys: columns(ofKeys),
        extras: columns(ofExtras),
        way: fc.constantFrom('upsert' as const, 'append' as const, 'replace' as const, 'history' as const),
        isIncremental: fc.boolean(),
        deletes: fc.constantFrom('ignore' as const, 'hard' as const, 'soft' as const),
        partitionRows: fc.integer({ min: 1, max: 12 }),
        nuisance: fc.oneof(fc.constant<Nuisance>('none'), fc.constantFrom<Nuisance>(...NUISANCES)),
        isMade: fc.boolean(),
        isLookedAtAgain: fc.boolean(),
        isCounted: fc.boolean(),
        zones: fc.oneof({ arbitrary: fc.constant(null), weight: 5 }, fc.constantFrom(...ZONES)),
        phases: changesOf(
          fc.tuple(...ofKeys.map((kind) => kind.cells(source))),
          fc.tuple(...ofExtras.map((kind) => kind.cells(source))),
        ),
        ofKeys: fc.constant(ofKeys),
        ofExtras: fc.constant(ofExtras),
      })
    })
    .map(({ names, ofKeys, ofExtras, ...drawn }) => {
      const named = (of: readonly Kind[], types: readonly { from: string; into: string }[], first: number) =>
        of.map((kind, index) => ({
          kind,
          name: names[first + index] as string,
          ...(types[index] as { from: string; into: string }),
        }))
      const nuisance = nuisanceOf(drawn.nuisance, drawn.way, ofKeys[0] as Kind, target)
      const isMade = drawn.isMade && TRIGGERS.has(nuisance)
      return {
        ...drawn,
        isIncremental: drawn.isIncremental && drawn.way !== 'replace',
        isMade,
        nuisance,
        deletes: deletesOf(drawn.deletes, drawn.way, nuisance),
        phases: nuisance === 'parents' ? withoutRenames(drawn.phases) : drawn.phases,
        keys: named(ofKeys, drawn.keys, 0),
        extras: named(ofExtras, drawn.extras, ofKeys.length),
      }
    })
}

/** Kinds of keys that a trigger can write otherwise. */
const REKEYED: ReadonlySet<string> = new Set(['whole number', 'text'])

function nuisanceOf(drawn: Nuisance, way: HostileTable['way'], key: Kind, target: Engine): Nuisance {
  const isMysql = target === 'mysql' || target === 'mariadb'
  // MySQL has no trigger that drops a row, and judges foreign keys at once.
  if (drawn === 'drops' && isMysql) return 'raises'
  if (drawn === 'deferred' && isMysql) return 'foreign'
  if (drawn === 'rekeys' && !REKEYED.has(key.name)) return 'raises'
  if (drawn === 'closes' && way !== 'history') return 'raises'
  // Only where a row is there once, and a table that refers to itself is not replaced.
  if (drawn === 'parents' && way !== 'upsert' && way !== 'append') return 'foreign'
  return drawn === 'policy' && target !== 'postgres' ? 'raises' : drawn
}

/** A row that may not be changed cannot be deleted softly or closed: the step says so and stops. */
function deletesOf(
  drawn: HostileTable['deletes'],
  way: HostileTable['way'],
  nuisance: Nuisance,
): HostileTable['deletes'] {
  if (way === 'append' || way === 'replace' || nuisance === 'closes' || nuisance === 'parents') return 'ignore'
  return way === 'history' && drawn === 'soft' ? 'hard' : drawn
}

/** The number of a row is unique where others refer to it, and the row of its old key stays. */
function withoutRenames(phases: HostileTable['phases']): HostileTable['phases'] {
  return phases.map((phase) => phase.filter(({ change }) => change !== 'rename'))
}

function changesOf(keys: fc.Arbitrary<Cell[]>, extras: fc.Arbitrary<Cell[]>): fc.Arbitrary<Change[][]> {
  const row = fc.nat(20)
  const insert = fc.record({ change: fc.constant('insert' as const), keys, extras })
  const first = fc.array(insert, { minLength: 1, maxLength: 24 })
  const change = fc.oneof(
    insert,
    fc.record({ change: fc.constant('update' as const), row, extras }),
    fc.record({ change: fc.constant('rename' as const), row, keys }),
    fc.record({ change: fc.constant('delete' as const), row }),
  )
  return fc
    .tuple(first, fc.array(fc.array(change, { minLength: 1, maxLength: 8 }), { maxLength: 2 }))
    .map(([one, more]) => [one, ...more])
}

/** What a failure prints. */
export function shown(table: HostileTable): string {
  const column = ({ name, kind, from, into }: TableColumn) => `${JSON.stringify(name)} ${kind.name}: ${from} → ${into}`
  const { keys, extras, phases: all, ...rest } = table
  const cellsOf = (cells: readonly Cell[]) => cells.map(({ sql }) => sql).join(', ')
  const change = (one: Change) =>
    [
      one.change,
      'row' in one ? one.row : '',
      'keys' in one ? `(${cellsOf(one.keys)})` : '',
      'extras' in one ? `(${cellsOf(one.extras)})` : '',
    ].join(' ')
  return [
    JSON.stringify(rest),
    ...keys.map((one) => `  key ${column(one)}`),
    ...extras.map((one) => `  ${column(one)}`),
    ...all.flatMap((phase, index) => [`  before run ${index + 1}:`, ...phase.map((one) => `    ${change(one)}`)]),
  ].join('\n')
}
