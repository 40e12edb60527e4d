import { ConfigurationError } from '#dray/errors.ts'
import { ConsoleSink, FileSink, HttpSink, type LineageSink } from './sink.ts'

/** Keeps events with the run until Finish sends them: for functions that reach no sink. */
export const KEPT_URL = 'kept:'

/** What the variables of OpenLineage's clients say: https://openlineage.io/docs/client/python */
export interface LineageSettings {
  /** Of the jobs. */
  readonly namespace: string
  readonly url: string
  readonly endpoint: string
  readonly key: string | null
}

/** Null where nothing is to be told. */
export function lineageSettings(environment: NodeJS.ProcessEnv): LineageSettings | null {
  const { OPENLINEAGE_URL: url, OPENLINEAGE_DISABLED: disabled, DRAY_ENVIRONMENT: name = 'local' } = environment
  if (!url || disabled?.toLowerCase() === 'true') return null
  return {
    namespace: environment.OPENLINEAGE_NAMESPACE || `dray-${name}`,
    url,
    endpoint: environment.OPENLINEAGE_ENDPOINT || 'api/v1/lineage',
    key: environment.OPENLINEAGE_API_KEY || null,
  }
}

/** The sink of the settings, or null where events are kept. Throws `Configuration` for another kind of URL. */
export function sinkOf({ url, endpoint, key }: LineageSettings): LineageSink | null {
  if (url === KEPT_URL) return null
  const parsed = URL.parse(url)
  if (parsed?.protocol === 'console:') return new ConsoleSink()
  if (parsed?.protocol === 'file:') return new FileSink(parsed)
  if (parsed?.protocol === 'http:' || parsed?.protocol === 'https:') {
    return new HttpSink(new URL(endpoint.replace(/^\/+/, ''), parsed.href.replace(/\/*$/, '/')), key)
  }
  throw new ConfigurationError(
    'OPENLINEAGE_URL is not a place for lineage, so none is sent; set it to https://host, file:///folder/events.jsonl or console:',
  )
}
