import { bigint, database, decimal, timestamp } from 'dray'

const meters = database('meters')

export class MeterReading extends meters.source('meter_reading', {
  id: bigint().primaryKey(),
  meter: bigint(),
  kilowattHours: decimal(12, 3),
  takenAt: timestamp(),
}) {}
