/** A city, its state (code, name) where addresses name one, and its postal codes; % is a digit, ~ a letter. */
export type City = readonly [name: string, postalCode: string | null, state?: string, stateName?: string]

/** What the generator knows about a country. */
export interface DemoCountry {
  /** ISO alpha-2. */
  readonly code: string
  /** Of a hundred customers. */
  readonly share: number
  readonly spellings: readonly string[]
  readonly firstNames: string
  readonly lastNames: string
  readonly streets: readonly string[]
  /** `#` is the street, `0` the number. */
  readonly lines: readonly string[]
  /** `L` line, `C` city, `P` postal code, `S` state's code, `T` state's name; the country follows. */
  readonly layouts: readonly string[]
  readonly cities: readonly City[]
  readonly callingCode: string
  /** What stands before a national number and is not part of E.164. */
  readonly trunk: string
  /** National numbers without the trunk; % is a digit, ^ one from 2 to 9. Groups are parted by spaces. */
  readonly numbers: readonly string[]
}
