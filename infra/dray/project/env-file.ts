import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { envFileFaults } from './env-file-faults.ts'
import { projectFolder } from './project-folder.ts'

/** Variables for the command, in the project's folder; whoever has it has its passwords. */
export const ENV_FILE = '.env'

export interface EnvFile {
  readonly path: string
  /** Names of variables that were set from the file. */
  readonly set: readonly string[]
  /** Names of variables that the file has, too, and that the environment had before. */
  readonly kept: readonly string[]
}

/**
 * Sets what `.env` of a folder says and the environment does not. Null where there is no file. Throws `Configuration`
 * for one that cannot be read, or sets something else than it seems to; no value is ever in a message.
 */
export function readEnvFile(
  folder: string = projectFolder,
  environment: NodeJS.ProcessEnv = process.env,
): EnvFile | null {
  const path = join(folder, ENV_FILE)
  const found = textOf(path)
  if (found === null) return null
  // An editor's byte order mark would be a part of the first name.
  const text = found.replace(/^\uFEFF/, '')
  const faults = envFileFaults(text)
  if (faults.length > 0) {
    throw new ConfigurationError(
      `${path}: ${faults.join('; ')}, so nothing was done; write each variable once, as NAME=value or NAME="a value", and # before what is no variable.`,
    )
  }
  const variables = Object.entries(parseEnv(text))
  const kept = variables.filter(([name]) => environment[name] !== undefined).map(([name]) => name)
  const set = variables.filter(([name]) => !kept.includes(name))
  for (const [name, value] of set) environment[name] = value
  return { path, set: set.map(([name]) => name), kept }
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return null
    throw new ConfigurationError(
      `${path} cannot be read (${code}), so the variables in it are not set and nothing was done; make it a file that you can read, or remove it.`,
      { cause: error },
    )
  }
}
