import { append, changedSince, decimalOf, pipeline } from 'dray'
import { ArchivedReading } from '#models/archive.ts'
import { MeterReading } from '#models/meters.ts'

export const readings = pipeline('readings', {
  extract: changedSince(MeterReading, { cursor: 'takenAt' }),
  transform: ({ id, meter, kilowattHours, takenAt }, row) => {
    const wattHours = wattHoursOf(kilowattHours)
    if (wattHours === null) return row.reject('kilowattHours', 'negative')
    return { id, meter, wattHours, takenAt }
  },
  load: append(ArchivedReading),
})

/** `1.234` → `1234`; null for what no meter shows. */
export function wattHoursOf(kilowattHours: string) {
  const [whole = '', fraction = ''] = kilowattHours.split('.')
  return kilowattHours.startsWith('-') ? null : decimalOf(String(BigInt(`${whole}${fraction.padEnd(3, '0')}`)))
}
