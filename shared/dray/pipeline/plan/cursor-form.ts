import { type RawBuilder, sql } from 'kysely'
import { momentFor } from '#dray/active-record/sql.ts'
import type { Adapter } from '#dray/database/adapter.ts'
import type { StampForm, ZoneCapabilities } from '#dray/database/capabilities.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'
import { isUtc } from '#dray/pipeline/declare/zone.ts'
import { instantText, microsOf } from '#dray/pipeline/texts/instant.ts'
import { cursorOf, cursorValue } from './cursor-value.ts'
import type { SourceTable } from './source-table.ts'

const DAY_MICROS = 86_400_000_000n

/** How a cursor's values are compared with the ends of a window, which are moments in UTC. */
export interface CursorForm {
  /** What has the order of moments. */
  readonly moment: RawBuilder<unknown>
  /** From the moment on. */
  from(moment: string): RawBuilder<unknown>
  before(moment: string): RawBuilder<unknown>
}

/** What the live column says of time. */
export function stampForm(extraction: Extraction, { adapter, cursorType }: SourceTable): StampForm {
  return cursorOf(extraction).kind !== 'timestamp' ? 'moment' : adapter.stampForm(cursorType)
}

/** The zone that local times are in; null where they are UTC. */
export function zoneOf(extraction: Extraction): string | null {
  const { zone } = cursorOf(extraction)
  return zone === null || isUtc(zone) ? null : zone
}

/** Throws `Configuration` where the engine knows no zones. */
export function zonesOf(extraction: Extraction, { adapter }: SourceTable): ZoneCapabilities {
  if (adapter.zones !== null) return adapter.zones
  const { database, table } = extraction.source.definition
  throw new ConfigurationError(
    `${database}.${table}: ${adapter.dialect} knows no zones, so zone: '${zoneOf(extraction)}' cannot be followed and nothing was read; store the cursor in UTC`,
  )
}

export function cursorForm(extraction: Extraction, table: SourceTable): CursorForm {
  const { adapter } = table
  const name = cursorValue(extraction)
  const form = stampForm(extraction, table)
  const zone = zoneOf(extraction)
  const { kind } = cursorOf(extraction)
  if (kind !== 'timestamp') {
    const value = (text: string) => (kind === 'counter' ? sql.raw(text) : sql`${text}`)
    return {
      moment: name,
      from: (moment) => sql`${name} >= ${value(moment)}`,
      before: (moment) => sql`${name} < ${value(moment)}`,
    }
  }
  if (form === 'moment' || zone === null) return momentForm(adapter, name, form)
  const plain = form === 'text' ? adapter.textStamps.plain(name) : name
  const zones = zonesOf(extraction, table)
  return near(plain, zoned(name, form, zone, zones, table), (text) => zones.moment(text))
}

/** The same of a column whose stamps are in UTC. */
export function momentForm(adapter: Adapter, name: RawBuilder<unknown>, form: StampForm): CursorForm {
  if (form === 'text')
    return near(adapter.textStamps.plain(name), adapter.textStamps.normalised(name), (text) => sql`${text}`)
  return {
    moment: name,
    from: (moment) => sql`${name} >= ${momentFor(adapter, moment)}`,
    before: (moment) => sql`${name} < ${momentFor(adapter, moment)}`,
  }
}

/** The moment of a local time, or of a text, unless that says itself that it is in UTC. */
function zoned(
  name: RawBuilder<unknown>,
  form: StampForm,
  zone: string,
  zones: ZoneCapabilities,
  { adapter }: SourceTable,
): RawBuilder<unknown> {
  if (form !== 'text') return zones.momentOf(name, zone)
  const stamp = adapter.textStamps.normalised(name)
  return sql`case when ${adapter.textStamps.saysZone(name)} then ${zones.momentOf(stamp, 'UTC')} else ${zones.momentOf(stamp, zone)} end`
}

/** The days around a moment are compared with the column as it is, so that an index is of use. */
function near(
  plain: RawBuilder<unknown>,
  moment: RawBuilder<unknown>,
  value: (text: string) => RawBuilder<unknown>,
): CursorForm {
  return {
    moment,
    from: (text) => sql`${plain} >= ${dayOf(text, -DAY_MICROS)} and ${moment} >= ${value(fixed(text))}`,
    before: (text) => sql`${plain} < ${dayOf(text, DAY_MICROS * 2n)} and ${moment} < ${value(fixed(text))}`,
  }
}

function dayOf(moment: string, micros: bigint): string {
  return instantText((microsOf(moment) ?? 0n) + micros).slice(0, 10)
}

function fixed(text: string): string {
  const micros = microsOf(text)
  return micros === null ? text : instantText(micros)
}
