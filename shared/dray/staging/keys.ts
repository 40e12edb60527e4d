import { randomUUID } from 'node:crypto'
import { StagingMisconfigured } from './staging-errors.ts'

function hasForbiddenCharacter(key: string): boolean {
  if (!key.isWellFormed()) return true
  for (let index = 0; index < key.length; index++) {
    const code = key.charCodeAt(index)
    if (code < 32 || code === 127 || code === 92) return true
  }
  return false
}

/** Returns a key or prefix that stays inside the store's root; throws `Configuration` for any other. */
export function checkedKey(key: string): string {
  const segments = key.split('/')
  const leaves = segments.some((segment) => segment === '' || segment === '.' || segment === '..')
  if (leaves || hasForbiddenCharacter(key)) {
    throw new StagingMisconfigured(
      `The staging key ${JSON.stringify(key)} is refused: it could leave the staging root. ` +
        'Use names divided by single slashes, without "..", backslashes or control characters.',
    )
  }
  return key
}

/** As `checkedKey`, with the empty prefix for the whole store. */
export function checkedPrefix(prefix: string): string {
  return prefix === '' ? prefix : checkedKey(prefix)
}

/** A key under `prefix` that no other attempt has. */
export function attemptKey(prefix: string): string {
  return `${checkedKey(prefix)}/${randomUUID()}`
}

/** Refuses to remove the whole store by an empty prefix. */
export function removablePrefix(prefix: string): string {
  if (prefix !== '') return checkedKey(prefix)
  throw new StagingMisconfigured('An empty prefix would remove everything that is staged. Name the prefix to remove.')
}
