import { bigint, database, decimal, timestamp } from 'dray'

const archive = database('archive')

/** Each reading once, as it was taken. */
export class ArchivedReading extends archive.table('archived_reading', {
  id: bigint().primaryKey(),
  meter: bigint(),
  wattHours: decimal(15, 0),
  takenAt: timestamp(),
}) {}
