import * as z from 'zod'

const name = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^-\s]/)
const ids = z.array(name).min(1).max(500)

/** What the page may ask to have done. */
export const askedCommand = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('run'), name, only: z.array(name).min(1).optional() }),
  z.strictObject({ kind: z.literal('resume'), run: name }),
  z.strictObject({ kind: z.literal('stop'), run: name }),
  z.strictObject({ kind: z.literal('replay'), pipeline: name, run: name.optional(), ids: ids.optional() }),
  z.strictObject({
    kind: z.literal('discard'),
    pipeline: name,
    run: name.optional(),
    ids: ids.optional(),
    reason: z.string().min(1).max(500),
  }),
])

/** A row that is kept, to be held against the target. */
export const askedBeside = z.strictObject({
  pipeline: name,
  row: z.array(z.tuple([z.string(), z.string().nullable()])).max(2_000),
})

/** What a command looks at in the databases of an environment. */
export const askedLook = z.strictObject({ kind: z.enum(['tables', 'plan', 'preview']), pipeline: name })

export type AskedLook = z.output<typeof askedLook>
export type AskedCommand = z.output<typeof askedCommand>

/** The words of a command of Dray, and whether it makes a run. */
export function argumentsOf(asked: AskedCommand): { readonly args: readonly string[]; readonly isRun: boolean } {
  switch (asked.kind) {
    case 'run':
      return { args: ['run', asked.name, ...(asked.only ? ['--only', asked.only.join()] : [])], isRun: true }
    case 'resume':
      return { args: ['resume', asked.run], isRun: true }
    case 'stop':
      return { args: ['runs', 'stop', asked.run], isRun: false }
    case 'replay':
      return { args: ['quarantine', 'replay', asked.pipeline, ...chosen(asked)], isRun: true }
    case 'discard':
      return {
        args: ['quarantine', 'discard', asked.pipeline, ...chosen(asked), '--reason', asked.reason, '--yes'],
        isRun: false,
      }
  }
}

function chosen({
  run,
  ids: its,
}: {
  readonly run?: string | undefined
  readonly ids?: readonly string[] | undefined
}) {
  return [...(run === undefined ? [] : ['--run', run]), ...(its === undefined ? [] : ['--id', ...its])]
}
