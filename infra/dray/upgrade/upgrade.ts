import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { type ChangedFiles, changedFiles } from './changed-files.ts'
import { comparedFiles, frameworkParts, mergedFiles, templateOf } from './framework-parts.ts'
import { type MergedKey, mergeJson } from './merge-json.ts'

const run = promisify(execFile)

/** A file at the project's root that the framework writes in, too. */
export interface MergedFile {
  readonly file: string
  readonly keys: readonly MergedKey[]
}

/** What an upgrade changes. */
export interface Upgrade {
  readonly files: ChangedFiles
  readonly merged: readonly MergedFile[]
  /** Does it; the lock file is renewed last, which asks the registry. */
  apply(): Promise<void>
}

/**
 * Throws `Configuration` unless everything in the project's folder is committed: only then can an upgrade be looked at,
 * and taken back, by Git.
 */
export async function requireCommitted(project: string): Promise<void> {
  const status = await run('git', ['status', '--porcelain', '--untracked-files=all'], { cwd: project }).catch(
    () => null,
  )
  if (status === null) {
    throw new ConfigurationError(
      `${project} is not in Git, so nothing was changed: an upgrade could not be taken back. Commit it first: git init && git add --all && git commit -m 'Before the upgrade'`,
    )
  }
  const [first, ...others] = status.stdout.trimEnd().split('\n')
  if (first === '' || first === undefined) return
  const more = others.length === 0 ? '' : ` and ${others.length} more`
  throw new ConfigurationError(
    `${first.slice(3)}${more} is not committed, so nothing was changed: an upgrade could not be told from it. Commit it first: git add --all && git commit`,
  )
}

/** Works out what the framework in `source` changes in a project; writes nothing yet. */
export async function planUpgrade(project: string, source: string): Promise<Upgrade> {
  const parts = await Promise.all(frameworkParts.map((part) => changedFiles(part, project, source)))
  const texts = new Map<string, string>()
  const merged: MergedFile[] = []
  for (const file of [...mergedFiles, ...comparedFiles]) {
    const { keys, text } = await mergeFile(file, project, source)
    if (keys.length === 0) continue
    merged.push({ file, keys })
    if (text !== null) texts.set(file, text)
  }
  return {
    files: {
      added: parts.flatMap(({ added }) => added),
      changed: parts.flatMap(({ changed }) => changed),
      removed: parts.flatMap(({ removed }) => removed),
    },
    merged,
    async apply() {
      for (const part of frameworkParts) await replacePart(part, project, source)
      for (const [file, text] of texts) await writeFile(join(project, file), text)
      await renewLock(project)
    },
  }
}

async function mergeFile(
  file: string,
  project: string,
  source: string,
): Promise<{ readonly keys: readonly MergedKey[]; readonly text: string | null }> {
  const [own, installed, next] = await Promise.all([
    textOf(join(project, file)),
    textOf(join(project, templateOf(file))),
    textOf(join(source, templateOf(file))),
  ])
  if (next === null || next === installed || next === own) return { keys: [], text: null }
  if (own === null) return { keys: [{ key: '', change: 'set' }], text: next }
  if ((mergedFiles as readonly string[]).includes(file)) return mergeJson(own, installed ?? '{}', next)
  return own === installed
    ? { keys: [{ key: '', change: 'set' }], text: next }
    : { keys: [{ key: '', change: 'kept' }], text: null }
}

function textOf(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(() => null)
}

async function replacePart(part: string, project: string, source: string): Promise<void> {
  await rm(join(project, part), { recursive: true, force: true })
  if (!existsSync(join(source, part))) return
  await cp(join(source, part), join(project, part), {
    recursive: true,
    filter: (path) => basename(path) !== 'node_modules',
  })
}

/** npm asks the registry only for what is new; then the builds of other platforms are named again. */
async function renewLock(project: string): Promise<void> {
  try {
    await run('npm', ['install', '--package-lock-only', '--ignore-scripts'], { cwd: project })
    await run(process.execPath, ['.ci/complete-lock.ts'], { cwd: project })
  } catch (cause) {
    throw new ConfigurationError(
      `The framework is replaced, but npm could not renew package-lock.json: ${(cause as { stderr?: string }).stderr?.trim() ?? String(cause)} Run \`npm install && node .ci/complete-lock.ts\`, or take all of it back with \`git checkout . && git clean -fd\`.`,
      { cause },
    )
  }
}
