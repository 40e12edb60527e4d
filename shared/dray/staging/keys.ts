import { randomUUID } from 'node:crypto'
import { ConfigurationError } from '#dray/errors.ts'
import { folderOfStep, stepOfFolder } from '#dray/messages/step-name.ts'

/*
 * Where everything that is staged lies. A grant is built from the same functions, with `*` for each name that may be
 * any: `under(stagingPrefix('*', 'orders'))`.
 */

/** The first part of every key. */
export const roots = {
  runs: 'runs',
  quarantine: 'quarantine',
  findings: 'findings',
  quarantineLog: 'quarantine-log',
} as const

type Root = (typeof roots)[keyof typeof roots]

/** What a run of a pipeline works with, from its plan to its batches. */
export function stagingPrefix(run: string, pipeline: string): string {
  return `${roots.runs}/${run}/${folderOfStep(pipeline)}`
}

/**
 * A part of a run, or of one of its partitions. The line before its name keeps it from being a pipeline's: in a grant a
 * `*` goes across slashes, so that of a pipeline `plan` would hold the plans of all others.
 */
function partPrefix(run: string, pipeline: string, part: string, partition?: number | '*'): string {
  const place = partition === undefined ? stagingPrefix(run, pipeline) : `${stagingPrefix(run, pipeline)}/${partition}`
  return `${place}/_${part}`
}

export function planPrefix(run: string, pipeline: string): string {
  return partPrefix(run, pipeline, 'plan')
}

/** The items of a Distributed Map, which the state machine reads itself. */
export function itemsPrefix(run: string, pipeline: string): string {
  return partPrefix(run, pipeline, 'items')
}

/** The batches of one partition; `told` are the keys of rows that are to be deleted. */
export function batchPrefix(
  stage: 'extracted' | 'transformed' | 'told',
  place: { readonly run: string; readonly pipeline: string; readonly partition: number | '*' },
): string {
  return partPrefix(place.run, place.pipeline, stage, place.partition)
}

/** Keys that the source has at the end of a run. */
export function presentPrefix(run: string, pipeline: string): string {
  return partPrefix(run, pipeline, 'present')
}

/** Keys of the target that a run has loaded, by partition; and rows that it could not load at first. */
export function landedPrefix(
  what: 'loaded-keys' | 'refused',
  place: { readonly run: string; readonly pipeline: string; readonly partition: number },
): string {
  return partPrefix(place.run, place.pipeline, what, place.partition)
}

/** Keys of the target whose source row is gone, before they are deleted. */
export function gonePrefix(run: string, pipeline: string): string {
  return partPrefix(run, pipeline, 'gone')
}

/** The newest rows of keys that several partitions have loaded. */
export function newestPrefix(run: string, pipeline: string): string {
  return partPrefix(run, pipeline, 'newest')
}

/** The rows that a replacement has gathered, where its table does not take them all at once. */
export function gatheredPrefix(run: string, pipeline: string): string {
  return partPrefix(run, pipeline, 'gathered')
}

/** How far the comparison of a pipeline's source with its target has come. */
export function comparedPrefix(run: string, pipeline: string): string {
  return partPrefix(run, pipeline, 'compared')
}

/** The part of a run under which a replay finds its rows. */
export const KEPT = 'kept'

/** Quarantined rows that a replay sends again, as an extract would have staged them. */
export function keptPrefix(run: string, pipeline: string): string {
  return partPrefix(run, pipeline, KEPT)
}

/** The keys of the partitions of a replay. */
export function keysPrefix(run: string, pipeline: string): string {
  return partPrefix(run, pipeline, 'keys')
}

/** What a replay sends, by the rows' ids. */
export function replayedPrefix(run: string, pipeline: string): string {
  return partPrefix(run, pipeline, 'replayed')
}

/** The keys of the rows that are open in the quarantine when a run is planned. */
export function openKeysPrefix(run: string, pipeline: string): string {
  return partPrefix(run, pipeline, 'open')
}

/** Which of these keys have come through the transforms of a run. */
export function passedPrefix(run: string, pipeline: string): string {
  return partPrefix(run, pipeline, 'passed')
}

/** The rows that a run has set aside; those of all its runs without one. */
export function quarantinePrefix(run: string | null, pipeline: string): string {
  const place = `${roots.quarantine}/${folderOfStep(pipeline)}`
  return run === null ? place : `${place}/${run}`
}

/** Rows that were loaded, with what was found wrong in them; those of all runs without one. */
export function findingsPrefix(run: string | null, pipeline: string): string {
  const place = `${roots.findings}/${folderOfStep(pipeline)}`
  return run === null ? place : `${place}/${run}`
}

/** What has become of quarantined rows. */
export function quarantineLogPrefix(pipeline: string): string {
  return `${roots.quarantineLog}/${folderOfStep(pipeline)}`
}

/** Every key under a prefix, as a grant writes it. */
export function under(prefix: string): string {
  return `${prefix}/*`
}

/** What a key tells of its object; null for what it does not. */
export interface StagedPlace {
  readonly root: Root | null
  readonly run: string | null
  readonly pipeline: string | null
  /** Of a run's objects: `plan`, `items`, the number of a partition, … */
  readonly part: string | null
}

/** The functions above, read the other way. */
export function placeOf(key: string): StagedPlace {
  const [root, first = null, second = null, third = null] = key.split('/')
  switch (root) {
    case roots.runs:
      return { root, run: first, pipeline: stepIn(second), part: third?.replace('_', '') ?? null }
    case roots.quarantine:
    case roots.findings:
      return { root, run: second, pipeline: stepIn(first), part: null }
    case roots.quarantineLog:
      return { root, run: null, pipeline: stepIn(first), part: null }
    default:
      return { root: null, run: null, pipeline: null, part: null }
  }
}

/** A key of somebody else's may not be read so. */
function stepIn(folder: string | null): string | null {
  try {
    return folder === null ? null : stepOfFolder(folder)
  } catch {
    return folder
  }
}

function hasForbiddenCharacter(key: string): boolean {
  if (!key.isWellFormed()) return true
  for (let index = 0; index < key.length; index++) {
    const code = key.charCodeAt(index)
    if (code < 32 || code === 127 || code === 92) return true
  }
  return false
}

/** Of a key in a message. */
const MOST_CHARACTERS = 200

/** Returns a key or prefix that stays inside the store's root; throws `Configuration` for any other. */
export function checkedKey(key: string): string {
  const segments = key.split('/')
  const leaves = segments.some((segment) => segment === '' || segment === '.' || segment === '..')
  if (leaves || hasForbiddenCharacter(key)) {
    throw new ConfigurationError(
      `The staging key ${JSON.stringify(key.slice(0, MOST_CHARACTERS))} is refused: it could leave the staging root. ` +
        'Use names divided by single slashes, without "..", backslashes or control characters.',
    )
  }
  return key
}

/** As `checkedKey`, with the empty prefix for the whole store. */
export function checkedPrefix(prefix: string): string {
  return prefix === '' ? prefix : checkedKey(prefix)
}

const ATTEMPT = /\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * Whether it ends as `attemptKey` ends a key. A folder is not asked for as a key: a grant of all that is in it does not
 * allow that.
 */
export function isAttempt(key: string): boolean {
  return ATTEMPT.test(key)
}

/** A key under `prefix` that no other attempt has. */
export function attemptKey(prefix: string): string {
  return `${checkedKey(prefix)}/${randomUUID()}`
}
