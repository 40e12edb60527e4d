import { type Call, judge, textOf } from './calls.ts'
import type { Deployment, Grantee } from './deployment.ts'
import { type Grant, grantsOf, grantsOfAll, reasonOf, scopeOf, textOfGrant, usesOf } from './grants.ts'

/** What stands in docs/grants.md: each call with what allows it, and what is granted besides with the reason. */
export function grantsTable(calls: readonly Call[], deployment: Deployment): string {
  const all = grantsOfAll(deployment)
  const names = [...new Set(all.map(({ grantee }) => grantee.name))].filter((name) => !name.startsWith('<')).sort()
  const sections = names.map((name) => {
    const grantee = deployment.grantees.find((one) => one.name === name) as Grantee
    const rows = calls.filter(({ by }) => by === name).map((call) => rowOf(call, grantee, deployment))
    return `### ${name.replace('everything_', '')}\n\n| call | allowed by |\n| --- | --- |\n${[...new Set(rows)].sort().join('\n')}\n`
  })
  return `\n${sections.join('\n')}\n${besides(all, calls)}\n`
}

function rowOf(call: Call, grantee: Grantee, deployment: Deployment): string {
  const { isAllowed, why } = judge(call, deployment)
  const allowing = grantsOf(grantee).find((grant) => usesOf(grant, [call]).length > 0)
  return `| \`${textOf(call)}\` | ${isAllowed && allowing ? `\`${scopeOf(allowing)}\`` : why} |`
}

function besides(all: readonly Grant[], calls: readonly Call[]): string {
  const unused = all.filter((grant) => usesOf(grant, calls).length === 0)
  const byReason = Map.groupBy(unused, (grant) => reasonOf(grant)?.why ?? 'no reason')
  const rows = [...byReason].map(([why, grants]) => {
    const roles = [...new Set(grants.map(({ grantee }) => grantee.name.replaceAll(/[<>]/g, '')))].sort().join(', ')
    const what = [...new Set(grants.map((grant) => `\`${textOfGrant(grant)}\``))].sort().join(', ')
    return `| ${why} | ${what} | ${roles} |`
  })
  return `### Granted, and not called by a run\n\n| why | what | whose |\n| --- | --- | --- |\n${rows.join('\n')}\n`
}
