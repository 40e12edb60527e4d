import { existsSync, readFileSync } from 'node:fs'
import type { EnvironmentOptions } from 'dray-infra'

const file = new URL('../environment.json', import.meta.url)

/** `dray prove` writes it, from the environment that it is given. */
export const environments: Record<string, EnvironmentOptions> = existsSync(file)
  ? JSON.parse(readFileSync(file, 'utf8'))
  : {}
