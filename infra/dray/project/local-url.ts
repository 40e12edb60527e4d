import type { Engine } from './environment.ts'

const engines: Readonly<Record<string, Engine>> = {
  'postgres:': 'postgres',
  'postgresql:': 'postgres',
  'mysql:': 'mysql',
  'mariadb:': 'mysql',
  'sqlite:': 'sqlite',
}

/** The engine of a database's URL; null for one that Dray does not know. */
export function engineOfUrl(url: string): Engine | null {
  return engines[/^[a-z]+:/.exec(url)?.[0] ?? ''] ?? null
}

/** The same URL for a function, which runs in the folder of its bundle and not in that of the command. */
export function urlFromAnyFolder(url: string): string {
  return url.replace(/^sqlite:(?![/:])/, () => `sqlite:${encodeURI(process.cwd())}/`)
}
