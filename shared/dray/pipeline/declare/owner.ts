import { ConfigurationError } from '#dray/errors.ts'

const LONGEST = 200

/** Who answers for something, in one line: `data team <data@example.org>`; null where nobody is named. */
export function ownerOf(where: string, owner: string | undefined): string | null {
  if (owner === undefined) return null
  if (owner.trim() !== '' && owner.length <= LONGEST && !/\p{Cc}/u.test(owner)) return owner
  throw new ConfigurationError(
    `${where}: owner is ${JSON.stringify(owner.slice(0, 40))}; give a name and a contact in one line of at most ${LONGEST} characters, as 'data team <data@example.org>', or leave it out`,
  )
}
