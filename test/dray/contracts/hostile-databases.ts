import { createConnection } from 'mysql2/promise'
import { Client } from 'pg'
import { startMariaDB } from '#test/services/mariadb.ts'
import { startMySQL } from '#test/services/mysql.ts'
import { isRealMysql } from '#test/services/mysql-server.ts'
import { signInOnce } from '#test/services/mysql-speech.ts'
import type { Setting } from './hostile-settings.ts'
import { openMysql, openPostgres, type ValueDatabase } from './value-databases.ts'

/** A database on a server of its own, whose `url` is that of an ordinary user, and whose own session stays as it is. */
export interface HostileDatabase extends ValueDatabase {
  /** Who may give settings to a session that is opened. */
  readonly levels: readonly string[]
  /** Gives settings to sessions that are opened from now on; returns those that can be given in this way. */
  give(level: string, settings: readonly Setting[]): Promise<readonly Setting[]>
  takeBack(): Promise<void>
}

const USER = 'loader'
const PASSWORD = 'loader'

function asUser(address: string): string {
  return Object.assign(new URL(address), { username: USER, password: PASSWORD }).href
}

/** PostgreSQL, with the user as owner of the database and of what is made in it. */
export async function openHostilePostgres(known: readonly Setting[]): Promise<HostileDatabase> {
  const opened = await openPostgres({ isOwn: true, settings: {} })
  const url = asUser(opened.url)
  const name = opened.quote(new URL(url).pathname.slice(1))
  const names = known.map((setting) => `'${setting.name}'`).join(', ')
  await opened.run(`CREATE ROLE ${USER} LOGIN PASSWORD '${PASSWORD}'`)
  await opened.run(`ALTER DATABASE ${name} OWNER TO ${USER}`)
  // What a session has set for itself, no level changes.
  await opened.run(`SELECT set_config(name, setting, false) FROM pg_settings WHERE name IN (${names})`)
  await opened.run(`SET ROLE ${USER}`)
  const changed: Readonly<Record<string, string>> = {
    server: 'ALTER SYSTEM',
    database: `ALTER DATABASE ${name}`,
    role: `ALTER ROLE ${USER}`,
    'role in the database': `ALTER ROLE ${USER} IN DATABASE ${name}`,
  }
  const asSuperuser = async (statements: readonly string[]) => {
    await opened.run('RESET ROLE')
    const [[before = ''] = []] = await opened.rows('SELECT clock_timestamp()::text')
    for (const statement of [...statements, 'SELECT pg_reload_conf()']) await opened.run(statement)
    await opened.run(`SET ROLE ${USER}`)
    while (!(await isLoadedSince(opened.url, before ?? '')));
  }
  return {
    ...opened,
    url,
    levels: Object.keys(changed),
    async give(level, settings) {
      await asSuperuser(settings.map((setting) => `${changed[level]} SET ${setting.name} = ${setting.value}`))
      return settings
    },
    takeBack: () => asSuperuser(Object.values(changed).map((who) => `${who} RESET ALL`)),
  }
}

/** Whether new sessions have the server's configuration as it was after a moment. */
async function isLoadedSince(url: string, moment: string): Promise<boolean> {
  const client = new Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query('SELECT pg_conf_load_time() > $1::timestamptz AS is_loaded', [moment])
  await client.end()
  return rows[0].is_loaded
}

/** The number of the error of a variable that is of the server alone, of a session alone, or of neither. */
const NOT_SO = new Set([1193, 1227, 1228, 1229, 1231, 1238, 1621])

async function isTaken(work: Promise<unknown>): Promise<boolean> {
  try {
    await work
    return true
  } catch (error) {
    if (NOT_SO.has((error as { errno?: number }).errno ?? 0)) return false
    throw error
  }
}

/** Gives settings to all sessions of a server of MySQL that are opened from now on, where they can be given so. */
export async function giveToServer(url: string, settings: readonly Setting[]): Promise<void> {
  const connection = await createConnection(url)
  await connection.query("SET sql_mode = ''")
  for (const { name, value } of settings) await isTaken(connection.query(`SET GLOBAL ${name} = ${value}`))
  await connection.end()
}

/** MariaDB or MySQL, as this run has it, with a user who may do everything in the database and nothing beside. */
export async function openHostileMysql(): Promise<HostileDatabase> {
  const opened = await (isRealMysql ? openMysql('mysql', startMySQL) : openMysql('mariadb', startMariaDB))
  if ('unavailable' in opened) throw new Error(opened.unavailable)
  const url = asUser(opened.url)
  await opened.run(`CREATE USER ${USER}@'127.0.0.1' IDENTIFIED BY '${PASSWORD}'`)
  await opened.run(`GRANT ALL ON ${opened.quote(new URL(url).pathname.slice(1))}.* TO ${USER}@'127.0.0.1'`)
  await signInOnce(url)
  const before = new Map<string, string | null>()

  const set = async (name: string, value: string) => {
    if (!before.has(name)) {
      const [[usual = null] = []] = await opened.rows(`SELECT @@GLOBAL.${name}`)
      before.set(name, usual)
    }
    await opened.run(`SET GLOBAL ${name} = ${value}`)
  }
  const bySession = async (settings: readonly Setting[]) => {
    const connection = await createConnection(url)
    const taken: Setting[] = []
    for (const setting of settings) {
      if (await isTaken(connection.query(`SET SESSION ${setting.name} = ${setting.value}`))) taken.push(setting)
    }
    await connection.end()
    return taken
  }

  return {
    ...opened,
    url,
    levels: ['server', 'user'],
    async give(level, settings) {
      const taken: Setting[] = []
      if (level === 'server') {
        for (const setting of settings) {
          const { name, value } = setting
          if (await isTaken(set(name, value))) taken.push(setting)
        }
        return taken
      }
      taken.push(...(await bySession(settings)))
      const all = taken.map(({ name, value }) => `SESSION ${name} = ${value}`).join(', ')
      if (taken.length > 0) await set('init_connect', `'SET ${all.replaceAll("'", "''")}'`)
      return taken
    },
    async takeBack() {
      for (const [name, usual] of before) {
        const isWord = usual !== null && /^(\d+(\.\d+)?|DEFAULT)$/.test(usual)
        await opened.run(`SET GLOBAL ${name} = ${usual === null ? 'NULL' : isWord ? usual : `'${usual}'`}`)
      }
      before.clear()
    },
  }
}
