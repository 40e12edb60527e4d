import { bigint, text, timestamp, varchar } from '#dray/active-record/field-kinds.ts'
import { defineModel } from '#dray/active-record/model.ts'
import type { LockMode } from '#dray/database/capabilities.ts'
import type { Database } from '#dray/database/database.ts'
import { TerminalError, TransientError } from '#dray/errors.ts'
import type { RowCounts } from '#dray/messages/row-counts.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import { type CommitInput, planningRun } from '#dray/messages/stages.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'

function defineLedger(database: Database) {
  return {
    /** One row a pipeline: the epoch whose writers may write, up to where rows have landed, and in which table. */
    Fence: class extends defineModel(
      database,
      { table: 'dray_fence', readOnly: false },
      {
        pipeline: varchar(100).primaryKey(),
        epoch: bigint(),
        runId: varchar(100),
        mark: text().nullable(),
        writtenTable: text().nullable(),
        alone: text().nullable(),
      },
    ) {},
    /** One row a partition that has landed, written in the transaction that landed it. */
    Entry: class extends defineModel(
      database,
      { table: 'dray_ledger', readOnly: false },
      {
        pipeline: varchar(100).primaryKey(),
        runId: varchar(100).primaryKey(),
        partitionNumber: bigint().primaryKey(),
        epoch: bigint(),
        rowsRead: bigint(),
        inserted: bigint(),
        updated: bigint(),
        unchanged: bigint(),
        filtered: bigint(),
        duplicate: bigint(),
        quarantined: bigint(),
        deleted: bigint().nullable(),
        leftAlone: bigint().nullable(),
        findings: bigint(),
        bytes: bigint(),
        loadedAt: timestamp().touch(),
        /** The staged plan whose partition it is, as JSON: a resumed run reuses it. */
        plan: text().nullable(),
        /** The staged records of what a replay has sent, as JSON; null for other runs. */
        replayed: text().nullable(),
        /** The staged rows that the target has refused, as JSON: Commit tries them again. Null when there are none. */
        refused: text().nullable(),
        /** The staged keys of the target that the partition has loaded, as JSON; null where nothing is deleted. */
        loadedKeys: text().nullable(),
        /** The staged keys of the target of rows that are to be deleted, as JSON; null where there are none. */
        told: text().nullable(),
        /** The staged rows of the partition, as JSON; null where no other row of the run can have their keys. */
        landedRows: text().nullable(),
      },
    ) {},
    /** One row a key that the source spells otherwise than the target writes it: see `kept-spellings.ts`. */
    Spelling: class extends defineModel(
      database,
      { table: 'dray_spelling', readOnly: false },
      {
        pipeline: varchar(100).primaryKey(),
        /** Of the key as the target writes it. */
        keyHash: varchar(64).primaryKey(),
        /** The texts of the key as its row has brought them, as JSON. */
        spelling: text(),
      },
    ) {},
  }
}

type LedgerModels = ReturnType<typeof defineLedger>
const ledgers = new Map<Database, LedgerModels>()

/** The fence and the ledger of a target database; `migrateTarget` makes their tables. */
export function ledgerOf(database: Database): LedgerModels {
  const known = ledgers.get(database) ?? defineLedger(database)
  ledgers.set(database, known)
  return known
}

/** What of a fence there was when a run raised it; of a new one nothing has landed. */
export type RaisedFence = Pick<FenceRow, 'mark' | 'writtenTable' | 'alone'>
export type FenceRow = Pick<InstanceType<LedgerModels['Fence']>, 'epoch' | 'runId' | 'mark' | 'writtenTable' | 'alone'>

/**
 * Lets only writers of this epoch write from now on; waits for those that are in a transaction. `markOf` makes out the
 * mark of the row that is there.
 */
export async function raiseFence(
  database: Database,
  pipeline: string,
  { epoch, runId }: { readonly epoch: number; readonly runId: string },
  markOf: (fence: FenceRow) => string | null,
): Promise<RaisedFence> {
  return database.transaction(async () => {
    // Locked before it is compared: two that raise it at once must not end with the lower epoch.
    const fence = await lockFence(database, pipeline, 'update')
    if (fence === null) {
      await makeFence(database, pipeline, epoch, runId)
      return { mark: null, writtenTable: null, alone: null }
    }
    // An epoch is given to one run alone: that of another run is of another state store.
    if (fence.epoch > BigInt(epoch) || (fence.epoch === BigInt(epoch) && fence.runId !== runId)) {
      throw fenced(pipeline, epoch, fence.epoch)
    }
    const mark = markOf(fence)
    await changeFence(database, pipeline, { epoch: String(epoch), run_id: runId, mark })
    return { ...fence, mark }
  })
}

async function makeFence(database: Database, pipeline: string, epoch: number, runId: string): Promise<void> {
  const { Fence } = ledgerOf(database)
  if (await new Fence({ pipeline, epoch: BigInt(epoch), runId }).save()) return
  throw new TransientError(
    `${pipeline}: another run has made its row in dray_fence of ${database.name} just now, so this one is not written; tried again, it is compared with that one`,
  )
}

/** The fence, whose epoch may write until the transaction ends; null before the first. */
export async function lockFence(database: Database, pipeline: string, mode: LockMode): Promise<FenceRow | null> {
  const { placeholder, quote, rowLock } = await database.adapter()
  const columns = ['epoch', 'run_id', 'mark', 'written_table', 'alone'].map(quote).join(', ')
  const { rows } = await database.query(
    `select ${columns} from ${quote('dray_fence')} where ${quote('pipeline')} = ${placeholder(1)}${rowLock(mode)}`,
    [pipeline],
  )
  const [row] = rows
  if (row === undefined) return null
  const [epoch, runId, mark = null, writtenTable = null, alone = null] = row
  return { epoch: BigInt(epoch as string), runId: runId as string, mark, writtenTable, alone }
}

/** In the transaction that has locked it: by one statement, which needs no savepoint. */
export async function changeFence(
  database: Database,
  pipeline: string,
  change: Readonly<Record<string, string | null>>,
): Promise<void> {
  const { placeholder, quote } = await database.adapter()
  const set = Object.keys(change).map((column, place) => `${quote(column)} = ${placeholder(place + 1)}`)
  await database.query(
    `update ${quote('dray_fence')} set ${set.join(', ')} where ${quote('pipeline')} = ${placeholder(set.length + 1)}`,
    [...Object.values(change), pipeline],
  )
}

/** A writer of an older epoch, refused: it has been given up, and a newer run does its work. */
export class Fenced extends TerminalError {
  /** That of the target. */
  readonly current: bigint
  constructor(message: string, current: bigint) {
    super(message)
    this.current = current
  }
}

function fenced(pipeline: string, epoch: number, current: bigint): Fenced {
  return new Fenced(
    `${pipeline}: this run holds epoch ${epoch}, and epoch ${current} has taken the target over, so nothing of this run is written any more; the newer run loads the same rows`,
    current,
  )
}

/**
 * In the transaction of a load: throws when a newer run has taken over, and keeps it from doing so until the commit. By
 * `update` it waits for every load and every Commit of the pipeline, and keeps them out. Returns the fence.
 */
export async function checkFence(
  database: Database,
  pipeline: string,
  epoch: number,
  mode: LockMode = 'share',
): Promise<FenceRow> {
  const current = await lockFence(database, pipeline, mode)
  if (current === null) {
    throw new TerminalError(
      `${pipeline}: the target ${database.name} has no row in dray_fence, so a run that was overtaken could not be told from this one; start the run again (its plan writes the row)`,
    )
  }
  if (current.epoch !== BigInt(epoch)) throw fenced(pipeline, epoch, current.epoch)
  return current
}

/** What the ledger knows of a partition. */
export interface LedgerCounts extends RowCounts {
  readonly findings: number
  readonly bytes: number
}

/** In the place of a partition: what became of refused rows that were tried again at the end. */
export const SECOND_TRY = -1
/** In the place of a partition: the rows that the table has refused when a replacement was swapped in. */
export const REFUSED_AT_SWAP = -2

/**
 * The rows of a partition as they were staged, for Commit to find keys that come more than once in the run, and the
 * source rows of those that a swap refuses.
 */
export interface LandedRows {
  readonly extracted: StagedObject
  readonly transformed: StagedObject
  /** How many of them have another key in the target than in the source, and may share it with another row. */
  readonly otherKeys: number
  /** How many gave way to another row of their key. */
  readonly duplicate: number
}

export interface LandedPartition extends LandedRows {
  readonly partition: number
}

/** What the ledger knows of a run. */
export interface LandedRun extends LedgerCounts {
  readonly partitions: number
  readonly refused: readonly StagedObject[]
  readonly loadedKeys: readonly StagedObject[]
  /** The keys that Commit deletes. */
  readonly told: readonly StagedObject[]
  readonly landedRows: readonly LandedPartition[]
  /** Whether the refused rows have been tried again. */
  readonly isTriedAgain: boolean
  /** Each partition, as its load has left it. */
  readonly ofPartitions: readonly { readonly partition: number; readonly read: number; readonly quarantined: number }[]
}

/** The sums over the partitions of a run that have landed, in the order of their numbers. */
export async function sumOfLedger(database: Database, pipeline: string, runId: string): Promise<LandedRun> {
  const { Entry } = ledgerOf(database)
  const entries = await Entry.where({ pipeline, runId }).order({ partitionNumber: 'asc' }).toArray()
  const landed = entries.filter(({ partitionNumber }) => partitionNumber >= 0n)
  const staged = <T = StagedObject>(pick: (entry: (typeof entries)[number]) => string | null) =>
    landed.flatMap((entry) => {
      const text = pick(entry)
      return text === null ? [] : [JSON.parse(text) as T]
    })
  const sum = (pick: (entry: (typeof entries)[number]) => bigint) =>
    Number(entries.reduce((total, entry) => total + pick(entry), 0n))
  return {
    partitions: landed.length,
    refused: staged((entry) => entry.refused),
    loadedKeys: staged((entry) => entry.loadedKeys),
    told: staged((entry) => entry.told),
    landedRows: landed.flatMap(({ landedRows, partitionNumber }) =>
      landedRows === null ? [] : [{ ...(JSON.parse(landedRows) as LandedRows), partition: Number(partitionNumber) }],
    ),
    ofPartitions: landed.map(({ partitionNumber, rowsRead, quarantined }) => ({
      partition: Number(partitionNumber),
      read: Number(rowsRead),
      quarantined: Number(quarantined),
    })),
    isTriedAgain: entries.some(({ partitionNumber }) => partitionNumber === BigInt(SECOND_TRY)),
    read: sum((entry) => entry.rowsRead),
    inserted: sum((entry) => entry.inserted),
    updated: sum((entry) => entry.updated),
    unchanged: sum((entry) => entry.unchanged),
    filtered: sum((entry) => entry.filtered),
    duplicate: sum((entry) => entry.duplicate),
    quarantined: sum((entry) => entry.quarantined),
    deleted: sum((entry) => entry.deleted ?? 0n),
    left: sum((entry) => entry.leftAlone ?? 0n),
    findings: sum((entry) => entry.findings),
    bytes: sum((entry) => entry.bytes),
  }
}

type Moved = Pick<RowCounts, 'inserted' | 'updated' | 'unchanged' | 'duplicate' | 'quarantined' | 'left'>

/** Enters what has become of rows of the partitions since, in the place of one: added to theirs, it is the truth. */
export async function enterMoved(
  { name, load }: Pipeline,
  input: CommitInput,
  place: number,
  moved: Moved,
): Promise<void> {
  const { Entry } = ledgerOf(load.target.database)
  await new Entry({
    pipeline: name,
    runId: planningRun(input),
    partitionNumber: BigInt(place),
    epoch: BigInt(input.epoch),
    rowsRead: 0n,
    inserted: BigInt(moved.inserted),
    updated: BigInt(moved.updated),
    unchanged: BigInt(moved.unchanged),
    filtered: 0n,
    duplicate: BigInt(moved.duplicate),
    quarantined: BigInt(moved.quarantined),
    deleted: 0n,
    leftAlone: BigInt(moved.left),
    findings: 0n,
    bytes: 0n,
    plan: JSON.stringify(input.plan),
    replayed: null,
    refused: null,
    loadedKeys: null,
    told: null,
    landedRows: null,
  }).saveOrFail()
}
