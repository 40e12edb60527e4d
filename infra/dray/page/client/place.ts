import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import type { PlaceDocument } from '../documents.ts'

export const nowhere: PlaceDocument = { env: 'local', version: '', project: '', mayAct: false, isMasked: false }

export const PlaceContext = createContext<PlaceDocument>(nowhere)

/** Where the page is; `pasted` makes of a command one that works there. */
export function usePlace() {
  const place = useContext(PlaceContext)
  const pasted = (command: string) => `npx ${command}${place.env === 'local' ? '' : ` --env ${place.env}`}`
  return { ...place, pasted }
}
