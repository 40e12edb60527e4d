import type { PreviewDocument } from '../documents.ts'
import { Wide } from './parts.tsx'
import { Status, Text, Value } from './words.tsx'

type Row = PreviewDocument['rows'][number]
type Pairs = readonly (readonly [string, string | null])[]

const MARK: Readonly<Record<string, string>> = {
  loaded: 'success',
  quarantined: 'failed',
  filtered: 'skipped',
  deleted: 'skipped',
}

/** Source rows beside what the transform makes of them; with an earlier preview, what it made of them before. */
export function PreviewRows({
  before,
  after,
}: {
  readonly before: PreviewDocument | null
  readonly after: PreviewDocument
}) {
  const earlier = new Map(before?.rows.map((row) => [JSON.stringify(row.source), row]))
  return (
    <Wide label={before === null ? 'Rows of the preview' : 'Rows before and after the save'}>
      <table class="preview">
        <thead>
          <tr>
            <th scope="col">source row</th>
            {before !== null && <th scope="col">before</th>}
            <th scope="col">{before === null ? 'becomes' : 'now'}</th>
          </tr>
        </thead>
        <tbody>
          {after.rows.map((row, place) => {
            const old = earlier.get(JSON.stringify(row.source))
            return (
              <tr key={place}>
                <td>
                  <Values of={row.source} than={null} />
                </td>
                {before !== null && (
                  <td>{old === undefined ? <span class="null">not read</span> : <Made row={old} than={null} />}</td>
                )}
                <td>
                  <Made row={row} than={old ?? null} />
                </td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </Wide>
  )
}

function Made({ row, than }: { readonly row: Row; readonly than: Row | null }) {
  const isSame = than === null || than.outcome === row.outcome
  return (
    <>
      {row.outcome !== 'loaded' || !isSame ? (
        <span class={isSame ? '' : 'changed'}>
          <Status of={MARK[row.outcome] ?? row.outcome} said={row.outcome} />
        </span>
      ) : null}
      {row.target !== null && <Values of={row.target} than={than?.target ?? null} />}
      {[...row.errors, ...row.findings].map(({ field, code, message }) => (
        <p class="said" key={`${field} ${code} ${message}`}>
          <b>
            <Text of={`${field} ${code}`} />
          </b>{' '}
          <Text of={message} />
        </p>
      ))}
    </>
  )
}

function Values({ of, than }: { readonly of: Pairs; readonly than: Pairs | null }) {
  const before = than === null ? null : new Map(than)
  return (
    <dl class="row-values">
      {of.map(([column, value]) => {
        const isChanged = before !== null && (before.get(column) ?? null) !== value
        return (
          <div key={column} class={isChanged ? 'changed' : ''}>
            <dt>
              <Text of={column} />
            </dt>
            <dd>
              <Value of={value} />
            </dd>
          </div>
        )
      })}
    </dl>
  )
}
