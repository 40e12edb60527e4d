import { ConfigurationError } from 'dray/internal/errors.ts'
import type { Project } from './define-project.ts'
import { type Environment, environmentOf } from './environment.ts'

type Environments = Pick<Project, 'environments'>

/** Every environment of a project, checked. Throws `Configuration` when one is not valid. */
export function environmentsOf({ environments }: Environments): readonly Environment[] {
  return Object.entries(environments).map(([name, options]) => environmentOf(name, options))
}

/** The environment of a name. Throws `Configuration` with the names there are. */
export function environmentNamed(name: string, { environments }: Environments): Environment {
  const options = Object.hasOwn(environments, name) ? environments[name] : undefined
  if (options !== undefined) return environmentOf(name, options)
  const names = Object.keys(environments).join(', ')
  throw new ConfigurationError(
    `There is no environment ${name}, so nothing was done; infra/environments.ts has ${names === '' ? 'none' : names}.`,
  )
}

/** `prod`, `production`, `prod-eu`, `eu-prod`. */
export function isProduction(environment: string): boolean {
  return /(^|-)prod(uction)?(-|$)/.test(environment)
}
