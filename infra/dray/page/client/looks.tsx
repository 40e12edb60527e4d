import { useState } from 'preact/hooks'
import type { CheckedDocument, LookDocument, PlanDocument } from '../documents.ts'
import { CommandLine, Empty, Fault, Section } from './parts.tsx'
import { usePlace } from './place.ts'
import { PreviewRows } from './preview-rows.tsx'
import { send } from './server.ts'
import { duration, plural, Status, Text } from './words.tsx'

const LOOKS = [
  {
    kind: 'tables',
    title: 'Tables and models',
    label: 'Look at the tables',
    said: 'asks the function that looks at the tables, in the network of the databases; nothing is changed.',
    saidOfCopy: 'reads both tables from this machine, by the secrets of their URLs; nothing is changed.',
    command: (_name: string, writes: readonly string[]) => `dray schema plan ${writes.join(' ')}`,
  },
  {
    kind: 'plan',
    title: 'The next run',
    label: 'Plan the next run',
    said: 'reads the source from this machine, by the secret of its URL; takes no lease and changes nothing.',
    command: (name: string) => `dray plan ${name}`,
  },
  {
    kind: 'preview',
    title: 'Preview',
    label: 'Preview the next rows',
    said: 'reads the next rows from this machine, by the secret of its URL; writes nothing.',
    command: (name: string) => `dray preview ${name}`,
  },
] as const

/** What is in the databases of an environment, when somebody asks: by the same commands as in a terminal. */
export function Looks({ name, writes }: { readonly name: string; readonly writes: readonly string[] }) {
  return (
    <>
      {LOOKS.map((look) => (
        <Look key={look.kind} name={name} look={look} command={look.command(name, writes)} />
      ))}
    </>
  )
}

function Look({
  name,
  look: { kind, title, label, ...words },
  command,
}: {
  readonly name: string
  readonly look: (typeof LOOKS)[number]
  readonly command: string
}) {
  const { pasted } = usePlace()
  const said = 'saidOfCopy' in words && name.includes('/') ? words.saidOfCopy : words.said
  const [isLooking, setLooking] = useState(false)
  const [found, setFound] = useState<LookDocument | null>(null)
  const [fault, setFault] = useState<string | null>(null)
  const look = async () => {
    setLooking(true)
    setFault(null)
    try {
      setFound(await send<LookDocument>('/api/look', { kind, pipeline: name }))
    } catch (error) {
      setFault((error as Error).message)
    }
    setLooking(false)
  }
  return (
    <Section title={title} aside={<CommandLine text={pasted(command)} />}>
      <p class="actions">
        <button type="button" disabled={isLooking} onClick={() => void look()}>
          {label}
        </button>
        <span class="muted" role="status">
          {isLooking ? 'Looking …' : `It ${said}`}
        </span>
      </p>
      <Fault of={fault} />
      {fault === null && found?.kind === 'tables' && <Checks checks={found.checks} />}
      {fault === null && found?.kind === 'plan' && <Planned plan={found.plan} />}
      {fault === null && found?.kind === 'preview' && (
        <>
          {found.preview.rows.length === 0 && <Empty>The source has no row that the next run would read.</Empty>}
          {found.preview.rows.length > 0 && <PreviewRows before={null} after={found.preview} />}
          <Notes notes={found.preview.notes} />
        </>
      )}
    </Section>
  )
}

/** What does not fit, of tables and their models. */
export function Checks({ checks }: { readonly checks: readonly CheckedDocument[] }) {
  const told = checks.filter(({ verdict }) => verdict !== 'ok')
  if (told.length === 0) return <p class="muted">The tables fit the models.</p>
  return (
    <ul class="notes">
      {told.map(({ check, verdict, said }) => (
        <li key={`${check} ${said}`}>
          <Status of={verdict === 'broken' ? 'failed' : 'warned'} said={verdict} /> <b>{check}</b> <Text of={said} />
        </li>
      ))}
    </ul>
  )
}

function Planned({ plan: { window, rows, partitions, seconds, usDollars, notes } }: { readonly plan: PlanDocument }) {
  return (
    <>
      <p>
        {window === null ? 'All rows' : <Text of={`The window [${window.from ?? 'the beginning'}, ${window.to})`} />}:{' '}
        {plural(rows, 'row')} in {plural(partitions, 'partition')}; about {duration(seconds)} and{' '}
        <span class="number">{usDollars.toFixed(4)}</span> US dollars.
      </p>
      <Notes notes={notes} />
    </>
  )
}

export function Notes({ notes }: { readonly notes: readonly string[] }) {
  return (
    <ul class="notes">
      {notes.map((note) => (
        <li key={note}>
          <Text of={note} />
        </li>
      ))}
    </ul>
  )
}
