import { masked } from '#dray-infra/add/masked.ts'
import type { AskedLook } from './asked-commands.ts'
import type { CatalogueDocument, CheckedDocument, ErrorDocument, LookDocument, PreviewDocument } from './documents.ts'
import { TEXT } from './quarantine.ts'

const ROWS = 10

type Values = Readonly<Record<string, string | null>>

interface PrintedPreview {
  readonly rows: readonly {
    readonly outcome: string
    readonly source: Values
    readonly target: Values | null
    readonly findings: readonly ErrorDocument[]
    readonly errors: readonly ErrorDocument[]
  }[]
  readonly notes: readonly string[]
}

interface PrintedPlan {
  readonly window: { readonly from: string | null; readonly to: string } | null
  readonly rows: number
  readonly partitions: readonly unknown[]
  readonly notes: readonly string[]
  readonly on_aws: { readonly seconds: number; readonly us_dollars: number }
}

/** Of tables of a replica, which runs fit to their source. */
interface PrintedReplica {
  readonly replica: string
  readonly tables: readonly {
    readonly pipeline: string
    readonly target: string | null
    readonly is_new: boolean
    readonly made_by_next_run: readonly { readonly what: string }[]
    readonly left: readonly string[]
    readonly refused: string | null
  }[]
}

interface PrintedSchema {
  readonly tables: readonly {
    readonly database: string
    readonly table: string
    readonly statements: readonly {
      readonly mark: string
      readonly what: string
      readonly obstacles: readonly string[]
    }[]
    readonly questions: readonly { readonly from: string; readonly to: string }[]
    readonly notes: readonly string[]
  }[]
}

/** The words of the command that looks. */
export function lookArguments({ kind, pipeline }: AskedLook, catalogue: CatalogueDocument | null): readonly string[] {
  if (kind === 'plan') return ['plan', pipeline]
  if (kind === 'preview') return ['preview', pipeline, '--limit', `${ROWS}`]
  const unit = catalogue?.units.find(({ name }) => name === pipeline)
  return ['schema', 'plan', ...(unit?.writes ?? [pipeline])]
}

/** What it has printed, as the page shows it. */
export function lookDocument(
  { kind }: AskedLook,
  printed: unknown,
  { isMasked }: { readonly isMasked: boolean },
): LookDocument {
  if (kind === 'plan') return { kind, plan: planOf(printed as PrintedPlan) }
  if (kind === 'preview') return { kind, preview: previewOf(printed as PrintedPreview, isMasked) }
  const found = printed as PrintedSchema | PrintedReplica
  return { kind, checks: 'replica' in found ? checksOfReplica(found) : checksOf(found) }
}

function planOf({ window, rows, partitions, notes, on_aws: on }: PrintedPlan) {
  const range = window === null ? null : { from: window.from, to: window.to }
  return { window: range, rows, partitions: partitions.length, seconds: on.seconds, usDollars: on.us_dollars, notes }
}

function previewOf({ rows, notes }: PrintedPreview, isMasked: boolean): PreviewDocument {
  const shown = (row: Values) =>
    Object.entries(row).map(([name, value]) => [name, isMasked ? masked(value, TEXT) : value] as const)
  const said = (errors: readonly ErrorDocument[]) =>
    errors.map(({ field, code, message }) => ({ field, code, message: isMasked ? '' : message }))
  return {
    rows: rows.map(({ outcome, source, target, findings, errors }) => ({
      outcome,
      source: shown(source),
      target: target === null ? null : shown(target),
      findings: said(findings),
      errors: said(errors),
    })),
    notes,
    reads: [],
    writes: [],
  }
}

function checksOfReplica({ tables }: PrintedReplica): CheckedDocument[] {
  return tables.flatMap(({ pipeline: check, target, is_new: isNew, made_by_next_run: made, left, refused }) => [
    ...(isNew ? [{ check, verdict: 'warned', said: `the next run makes the table ${target}` }] : []),
    ...made.map(({ what }) => ({ check, verdict: 'warned', said: `the next run ${what}` })),
    ...left.map((said) => ({ check, verdict: 'broken', said })),
    ...(refused === null ? [] : [{ check, verdict: 'broken', said: refused }]),
  ])
}

function checksOf({ tables }: PrintedSchema): CheckedDocument[] {
  return tables.flatMap(({ database, table, statements, questions, notes }) => {
    const check = `${database}.${table}`
    return [
      ...statements.map(({ mark, what, obstacles }) => ({
        check,
        verdict: 'broken',
        said: [`${what} (${mark})`, ...obstacles].join('; '),
      })),
      ...questions.map(({ from, to }) => ({
        check,
        verdict: 'broken',
        said: `is ${to} the column ${from} under another name?`,
      })),
      ...notes.map((said) => ({ check, verdict: 'warned', said })),
    ]
  })
}
