import { changedSince, freshness, pipeline, rowCount, upsert } from 'dray'
import { Payment } from '#models/lake.ts'
import { SourcePayment } from '#models/shop.ts'

/** Rows that are tried again, with columns that come later. */
export const payments = pipeline('payments', {
  extract: changedSince(SourcePayment, { cursor: 'updatedAt' }),
  transform: ({ id, customerId }) => ({ id, customerId }),
  load: upsert(Payment, { by: 'id' }),
  checks: [rowCount({ max: 3 }), freshness('1d', { severity: 'warn' })],
  owner: 'payments team',
  quarantine: { share: 1, retry: 3 },
  columns: 'follow',
})
