import { createHash } from 'node:crypto'

/** Of Dray's runs, as version 5 of https://www.rfc-editor.org/rfc/rfc9562#section-5.5 asks for. */
const dray = Buffer.from('8d2a1c4e7b3f5a60917ed4c6f0b852a3', 'hex')

/** The UUID of a run, or of a step in it: the same for each retry, another in each environment. */
export function lineageRunId(namespace: string, run: string, step: string | null): string {
  const name = JSON.stringify(step === null ? [namespace, run] : [namespace, run, step])
  const bytes = createHash('sha1').update(dray).update(name).digest().subarray(0, 16)
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x50
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
