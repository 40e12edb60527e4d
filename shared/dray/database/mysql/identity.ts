import type { IdentityCapabilities } from '../capabilities.ts'
import { tableIdentity } from './table-identity.ts'

const NAMES = [
  'server_uuid',
  'gtid_executed',
  'gtid_mode',
  'gtid_current_pos',
  'server_id',
  'hostname',
  'port',
  'datadir',
]
/** Each fork has some of them, and SHOW gives those that there are. */
const VARIABLES = `show global variables where variable_name in (${NAMES.map((name) => `'${name}'`).join(', ')})`
/** A set of transactions that is in too many pieces to be kept beside last_run. */
const LONGEST_POSITION = 8_000

export const identity: IdentityCapabilities = {
  ofTable: tableIdentity,
  sameDefinition: (known, now) => known === now,
  newParts: null,
  tablesKnownBy: 'grant process on *.* to the user that reads',
  async read(rows) {
    const variables = new Map((await rows(VARIABLES, [])).map(([name, value]) => [name?.toLowerCase(), value ?? '']))
    const [[database = '']] = (await rows('select database()', [])) as [readonly [string]]
    const of = (name: string) => variables.get(name) ?? ''
    const uuid = of('server_uuid')
    // MariaDB has no name for a server: one that stands elsewhere is taken for another one.
    const server = uuid === '' ? ['hostname', 'port', 'datadir', 'server_id'].map(of).join(' ') : uuid
    const position = uuid === '' ? of('gtid_current_pos') : of('gtid_mode') === 'ON' ? of('gtid_executed') : ''
    const isKept = position !== '' && position.length <= LONGEST_POSITION
    return { identity: { server, database, position: isKept ? position : null }, weakness: null }
  },
  async compare(rows, known, now) {
    if (known.database !== now.database) return 'other'
    const isSame = known.server === now.server
    if (known.position === null || now.position === null) return isSame ? 'same' : 'other'
    if (!known.position.includes(':')) {
      // Numbers of MariaDB, which another server may have given to other transactions.
      if (!isSame) return 'other'
      return isPast(known.position, now.position) ? 'same' : 'behind'
    }
    const [[isSubset = null]] = (await rows('select gtid_subset(?, ?)', [known.position, now.position])) as [
      readonly [string | null],
    ]
    if (isSubset === '1') return isSame ? 'same' : 'successor'
    return isSame ? 'behind' : 'other'
  },
}

/** Whether each domain of `0-1-100,1-1-7` has come as far. https://mariadb.com/kb/en/gtid/ */
function isPast(known: string, now: string): boolean {
  const reached = sequences(now)
  return [...sequences(known)].every(([domain, number]) => (reached.get(domain) ?? -1n) >= number)
}

function sequences(position: string): Map<string, bigint> {
  const each = position.split(',').map((one) => one.trim().split('-'))
  return new Map(each.map(([domain = '', , number = '0']) => [domain, BigInt(number)]))
}
