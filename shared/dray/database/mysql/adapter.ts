import type { Adapter, AdapterOptions } from '../adapter.ts'
import { Pool } from '../pool.ts'
import { mysqlBuilder } from './builder.ts'
import { capabilities } from './capabilities.ts'
import { MysqlConnection } from './connection.ts'
import { openDriver } from './driver.ts'
import { Kills } from './kills.ts'
import { quote } from './names.ts'
import { MysqlSession } from './session.ts'
import { SET_VARIABLES, setOthers } from './session-variables.ts'
import { readFacts, rowLogOf, SETTINGS_QUERY, type SessionFacts, ZONE_QUERY } from './settings.ts'
import { errorNumber, translate, translateConnect } from './translate.ts'
import { readUrl } from './url.ts'

const CONNECTIONS = 2
/** A connection that was idle longer is asked whether it lives: a frozen Lambda does not see a server go away. */
const TRUST_MILLISECONDS = 1_000
const PING_MILLISECONDS = 2_000
const FIRST_ANSWER_MILLISECONDS = 10_000

/** MySQL (8.0.17) and MariaDB (10.2) behind one URL; connects when the first connection is asked for. */
export function createMysqlAdapter(options: AdapterOptions): Adapter {
  const endpoint = readUrl(options)
  const { place } = endpoint
  const kills = new Kills(endpoint)
  let connectedOnce = false

  const pool = new Pool<MysqlConnection>({
    name: options.name,
    max: options.maxConnections ?? CONNECTIONS,
    async open() {
      try {
        const driver = await openDriver(endpoint)
        const session = new MysqlSession(driver, place, (threadId, what) => kills.kill(threadId, what))
        const facts = await openSession(session)
        connectedOnce = true
        return new MysqlConnection(session, facts)
      } catch (error) {
        throw translateConnect(error, place, connectedOnce)
      }
    },
    alive: ({ session }, idleMilliseconds) =>
      idleMilliseconds < TRUST_MILLISECONDS ? Promise.resolve(session.isOpen) : session.ping(PING_MILLISECONDS),
    close: ({ session }) => session.close(),
    setIdle: ({ session }, idle) => session.setIdle(idle),
  })

  return {
    ...capabilities,
    dialect: 'mysql',
    builder: mysqlBuilder(),
    acquire: () => pool.acquire(),
    async release(connection, broken = false) {
      const own = connection as MysqlConnection
      let isBroken = broken || !own.session.isOpen
      if (!isBroken && own.inTransaction) {
        isBroken = await own.rollback().then(
          () => false,
          () => true,
        )
      }
      await pool.release(own, isBroken)
    },
    async close() {
      await pool.close()
      await kills.ended()
    },
    quote,
    translate: (error) => translate(error, place),
  }
}

const ACCESS_DENIED = 1227

async function isAllowed(work: Promise<unknown>): Promise<boolean> {
  try {
    await work
    return true
  } catch (error) {
    if (errorNumber(error) === ACCESS_DENIED) return false
    throw error
  }
}

/** Makes the session's settings ours, and reads what else the server says; closes it when that is not what it needs. */
async function openSession(session: MysqlSession): Promise<SessionFacts> {
  try {
    const signal = AbortSignal.timeout(FIRST_ANSWER_MILLISECONDS)
    const [zone] = (await session.run(ZONE_QUERY, { signal })).rows
    await session.run(SET_VARIABLES, { signal })
    const { rows } = await session.run(SETTINGS_QUERY, { signal })
    const variables = new Map(rows as unknown as [string, string][])
    const others = setOthers(variables)
    if (others !== null) await session.run(others, { signal })
    const rowLog = rowLogOf(variables)
    if (rowLog !== null && (await isAllowed(session.run(rowLog, { signal })))) variables.set('binlog_format', 'ROW')
    return readFacts(variables, zone?.[0] ?? 'SYSTEM', session.place.name)
  } catch (error) {
    await session.close()
    throw error
  }
}
