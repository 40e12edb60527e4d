import type { KeptRowDocument } from '../documents.ts'
import { Fault } from './parts.tsx'
import { useAsked } from './server.ts'
import { Text, Value } from './words.tsx'

/** The first rows that a run of a pipeline has quarantined. */
export function FirstRows({
  run,
  pipeline,
  most,
}: {
  readonly run: string
  readonly pipeline: string
  readonly most: number
}) {
  const query = new URLSearchParams({ run, pipeline, limit: `${most}`, all: 'true' })
  const { data, error } = useAsked<{ readonly rows: readonly KeptRowDocument[] }>(`/api/quarantine?${query}`, ['state'])
  return (
    <>
      <Fault of={error} />
      <ol class="kept-rows">
        {(data?.rows ?? []).map((row) => (
          <li key={row.id}>
            <Reasons row={row} />
            <RowValues row={row} />
          </li>
        ))}
      </ol>
    </>
  )
}

export function Reasons({ row }: { readonly row: KeptRowDocument }) {
  return (
    <ul class="reasons">
      {row.errors.map(({ field, code, message }) => (
        <li key={`${field} ${code} ${message}`}>
          <b>
            <Text of={`${field} ${code}`.trim()} />
          </b>{' '}
          <Text of={message} />
        </li>
      ))}
    </ul>
  )
}

export function RowValues({ row }: { readonly row: KeptRowDocument }) {
  const bad = new Set(row.errors.map(({ field }) => field))
  return (
    <dl class="row-values">
      {row.row.map(([column, value]) => (
        <div key={column} class={bad.has(column) ? 'bad' : ''}>
          <dt>
            <Text of={column} />
          </dt>
          <dd>
            <Value of={value} />
          </dd>
        </div>
      ))}
    </dl>
  )
}
