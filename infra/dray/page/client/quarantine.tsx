import { useState } from 'preact/hooks'
import type { BesideDocument, KeptRowDocument, KeptRowsDocument } from '../documents.ts'
import { Action, CommandLine, Empty, Fault, Wide } from './parts.tsx'
import { usePlace } from './place.ts'
import { Reasons, RowValues } from './quarantine-rows.tsx'
import { send, useAsked } from './server.ts'
import { count, Moment, plural, Status, Text, Value } from './words.tsx'

const SHOWN = 50

/** Rows that were not loaded, or were with findings: found, understood, sent again or given up. */
export function Quarantine({ pipeline: asked }: { readonly pipeline: string | null }) {
  const [place, setPlace] = useState<'quarantine' | 'findings'>('quarantine')
  const [search, setSearch] = useState('')
  const [reason, setReason] = useState<string | null>(null)
  const [isAll, setAll] = useState(false)
  const [pipeline, setPipeline] = useState(asked)
  const { mayAct, pasted, isMasked, env } = usePlace()
  const query = new URLSearchParams({
    search,
    limit: `${SHOWN}`,
    ...(pipeline === null ? {} : { pipeline }),
    ...(reason === null ? {} : { reason }),
    ...(isAll ? { all: 'true' } : {}),
  })
  const { data, error } = useAsked<KeptRowsDocument>(`/api/${place}?${query}`, ['state', 'commands'])
  const isQuarantine = place === 'quarantine'
  return (
    <>
      <h1>{isQuarantine ? 'Quarantine' : 'Findings'}</h1>
      <div class="filters">
        <label class="field">
          Rows that were
          <select value={place} onChange={(event) => setPlace(event.currentTarget.value as 'quarantine' | 'findings')}>
            <option value="quarantine">quarantined</option>
            <option value="findings">loaded with a finding</option>
          </select>
        </label>
        <label class="field">
          Pipeline
          <select value={pipeline ?? ''} onChange={(event) => setPipeline(event.currentTarget.value || null)}>
            <option value="">all</option>
            {(data?.pipelines ?? []).map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <label class="field">
          Search values and reasons
          <input type="search" value={search} onInput={(event) => setSearch(event.currentTarget.value)} />
        </label>
        {isQuarantine && (
          <label class="check">
            <input type="checkbox" checked={isAll} onChange={(event) => setAll(event.currentTarget.checked)} />
            closed rows, too
          </label>
        )}
        <span class="muted" role="status">
          {data === null ? (error === null ? 'Reading …' : 'not read') : plural(data.total, 'row')}
        </span>
      </div>
      <Fault of={error} />
      {isMasked && <p class="muted">Values are shown in their shape alone; `--no-mask` shows them.</p>}
      {env !== 'local' && (
        <p class="muted">
          What a replay would do is shown on the laptop alone: it asks the target by its key. What the transform makes
          of rows now: <CommandLine text={pasted(`dray preview ${pipeline ?? '<pipeline>'} --keys <keys>`)} />
        </p>
      )}
      <fieldset class="counts" hidden={data !== null && data.reasons.length === 0}>
        <legend class="muted">Reasons</legend>
        {(data?.reasons ?? []).map(({ reason: one, rows }) => (
          <button
            type="button"
            key={one}
            class="chip"
            aria-pressed={reason === one}
            onClick={() => setReason(reason === one ? null : one)}
          >
            <Text of={one} /> <b class="number">{count(rows)}</b>
          </button>
        ))}
      </fieldset>
      {isQuarantine && pipeline !== null && data !== null && data.total > 0 && mayAct && (
        <p class="actions">
          <Action
            label={`Replay ${pipeline}`}
            asks={{ kind: 'replay', pipeline }}
            confirm={`Send all open rows of ${pipeline} through the transform and the load of now? A newer row is never overwritten.`}
          />
          <CommandLine text={pasted(`dray quarantine replay ${pipeline}`)} />
        </p>
      )}
      {data !== null && data.total === 0 && error === null && (
        <Empty>
          {isQuarantine
            ? 'No row is open here. What a transform rejects, or the target refuses, is kept here with its reason until it is replayed or discarded. Closed rows, too: '
            : 'No row that is kept was loaded with a finding. What a transform notes of a row by finding() stands here: '}
          <CommandLine text={pasted(`dray quarantine ${isQuarantine ? 'list --all' : 'findings'}`)} />
        </Empty>
      )}
      <ol class="kept-rows cards">
        {(data?.rows ?? []).map((row) => (
          <li key={row.id} class="card">
            <Row row={row} isQuarantine={isQuarantine} />
          </li>
        ))}
      </ol>
      {data !== null && data.total > data.rows.length && (
        <p class="muted">{plural(data.total - data.rows.length, 'more row')}: search, or choose a reason.</p>
      )}
      {(data?.notes ?? []).map((note) => (
        <p class="muted" key={note}>
          <Text of={note} />
        </p>
      ))}
    </>
  )
}

function Row({ row, isQuarantine }: { readonly row: KeptRowDocument; readonly isQuarantine: boolean }) {
  const { mayAct, env } = usePlace()
  const [beside, setBeside] = useState<BesideDocument | null>(null)
  const [fault, setFault] = useState<string | null>(null)
  const look = () =>
    send<BesideDocument>('/api/beside', { pipeline: row.pipeline, row: row.row }).then(setBeside, (error: Error) =>
      setFault(error.message),
    )
  return (
    <>
      <p class="row-head">
        <b>{row.pipeline}</b> <span class="muted">row {row.id} of </span>
        <a href={`#/runs/${encodeURIComponent(row.run)}`}>{row.run}</a>{' '}
        {row.record !== null && (
          <span class="muted">
            {row.record.action} <Moment at={Date.parse(row.record.at)} />: <Text of={row.record.reason} />
          </span>
        )}
      </p>
      <Reasons row={row} />
      <RowValues row={row} />
      <p class="actions">
        {env === 'local' && (
          <button
            type="button"
            aria-expanded={beside !== null}
            onClick={() => (beside === null ? void look() : setBeside(null))}
          >
            {isQuarantine ? 'What a replay would do' : 'Beside the target'}
          </button>
        )}
        {mayAct && isQuarantine && row.record === null && (
          <>
            <Action
              label="Replay"
              asks={{ kind: 'replay', pipeline: row.pipeline, ids: [row.id] }}
              confirm="Send this row through the transform and the load of now?"
            />
            <Action
              label="Discard"
              asks={{ kind: 'discard', pipeline: row.pipeline, ids: [row.id], reason: 'discarded on the page' }}
              confirm="Give this row up? It is kept, and never replayed."
            />
          </>
        )}
      </p>
      <Fault of={fault} />
      {beside !== null && <Beside beside={beside} />}
    </>
  )
}

const SAID: Readonly<Record<string, string>> = {
  loaded: 'It would be loaded.',
  unchanged: 'The target has it already: nothing would change.',
  filtered: 'The transform leaves it out.',
  deleted: 'The transform has it deleted.',
  quarantined: 'It would be quarantined again.',
}

/** The target's row beside the one that would be loaded, the differences marked. */
function Beside({ beside: { outcome, errors, columns, isNew } }: { readonly beside: BesideDocument }) {
  return (
    <div class="beside">
      <p>
        <Status
          of={
            outcome === 'quarantined'
              ? 'failed'
              : outcome === 'loaded' || outcome === 'unchanged'
                ? 'success'
                : 'skipped'
          }
          said={outcome}
        />{' '}
        {SAID[outcome] ?? outcome} {isNew && 'Its key is new to the target.'}
      </p>
      <ul class="reasons">
        {errors.map(({ field, code, message }) => (
          <li key={`${field} ${code}`}>
            <b>
              <Text of={`${field} ${code}`} />
            </b>{' '}
            <Text of={message} />
          </li>
        ))}
      </ul>
      {columns.length > 0 && (
        <Wide label="The target's row beside the one that would be loaded">
          <table>
            <thead>
              <tr>
                <th scope="col">column</th>
                <th scope="col">in the target</th>
                <th scope="col">would be loaded</th>
              </tr>
            </thead>
            <tbody>
              {columns.map(({ name, before, after, differs, isKey }) => (
                <tr key={name} class={differs ? 'changed' : ''}>
                  <th scope="row">
                    <Text of={name} /> {isKey && <span class="muted">key</span>}
                  </th>
                  <td>{isNew ? <span class="null">no row</span> : <Value of={before} />}</td>
                  <td>
                    <Value of={after} /> {differs && <span class="muted">differs</span>}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Wide>
      )}
    </div>
  )
}
