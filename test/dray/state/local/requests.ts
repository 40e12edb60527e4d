import {
  isPending,
  laterReport,
  leaseCanBeTaken,
  leaseNotHeld,
  leaseOfEpoch,
  leaseOwned,
  notCountedByThisCall,
  notRecorded,
  runStillRunning,
  versionUnchanged,
} from 'dray/internal/state/conditions.ts'
import type { ItemTable, WriteOutcome } from 'dray/internal/state/item-table.ts'
import { stateTable } from 'dray/internal/state/table-definition.ts'
import fc from 'fast-check'

type Item = Record<string, unknown>

/** What a table has answered: an item, items, the outcome of a write, or the name of an error. */
export type Answer = unknown
export type Request = { readonly name: string; readonly given: unknown; ask(table: ItemTable): Promise<Answer> }

/** Few of each kind, so that requests meet; some differ in the order of UTF-8 and of UTF-16. */
const texts = fc.constantFrom('', 'a', 'a#', 'a#1', 'ab', 'b', 'ä', '\u{1F600}', '\uFFFD', '\uD7FF', '2026-01-01')
const keyTexts = texts.filter((text) => text !== '')
const numbers = fc.constantFrom(
  0,
  1,
  2,
  -1,
  7,
  2.5,
  0.1,
  1e-7,
  1e21 / 1e6,
  Number.MAX_SAFE_INTEGER,
  Number.MIN_SAFE_INTEGER,
)
/** Of fractions the file adds none: they would not stay exact. */
const counts = fc.constantFrom(0, 1, 2, -1, 7)
const values: fc.Arbitrary<unknown> = fc.oneof(
  ...[texts, numbers, fc.boolean(), fc.constant(null)],
  fc.array(texts, { maxLength: 2 }),
  fc.dictionary(fc.constantFrom('x', 'y'), numbers, { noNullPrototype: true }),
)

const pk = fc.constantFrom('RUN#a', 'PIPELINE#ä')
/** Mostly one of three, so that requests meet. */
const sk = fc.oneof({ weight: 5, arbitrary: fc.constantFrom('a', 'a#1', 'b') }, { weight: 1, arbitrary: keyTexts })
const attributes = {
  lease_owner: texts,
  lease_expires_at: counts,
  commit_owner: texts,
  attempt_id: texts,
  epoch: counts,
  version: counts,
  pending: values,
  status: fc.constantFrom('running', 'success', 'failed'),
  error: values,
  expires_at: numbers,
  kind: fc.constantFrom('run', 'pipeline'),
  workflow: keyTexts,
  start_time: keyTexts,
  format_version: fc.constantFrom(1, 2),
}
const item = fc
  .tuple(pk, sk, fc.record(attributes, { requiredKeys: [], noNullPrototype: true }))
  .map(([pk, sk, rest]): Item => ({ ...rest, pk, sk }))

const conditions = [
  ...[leaseCanBeTaken, leaseNotHeld, leaseOfEpoch, leaseOwned, isPending, versionUnchanged, notRecorded],
  ...[runStillRunning, laterReport, notCountedByThisCall, `${leaseOfEpoch} AND ${versionUnchanged}`],
  '(attribute_not_exists(format_version) OR format_version <= :format_version)',
]
const changes = [
  'SET lease_owner = :owner, lease_expires_at = :now, epoch = if_not_exists(epoch, :zero) + :one REMOVE pending',
  'SET version = version + :one REMOVE lease_owner, lease_expires_at',
  'SET epoch = :version + :one',
  'SET #status = if_not_exists(#status, :status), attempt_id = :id, pending = :true',
  'SET start_time = if_not_exists(start_time, :id), kind = :kind, version = epoch, epoch = version',
  'SET error_text = :value, epoch = if_not_exists(version, :zero)',
]

const placeholders = fc.record({
  ':owner': texts,
  ':now': counts,
  ':epoch': counts,
  ':version': counts,
  ':id': keyTexts,
  ':true': fc.boolean(),
  ':zero': fc.constant(0),
  ':one': fc.constantFrom(1, 2),
  ':status': attributes.status,
  ':running': fc.constant('running'),
  ':success': fc.constant('success'),
  ':kind': attributes.kind,
  ':value': values,
  ':format_version': fc.constant(1),
})

/** Those that the expressions use, as DynamoDB wants it. */
function used(all: Item, ...expressions: readonly (string | undefined)[]) {
  const text = expressions.join(' ')
  const names = new Set(text.match(/[:#]\w+/g) ?? [])
  const given = Object.entries(all).filter(([name]) => names.has(name))
  return {
    ...(names.has('#status') ? { ExpressionAttributeNames: { '#status': 'status' } } : {}),
    ...(given.length > 0 ? { ExpressionAttributeValues: Object.fromEntries(given) } : {}),
  }
}

const condition = fc.option(fc.constantFrom(...conditions), { nil: undefined })
const conditioned = (text: string | undefined) => (text === undefined ? {} : { ConditionExpression: text })

const puts = fc.tuple(item, condition, placeholders).map(([item, text, all]): Request => {
  const given = { ...conditioned(text), ...used(all, text) }
  return { name: 'put', given: { item, ...given }, ask: async (table) => told(await table.put(item, given)) }
})
const updates = fc
  .tuple(pk, sk, fc.constantFrom(...changes), condition, placeholders)
  .map(([pk, sk, change, text, all]): Request => {
    const given = { UpdateExpression: change, ...conditioned(text), ...used(all, change, text) }
    return {
      name: 'update',
      given: { pk, sk, ...given },
      ask: async (table) => told(await table.update({ pk, sk }, given)),
    }
  })
const gets = fc.tuple(pk, sk).map(([pk, sk]): Request => {
  return { name: 'get', given: { pk, sk }, ask: (table) => table.get({ pk, sk }) }
})
const partitions = fc.oneof(
  pk.map((value) => ({ KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': value } })),
  fc.tuple(pk, keyTexts).map(([value, prefix]) => ({
    KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
    ExpressionAttributeValues: { ':pk': value, ':prefix': prefix },
  })),
  attributes.kind.map((value) => ({
    IndexName: stateTable.byKind.name,
    KeyConditionExpression: 'kind = :kind',
    ExpressionAttributeValues: { ':kind': value },
  })),
  keyTexts.map((value) => ({
    IndexName: stateTable.byWorkflow.name,
    KeyConditionExpression: 'workflow = :workflow',
    ExpressionAttributeValues: { ':workflow': value },
  })),
)
const queries = fc
  .tuple(partitions, fc.option(attributes.status), fc.boolean(), fc.option(fc.integer({ min: 1, max: 3 })))
  .map(([partition, status, isDown, limit]): Request => {
    const given = {
      ...partition,
      ...(status === null
        ? {}
        : {
            FilterExpression: '#status = :status',
            ExpressionAttributeNames: { '#status': 'status' },
            ExpressionAttributeValues: { ...partition.ExpressionAttributeValues, ':status': status },
          }),
      ScanIndexForward: !isDown,
      ...(limit === null ? {} : { Limit: limit }),
    }
    return {
      name: 'query',
      given,
      ask: async (table) => {
        const items = await Array.fromAsync(table.query(given))
        return 'IndexName' in given ? inTimes(items) : items
      },
    }
  })

/** Within one time an index has no order that is promised. */
function inTimes(items: readonly Item[]): unknown {
  const groups: [unknown, string[]][] = []
  for (const item of items) {
    if (groups.at(-1)?.[0] !== item.start_time) groups.push([item.start_time, []])
    groups.at(-1)?.[1].push(JSON.stringify(Object.entries(item).sort()))
  }
  return groups.map(([time, of]) => [time, of.sort()])
}

function told(outcome: WriteOutcome): Answer {
  // What a put has stored is asked for afterwards.
  return outcome.kind === 'applied' ? { kind: 'applied', item: outcome.item } : { kind: outcome.kind }
}

export const requests: fc.Arbitrary<Request> = fc.oneof(
  { weight: 4, arbitrary: puts },
  { weight: 5, arbitrary: updates },
  { weight: 1, arbitrary: gets },
  { weight: 3, arbitrary: queries },
)

/** The answer, or the name of what was thrown. */
export async function answerOf(table: ItemTable, request: Request): Promise<Answer> {
  try {
    return await request.ask(table)
  } catch (error) {
    return { refused: (error as Error).name }
  }
}
