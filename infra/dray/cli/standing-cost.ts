import { resolve } from 'node:path'
import { type MonthlyCost, monthlyCost, standingParts, totalOf } from '#dray-infra/aws/monthly-cost.ts'
import { synthesizedTemplates } from '#dray-infra/aws/synthesized-templates.ts'
import { projectFolder } from '#dray-infra/project/project-folder.ts'
import { deployedTemplates } from '#dray-infra/remote/deployed-templates.ts'
import { oneLine } from './format.ts'

export interface Diffed {
  /** The options of the CDK CLI. */
  readonly given: readonly string[]
  /** When it was started, in ms since 1970. */
  readonly startedAt: number
  /** Whether AWS may be asked what is deployed. */
  readonly asksAws: boolean
}

/** What stands would cost a month after a deployment, and what changes; null where nothing was synthesized. */
export async function standingCost({ given, startedAt, asksAws }: Diffed): Promise<string | null> {
  const output = resolve(projectFolder, optionOf(given, '--output', '-o') ?? 'cdk.out')
  const app = optionOf(given, '--app', '-a')
  // What was synthesized before may be given as the app.
  const before = app === undefined ? null : await synthesizedTemplates(resolve(projectFolder, app), 0)
  const made = before ?? (await synthesizedTemplates(output, startedAt))
  if (made === null) return null
  const next = monthlyCost(made.templates)
  if (!asksAws) return costLines(next, null, 'What is deployed was not read.')
  try {
    const deployed = await deployedTemplates(made.stacks)
    return deployed.length === 0
      ? costLines(next, null, 'Nothing is deployed yet.')
      : costLines(next, monthlyCost(deployed), '')
  } catch (error) {
    return costLines(next, null, `What is deployed could not be read: ${oneLine(String(error))}`)
  }
}

/** One sentence, which the comment of a pull request repeats, and a line for each part, or for each that changes. */
export function costLines(next: MonthlyCost, now: MonthlyCost | null, why: string): string {
  const [total, before] = [totalOf(next), now === null ? null : totalOf(now)]
  const parts = standingParts.flatMap((part) => {
    const after = next[part].usDollars
    const was = now?.[part].usDollars
    if (after === (was ?? 0)) return []
    return [`  ${part}: ${was === undefined ? '' : `${was.toFixed(2)} → `}${after.toFixed(2)}`]
  })
  const sentence = `What stands costs ${total.toFixed(2)} US dollars a month${changeOf(total, before)}, without runs and databases (docs/deploy.md, "What it costs").`
  return `${[`${sentence}${why === '' ? '' : ` ${why}`}`, ...parts].join('\n')}\n`
}

function changeOf(total: number, before: number | null): string {
  if (before === null) return ''
  const change = (total - before).toFixed(2)
  if (Number(change) === 0) return ', as now'
  return `, ${change.replace('-', '')} ${total > before ? 'more' : 'less'} than now`
}

function optionOf(given: readonly string[], ...names: readonly string[]): string | undefined {
  for (const [place, one] of given.entries()) {
    for (const name of names) {
      if (one === name) return given[place + 1]
      if (one.startsWith(`${name}=`)) return one.slice(name.length + 1)
    }
  }
  return undefined
}
