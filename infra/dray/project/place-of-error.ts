import { readFileSync } from 'node:fs'
import { relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { projectFolder } from '#dray-infra/project/project-folder.ts'

/** The line of the user's code that an error is about. */
export interface ErrorPlace {
  /** `functions/orders/pipeline.ts:12`; without the line where it is not known. */
  readonly place: string
  /** The file could not be loaded, so that nothing has begun. */
  readonly isOfLoading: boolean
}

/** Where Node says that a file cannot be taken, before the error itself. */
const HEAD = /^(file:\/\/\/\S+|\/\S+):(\d+)$/m
const IMPORTED_FROM = /^Cannot find (?:module|package) '([^']+)' imported from (\S+)$/m
const NOT_EXPORTED = /^Package (?:subpath|import specifier) ['"]?(?:\.)?([^'"\s]*)['"]? .* imported from (\S+)$/m
const FRAME = /\(?(file:\/\/\/[^\s()]+):(\d+):\d+\)?$/
const LOADING = /ModuleJob\.run|asyncInstantiate/

/** Null where no file of the project's own has to do with it. */
export function placeOf(error: unknown, folder: string = projectFolder): ErrorPlace | null {
  if (!(error instanceof Error) || error.stack === undefined) return null
  const { stack, message } = error
  const head = stack.slice(0, stack.indexOf(message)).match(HEAD)
  if (head !== null) return placed(head[1] as string, Number(head[2]), folder, true)
  const missing = message.match(IMPORTED_FROM) ?? message.match(NOT_EXPORTED)
  if (missing !== null)
    return placed(missing[2] as string, lineOf(missing[2] as string, missing[1] as string), folder, true)
  const frames = stack.split('\n').map((line) => line.match(FRAME))
  const [own] = frames.flatMap((frame) =>
    frame === null ? [] : (placed(frame[1] as string, Number(frame[2]), folder, false) ?? []),
  )
  if (own === undefined) return null
  const isOfLoading = stack.split('\n').some((line) => LOADING.test(line))
  return { ...own, isOfLoading }
}

function placed(file: string, line: number | null, folder: string, isOfLoading: boolean): ErrorPlace | null {
  const path = relative(folder, file.startsWith('file:') ? fileURLToPath(file) : file)
  const parts = path.split(sep)
  if (parts[0] === '..' || parts.includes('node_modules') || parts[1] === 'dray') return null
  return { place: line === null ? path : `${path}:${line}`, isOfLoading }
}

/** The line of an import, by the last part of what it names. */
function lineOf(file: string, named: string): number | null {
  try {
    const lines = readFileSync(file, 'utf8').split('\n')
    const last = named.split('/').at(-1) as string
    const at = lines.findIndex((line) => /\b(import|from)\b/.test(line) && line.includes(last))
    return at < 0 ? null : at + 1
  } catch {
    return null
  }
}
