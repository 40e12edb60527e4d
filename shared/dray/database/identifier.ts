import { ConfigurationError } from '#dray/errors.ts'

/**
 * Refuses a name of a table or a column that the database cannot hold as it is: an empty one, one with half a
 * character, and what `fault` finds in it. Throws `Configuration`.
 */
export function checkIdentifier(database: string, name: string, fault: (name: string) => string | null): string {
  const found = generalFault(name) ?? fault(name)
  if (found === null) return name
  const shown = name.length > 80 ? `${name.slice(0, 80)}…` : name
  throw new ConfigurationError(
    `the name ${JSON.stringify(shown)} ${found}, which ${database} does not allow in the name of a table or column, so nothing was done; give another name where it is written, in the model, the command or the header of the file`,
  )
}

function generalFault(name: string): string | null {
  if (name === '') return 'is empty'
  if (name.includes('\0')) return 'holds a NUL character'
  return name.isWellFormed() ? null : 'holds half of a surrogate pair'
}
