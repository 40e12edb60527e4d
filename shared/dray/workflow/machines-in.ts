/**
 * The ARN of the state machine of each pipeline that a workflow's definition names, as deployed: `itemOf` writes the
 * two beside each other. What is not a definition names none.
 */
export function machinesIn(definition: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  collect(JSON.parse(definition), found)
  return found
}

function collect(value: unknown, found: Map<string, string>): void {
  if (typeof value !== 'object' || value === null) return
  const { step, machine } = value as { readonly step?: unknown; readonly machine?: unknown }
  if (typeof step === 'string' && typeof machine === 'string') found.set(step, machine)
  for (const part of Object.values(value)) collect(part, found)
}
