import { ConfigurationError } from 'dray/internal/errors.ts'
import type { Project } from './define-project.ts'
import { type EmulatedProject, emulatedEnvironment } from './emulated-environment.ts'
import { EMULATED } from './emulated-name.ts'
import { type Environment, environmentOf } from './environment.ts'
import { knownNames, shortName } from './known-names.ts'

type Environments = Pick<Project, 'environments'>

/** Every environment that a project declares, checked. Throws `Configuration` when one is not valid. */
export function environmentsOf({ environments }: Environments): readonly Environment[] {
  checkNames(environments)
  return Object.entries(environments).map(([name, options]) => environmentOf(name, options))
}

/** The environment of a name. Throws `Configuration` with the names there are. */
export function environmentNamed(name: string, project: Environments & EmulatedProject): Environment {
  const { environments } = project
  checkNames(environments)
  if (name === EMULATED) return emulatedEnvironment(project)
  const options = Object.hasOwn(environments, name) ? environments[name] : undefined
  if (options !== undefined) return environmentOf(name, options)
  throw new ConfigurationError(
    `There is no environment ${shortName(name)} in infra/environments.ts, so nothing was done; ${knownNames(name, Object.keys(environments))}`,
  )
}

function checkNames(environments: Environments['environments']): void {
  if (!Object.hasOwn(environments, EMULATED)) return
  throw new ConfigurationError(
    `infra/environments.ts has an environment ${EMULATED}, a name that means the emulator on this machine, so nothing was done; give it another name.`,
  )
}

/** `prod`, `production`, `prod-eu`, `eu-prod`. */
export function isProduction(environment: string): boolean {
  return /(^|-)prod(uction)?(-|$)/.test(environment)
}
