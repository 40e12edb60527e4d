import type { Reconciliation } from 'dray/internal/pipeline/inspect/reconciliation.ts'
import type { Reloaded } from 'dray/internal/pipeline/stages/reload.ts'

/** What a comparison has found, what was loaded again, and what is left after that. */
export interface Compared {
  readonly found: Reconciliation
  readonly reloaded: Reloaded | null
  readonly left: Reconciliation
}

export function differencesIn({ counts }: Reconciliation): number {
  return counts.missing + counts.extra + counts.different
}

function fixedDocument({ runs, ...counts }: Reloaded, left: Reconciliation) {
  return { run_ids: runs, ...counts, left: left.counts }
}

/** The document of `dray reconcile --json`. */
export function document(found: Reconciliation, reloaded: Reloaded | null, left: Reconciliation) {
  return {
    pipeline: found.pipeline,
    source: found.source,
    target: found.target,
    compared: {
      ranges: found.ranges,
      equal_by_digest: found.equalByDigest,
      rows: found.rowsCompared,
      columns: found.columns,
    },
    left_out: found.leftOut,
    counts: found.counts,
    differences: found.differences.map(({ kind, key, columns }) => ({ kind, key, columns })),
    fixed: reloaded === null ? null : fixedDocument(reloaded, left),
    notes: found.notes,
  }
}
