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

/** What the target does to every fifth row, or to every row. */
export type Nuisance = 'none' | 'drops' | 'raises' | 'stamps' | 'check' | 'unique' | 'filled'

export interface HostileTable {
  readonly table: string
  readonly keys: readonly TableColumn[]
  readonly extras: readonly TableColumn[]
  readonly way: 'upsert' | 'append' | 'replace' | 'history'
  readonly isIncremental: boolean
  readonly deletes: boolean
  readonly partitionRows: number
  readonly nuisance: Nuisance
  readonly phases: readonly (readonly Change[])[]
}

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
        deletes: fc.boolean(),
        partitionRows: fc.integer({ min: 1, max: 12 }),
        nuisance: fc.constantFrom<Nuisance>(
          'none',
          'none',
          'none',
          'drops',
          'raises',
          'stamps',
          'check',
          'unique',
          'filled',
        ),
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
      return {
        ...drawn,
        isIncremental: drawn.isIncremental && drawn.way !== 'replace',
        nuisance: nuisanceOf(drawn.nuisance, drawn.way, target),
        keys: named(ofKeys, drawn.keys, 0),
        extras: named(ofExtras, drawn.extras, ofKeys.length),
      }
    })
}

/** MySQL has no trigger that drops a row. A replacement is swapped in whole, so a trigger fails it whole. */
function nuisanceOf(drawn: Nuisance, way: HostileTable['way'], target: Engine): Nuisance {
  const isTrigger = drawn === 'drops' || drawn === 'raises'
  if (isTrigger && way === 'replace') return 'check'
  return drawn === 'drops' && ['mysql', 'mariadb'].includes(target) ? 'raises' : drawn
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
