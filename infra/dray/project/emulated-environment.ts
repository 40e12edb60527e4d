import { urlVariable } from 'dray/internal/database/database-url.ts'
import type { Project } from './define-project.ts'
import { EMULATED } from './emulated-name.ts'
import { type Environment, environmentOf } from './environment.ts'
import { engineOfUrl } from './local-url.ts'

/** What of a project it is made from. */
export type EmulatedProject = Pick<Project, 'databases' | 'workflows'>

/** The name of the secret with the URL of a database. */
export function emulatedSecret(database: string): string {
  return `/dray/${EMULATED}/${database}/url`
}

/** The databases are those that `dray run` uses here: by `<NAME>_DATABASE_URL`, or embedded. */
export function emulatedEnvironment({ databases, workflows }: EmulatedProject): Environment {
  const settings = environmentOf(EMULATED, {
    databases: {},
    expected: Object.fromEntries(workflows.map(({ name }) => [name, { successWithin: '7d' }])),
  })
  const places = Object.entries(databases).map(([name, { embedded }]) => {
    const engine = engineOfUrl(process.env[urlVariable(name)] ?? '') ?? embedded
    return [name, { engine, secret: emulatedSecret(name), authorities: 'public', tls: 'by-url' }] as const
  })
  return { ...settings, databases: Object.fromEntries(places) }
}
