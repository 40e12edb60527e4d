import { addressOf, type DemoAddress } from './addresses.ts'
import type { DemoCountry } from './country.ts'
import { writtenDate } from './dates.ts'
import { emailOf } from './emails.ts'
import { europeanCountries } from './european-countries.ts'
import { daysBefore, toMicroseconds, toSeconds } from './instants.ts'
import { fullName, messUp } from './names.ts'
import { overseasCountries } from './overseas-countries.ts'
import { phoneOf } from './phones.ts'
import { type CustomerPoison, customerPoisons } from './poison.ts'
import { Random } from './random.ts'
import type { CustomerRow } from './rows.ts'

export interface CustomerOptions {
  readonly seed: number
  /** Rows, the poisoned ones included; at least 100. */
  readonly count: number
  /** Text in UTC, `2026-11-23 07:00:00`; no row is younger than the day before. */
  readonly asOf: string
}

/** A row, and what cleaning has to make of it. */
export interface DemoCustomer {
  readonly row: CustomerRow
  readonly poison: CustomerPoison | null
  readonly clean: {
    readonly fullName: string
    readonly email: string | null
    readonly phone: string | null
    readonly createdDate: string | null
  } & Omit<DemoAddress, 'raw'>
  readonly invalidEmail: boolean
  readonly invalidPhone: boolean
}

const STREAM = 1
const DAYS = 1500

const countries: readonly DemoCountry[] = [...europeanCountries, ...overseasCountries]
const countryOfPercent = countries.flatMap((country) => Array<DemoCountry>(country.share).fill(country))

/** The customer with this id; another `version` of it has moved, and got a new e-mail address and phone number. */
export function customerAt(options: CustomerOptions, id: number, version = 0): DemoCustomer {
  const who = new Random(options.seed, STREAM, id)
  const country = who.pick(countryOfPercent)
  const name = fullName(who, country)
  const age = who.int(1, DAYS) + who.int(0, 86_399) / 86_400
  const created = writtenDate(who, toSeconds(daysBefore(toMicroseconds(options.asOf), age)))
  const rawName = who.once(10) ? messUp(who, name) : name

  const random = version === 0 ? who : new Random(options.seed, STREAM, id, version)
  const email = emailOf(random, name, country, id)
  const { raw: address, ...parts } = addressOf(random, country)
  const phone = phoneOf(random, country, parts.country !== null)
  return {
    row: [String(id), rawName, email.raw, phone.raw, address, created.raw],
    poison: null,
    clean: { fullName: name, email: email.clean, phone: phone.clean, createdDate: created.clean, ...parts },
    invalidEmail: email.invalid,
    invalidPhone: phone.invalid,
  }
}

/** All customers with what cleaning has to make of them, in the order of their ids. */
export function* customersWithTruth(options: CustomerOptions): Generator<DemoCustomer> {
  const poisons = customerPoisons(options.count)
  for (let id = 1; id <= options.count; id++) {
    const customer = customerAt(options, id)
    const poison = poisons.get(id)
    yield poison === undefined ? customer : { ...customer, poison, row: poison.spoil(customer.row) }
  }
}

/** Rows of the source table `customers`, as messy as real ones; the same options give the same rows. */
export function* customers(options: CustomerOptions): Generator<CustomerRow> {
  for (const { row } of customersWithTruth(options)) yield row
}

export interface CustomerSummary {
  readonly rows: number
  readonly withoutId: number
  readonly withoutName: number
  readonly duplicateIds: number
  /** Among the rows that are not poisoned. */
  readonly invalidEmails: number
  readonly invalidPhones: number
}

/** What a load of `customers(options)` has to find, counted. */
export function summarizeCustomers(options: CustomerOptions): CustomerSummary {
  const summary = { rows: 0, withoutId: 0, withoutName: 0, duplicateIds: 0, invalidEmails: 0, invalidPhones: 0 }
  for (const { poison, invalidEmail, invalidPhone } of customersWithTruth(options)) {
    summary.rows++
    if (poison) summary[poison.kind]++
    else {
      if (invalidEmail) summary.invalidEmails++
      if (invalidPhone) summary.invalidPhones++
    }
  }
  return summary
}
