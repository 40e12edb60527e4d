import type { StateMachine } from 'dray/internal/workflow/states-language.ts'

/**
 * The definition with each `${name}` replaced, as CloudFormation's DefinitionSubstitutions do; a name not in `values`
 * stands for itself.
 */
export function substitute(definition: StateMachine, values: Readonly<Record<string, string>> = {}): StateMachine {
  return replaced(definition, values) as StateMachine
}

function replaced(value: unknown, values: Readonly<Record<string, string>>): unknown {
  if (typeof value === 'string') {
    return value.replace(/\$\{(\w+)\}/g, (_, name: string) =>
      Object.hasOwn(values, name) ? (values[name] as string) : name,
    )
  }
  if (Array.isArray(value)) return value.map((item) => replaced(item, values))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, replaced(item, values)]))
}
