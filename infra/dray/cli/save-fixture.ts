import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { isTableStep } from 'dray/internal/messages/step-name.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import type { PreviewedRow } from 'dray/internal/pipeline/inspect/preview.ts'
import { haveFolder } from '#dray-infra/project/made-folder.ts'
import { projectFolder } from '#dray-infra/project/project-folder.ts'
import { fixtureOf, readFixture } from '#dray-infra/testing/fixture.ts'

/** Rows of a source that are kept for a test. */
export interface SavedFixture {
  /** From the project's folder on. */
  readonly file: string
  readonly rows: number
  readonly masked: boolean
}

/** The file to write, beside the pipeline by default. Throws `Configuration` where something else is in its place. */
export function fixtureFile(name: string, asked: string | true): string {
  if (isTableStep(name)) {
    throw new ConfigurationError(
      `${name} is a table of a replica, which has no transform to test, so nothing was saved; leave --save-fixture out`,
    )
  }
  const file = asked === true ? join(projectFolder, 'functions', name, `${name}.fixture.json`) : resolve(asked)
  if (existsSync(file)) readFixture(file, { name })
  return file
}

export async function saveFixture(
  pipeline: Pipeline,
  rows: readonly PreviewedRow[],
  { file, isMasked }: { readonly file: string; readonly isMasked: boolean },
): Promise<SavedFixture> {
  if (rows.length === 0)
    throw new ConfigurationError(`${pipeline.name}: the source has no such row, so nothing was saved`)
  const fixture = fixtureOf(
    pipeline,
    rows.map(({ source }) => source),
    { isMasked },
  )
  haveFolder(dirname(file))
  await writeFile(file, `${JSON.stringify(fixture, null, 2)}\n`)
  return { file: relative(projectFolder, file), rows: fixture.rows.length, masked: isMasked }
}

export function savedText({ file, rows, masked }: SavedFixture): string {
  const how = masked ? 'with their values masked, and what becomes of them then' : 'with what becomes of them'
  return `${rows === 1 ? '1 row was' : `${rows} rows were`} saved in ${file}, ${how}; a test beside it reads them: testPipeline(…).fixture('./${basename(file)}')`
}
