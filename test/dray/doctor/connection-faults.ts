import { isRealMysql, MYSQL_NAME } from '#test/services/mysql-server.ts'
import type { Fault } from './fault.ts'
import { asUser, changed, dst, made, silentPort, target } from './servers.ts'

export const ofConnections: readonly Fault[] = [
  {
    name: 'a URL of another engine',
    urls: () => dst(Promise.resolve('oracle://scott:tiger@host/db')),
    line: /database dst: url: DST_DATABASE_URL is not a database URL/,
    remedy: /set it to postgres:/,
  },
  {
    name: 'a password that is not escaped',
    urls: () => dst(Promise.resolve('postgres://u:p#ss@127.0.0.1/db')),
    line: /database dst: url: .*a part of the password would be taken for something else/,
    remedy: /write @ as %40/,
  },
  {
    name: 'a host that nobody knows',
    urls: () => dst(Promise.resolve('postgres://u:p@warehouse.invalid/db')),
    line: /database dst: dns: dst: the host warehouse\.invalid is not known here/,
    remedy: /correct the host in DST_DATABASE_URL/,
  },
  {
    name: 'a port where nobody listens',
    urls: async () => dst(Promise.resolve(changed(await made('postgres'), { port: '1' }))),
    line: /database dst: tcp: .*:1 cannot be connected to \(ECONNREFUSED\)/,
    remedy: /start the server, or correct host and port/,
  },
  {
    name: 'a server that says nothing',
    urls: () => dst(Promise.resolve(`postgres://u:p@127.0.0.1:${silentPort()}/db`)),
    line: /database dst: connect: .*does not answer a sign-in within 5 s/,
    remedy: /correct DST_DATABASE_URL/,
  },
  {
    name: 'PostgreSQL without TLS, where it is asked for',
    urls: async () => dst(Promise.resolve(changed(await made('postgres'), { search: '?sslmode=verify-full' }))),
    line: /database dst: connect: .*SSL/,
    remedy: /sslmode=no-verify or disable/,
  },
  {
    name: `${MYSQL_NAME} whose certificate nobody knows`,
    urls: async () => dst(Promise.resolve(changed(await made('mysql'), { search: '?sslmode=verify-full' }))),
    line: /database dst: connect: .*(certificate|TLS)/,
    remedy: /ssl-ca=|sslmode=/,
  },
  {
    name: 'a wrong password of PostgreSQL',
    urls: async () => dst(Promise.resolve(changed(await made('postgres'), { password: 'wrong' }))),
    line: /database dst: connect: .*password authentication failed/,
    remedy: /DST_DATABASE_URL/,
  },
  {
    name: `a wrong password of ${MYSQL_NAME}`,
    urls: async () => dst(Promise.resolve(changed(await made('mysql'), { password: 'wrong' }))),
    // MySQL does not say so without TLS, but asks for the password itself.
    line: isRealMysql ? /asks for the password without TLS/ : /database dst: connect: .*Access denied/,
    remedy: isRealMysql ? /Correct the password/ : /Correct the user and the password/,
  },
  {
    name: 'a database that PostgreSQL does not have',
    urls: async () => dst(Promise.resolve(changed(await made('postgres'), { pathname: '/nowhere' }))),
    line: /database dst: connect: .*"nowhere" does not exist/,
    remedy: /DST_DATABASE_URL|create/,
  },
  {
    name: `a database that ${MYSQL_NAME} does not have`,
    urls: async () => dst(Promise.resolve(changed(await made('mysql'), { pathname: '/nowhere' }))),
    line: /database dst: connect: .*Unknown database 'nowhere'/,
    remedy: /Create the database, or correct its name/,
  },
  {
    name: 'a SQLite file in no folder',
    urls: () => dst(Promise.resolve('sqlite:/no/such/folder/x.db')),
    line: /database dst: .*is in a folder that does not exist/,
    remedy: /set DST_DATABASE_URL/,
  },
  {
    name: 'one connection of PostgreSQL for two partitions',
    urls: async () =>
      dst(
        asUser(
          await target('postgres'),
          'alter role %u connection limit 1',
          'grant all on order_fact to %u',
          'grant create on schema public to %u',
        ),
      ),
    line: /database dst: connections: the limit of the role \(CONNECTION LIMIT\) of dst is 1, and one pipeline opens 2/,
    remedy: /raise the limit, or lower concurrency/,
  },
]
