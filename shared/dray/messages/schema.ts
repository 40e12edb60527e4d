import * as z from 'zod'
import { formats } from './formats.ts'
import type { Message } from './message.ts'

/* What `dray schema` asks of whoever reaches the databases, be it this process or a function in their network. */

/** A field of a model, as far as its column is concerned. */
const column = z.object({
  /** The property. */
  name: z.string().min(1),
  column: z.string().min(1),
  kind: z.enum([
    'bigint',
    'integer',
    'text',
    'varchar',
    'decimal',
    'double',
    'boolean',
    'date',
    'timestamp',
    'json',
    'uuid',
    'binary',
  ]),
  length: z.int().nullable(),
  precision: z.int().nullable(),
  scale: z.int().nullable(),
  isNullable: z.boolean(),
  isPrimaryKey: z.boolean(),
  isGenerated: z.boolean(),
  isDefaulted: z.boolean(),
  isLockVersion: z.boolean(),
})

const rename = z.object({ from: z.string(), to: z.string() })

const wantedTable = z.object({
  database: z.string().min(1),
  /** `table` or `schema.table`, a part that has a dot in double quotes. */
  table: z.string().min(1),
  columns: z.array(column),
  /** Columns that other models of the table have, which are not dropped. */
  others: z.array(z.string()),
  /** A pipeline takes columns over that no model knows, so none is dropped; not said where none does. */
  keepsUnknown: z.boolean().optional(),
  renames: z.array(rename),
  /** Every other column that is gone and one that is new are two. */
  areOthersTwo: z.boolean(),
  /** Which of the planned statements are done, each by its SQL; none to plan only. */
  chosen: z.array(z.array(z.string())),
})

export const schemaInput = z.object({
  version: z
    .int()
    .min(1)
    .max(formats.schema, 'it is of a newer version of Dray than the one that is deployed: deploy it first'),
  /** Who is asking, for the record of what is done. */
  by: z.string(),
  /** Where it is asked for, for the commands in messages; null on the asker's own machine. */
  environment: z.string().nullable(),
  tables: z.array(wantedTable),
})

const change = z.object({
  columns: z.array(z.string()),
  mark: z.enum(['safe', 'rewrites', 'loses data']),
  what: z.string(),
  sql: z.array(z.string()),
  locks: z.string().nullable(),
  /** Rows of the table; null where they need not be counted. */
  rows: z.number().nullable(),
  /** Values that are gone afterwards. */
  valuesLost: z.number(),
  /** Why it would not be done: rows that do not fit, or what would not survive. */
  obstacles: z.array(z.string()),
  /** What another of these statements does that has to be done before it; null where none has. */
  behind: z.string().nullable(),
})

const tableChanges = z.object({
  database: z.string(),
  table: z.string(),
  /** There is no table yet. */
  isNew: z.boolean(),
  statements: z.array(change),
  /** Until they are answered neither column is touched. */
  questions: z.array(rename),
  /** Sentences on what no statement of Dray's does. */
  notes: z.array(z.string()),
})

/** A plan for each of the tables that were asked for, in their order, as it was before anything was done. */
export const schemaOutput = z.object({ tables: z.array(tableChanges) })

export type SchemaInput = Message<typeof schemaInput>
export type SchemaOutput = Message<typeof schemaOutput>
export type WantedTable = SchemaInput['tables'][number]
export type TableChanges = SchemaOutput['tables'][number]
export type TableChange = TableChanges['statements'][number]
