import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { knownNames } from '#dray-infra/project/known-names.ts'
import type { AddedStep } from './project-files.ts'

/** A pipeline or a task, as a workflow imports it. */
export interface KnownUnit extends AddedStep {
  readonly name: string
}

/** Each folder of `functions/` that has a pipeline or a task. */
export function knownUnits(folder: string): readonly KnownUnit[] {
  const functions = join(folder, 'functions')
  return readdirSync(functions)
    .sort()
    .flatMap((name) =>
      ['pipeline', 'task'].flatMap((kind) => {
        const file = join(functions, name, `${kind}.ts`)
        if (!existsSync(file)) return []
        const makers = kind === 'pipeline' ? 'pipeline|replicate' : kind
        const [, constant] = new RegExp(`export const (\\w+) = (?:${makers})\\(`).exec(readFileSync(file, 'utf8')) ?? []
        return constant === undefined ? [] : [{ name, constant, from: `#functions/${name}/${kind}.ts` }]
      }),
    )
}

/** Those of these names. Throws `Configuration` for a name that none has. */
export function unitsNamed(names: readonly string[], folder: string): readonly KnownUnit[] {
  const units = knownUnits(folder)
  return names.map((name) => {
    const found = units.find((unit) => unit.name === name)
    if (found !== undefined) return found
    throw new ConfigurationError(
      `There is no pipeline and no task ${name} in functions/, so nothing was written; ${knownNames(
        name,
        units.map((unit) => unit.name),
      )}`,
    )
  })
}
